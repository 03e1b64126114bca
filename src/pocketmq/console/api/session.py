"""Who am I: the session, logging in and out."""

from __future__ import annotations

from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response

import pocketmq
from pocketmq.console.desk import Desk
from pocketmq.console.endpoints import Noun, json_answer
from pocketmq.console.sessions import COOKIE, Visitor
from pocketmq.console.shapes import field_of

session = Noun("Session")


@dataclass(frozen=True, slots=True)
class SessionPicture:
    """Who looks, and at what. Without a login `user` is null and `role` is admin."""

    auth: bool
    user: str | None
    role: str | None
    csrf: str | None
    version: str
    name_servers: tuple[str, ...]
    read_only: bool


@dataclass(frozen=True, slots=True)
class Credentials:
    """Who wants to come in."""

    user: str = field_of(doc="Name.", chars_max=64)
    password: str = field_of(doc="Password.", chars_max=256, secret=True)


@dataclass(frozen=True, slots=True)
class Nothing:
    """An empty object."""


@session.get("/session")
async def current(desk: Desk, request: Request) -> SessionPicture:
    """Who is logged in, and the token that writes need. Needs no login."""
    return _picture(desk, request.scope["pocketmq.user"])


@session.post("/login", viewers=True)
async def login(desk: Desk, body: Credentials, request: Request) -> Response:
    """Log in: answers the session and sets its cookie."""
    client = request.client
    address = client.host if client is not None else ""
    token, visitor = await desk.sessions.login(body.user, body.password, address)
    answer = json_answer(_picture(desk, visitor))
    answer.set_cookie(
        COOKIE, token, path="/", httponly=True, samesite="strict", secure=desk.config.secure_cookie
    )
    return answer


@session.post("/logout", viewers=True)
async def logout(desk: Desk, body: Nothing, request: Request) -> Response:
    """Log out: ends the session and takes its cookie back."""
    desk.sessions.logout(request.scope["pocketmq.cookie"])
    answer = json_answer({})
    answer.delete_cookie(COOKIE, path="/", httponly=True, samesite="strict")
    return answer


def _picture(desk: Desk, visitor: Visitor | None) -> SessionPicture:
    return SessionPicture(
        desk.sessions.needed,
        visitor.name if visitor is not None else None,
        visitor.role if visitor is not None else None,
        visitor.csrf if visitor is not None else None,
        pocketmq.__version__,
        desk.admin.config.name_servers,
        desk.config.read_only,
    )
