"""The console's table of contents: every endpoint, the pages, and what answers outside of both."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route, Router
from starlette.types import ASGIApp, Receive, Scope, Send

from pocketmq.console import openapi
from pocketmq.console.api import (
    access,
    brokers,
    clients,
    doctor,
    explained,
    groups,
    look,
    messages,
    progress,
    repairs,
    session,
    topics,
    waiting,
)
from pocketmq.console.desk import Desk
from pocketmq.console.endpoints import PREFIX, Endpoint, Noun, route_of
from pocketmq.console.gate import Gate
from pocketmq.console.pages import Pages
from pocketmq.console.problems import Problem

NOUNS: tuple[Noun, ...] = (
    session.session,
    look.overview,
    topics.topics,
    groups.groups,
    progress.progress,
    messages.messages,
    explained.explained,
    repairs.offsets,
    repairs.dead_letters,
    repairs.tasks,
    waiting.waiting,
    clients.clients,
    brokers.brokers,
    brokers.name_servers,
    access.access,
    doctor.doctor,
)


def endpoints() -> list[Endpoint]:
    """All endpoints, in the order of the document."""
    return [endpoint for noun in NOUNS for endpoint in noun.endpoints]


def build_app(desk: Desk, more: Sequence[BaseRoute] = ()) -> ASGIApp:
    """The ASGI app around a desk. `more` are routes outside of the API, such as `/metrics`."""

    async def document(request: Request) -> Response:
        return JSONResponse(_document(), headers={"Cache-Control": "no-store"})

    routes: list[BaseRoute] = [
        *_routes(endpoints(), desk),
        Route(f"{PREFIX}/openapi.json", document),
        *more,
        *Pages().routes(),
    ]
    router = Router(routes, redirect_slashes=False, default=_nothing_there)
    return Gate(
        router,
        desk.sessions,
        host_names=(desk.config.listen.host, *desk.config.host_names),
        request_bytes_max=desk.config.request_bytes_max,
    )


@cache
def _document() -> dict[str, Any]:
    return openapi.document(endpoints())


def _routes(all_of_them: Iterable[Endpoint], desk: Desk) -> list[Route]:
    by_path: dict[str, list[Endpoint]] = {}
    for endpoint in all_of_them:
        by_path.setdefault(endpoint.path, []).append(endpoint)
    return [route_of(found, desk) for found in by_path.values()]


async def _nothing_there(scope: Scope, receive: Receive, send: Send) -> None:
    raise Problem(404, "not_found", "there is nothing at this path")
