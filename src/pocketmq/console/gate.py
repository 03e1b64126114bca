"""What stands before every endpoint: headers, the Host check, bounds, logins and tokens.

A console on loopback needs no password, but any page in the same browser can send requests to it.
Three things keep such pages out: the Host header must be a name of this console, so that a foreign
name made to resolve to 127.0.0.1 gets nothing; a write needs a token that only our own pages can
read; and an Origin header must be our own.
"""

from __future__ import annotations

import ipaddress
import logging
import secrets
from collections.abc import Iterable

from starlette.datastructures import Headers
from starlette.requests import cookie_parser
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pocketmq.console.endpoints import PREFIX, problem_answer
from pocketmq.console.headers import with_security
from pocketmq.console.problems import Problem, problem_of
from pocketmq.console.sessions import COOKIE, Sessions, same_token
from pocketmq.errors import PocketMQError

_log = logging.getLogger(__name__)

HEADER_BYTES_MAX = 96 * 1024
"""Above the longest cursor, which is part of the path."""

_OPEN = frozenset((f"{PREFIX}/session", f"{PREFIX}/login"))
_GUARDED = (f"{PREFIX}/", "/metrics")
_SAFE = ("GET", "HEAD")
_WRITES = ("POST", "PUT", "PATCH", "DELETE")


class Gate:
    """The ASGI app around the app."""

    def __init__(
        self,
        app: ASGIApp,
        sessions: Sessions,
        *,
        host_names: Iterable[str] = (),
        request_bytes_max: int,
    ) -> None:
        self._app = app
        self._sessions = sessions
        self._hosts = {"localhost", *(name.lower() for name in host_names)}
        self._bytes_max = request_bytes_max

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request, or refuse it."""
        if scope["type"] != "http":
            raise RuntimeError(f"the console serves HTTP alone, not {scope['type']}")
        started = False

        async def guarded(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                message["headers"] = with_security(message["headers"])
            await send(message)

        try:
            bounded = self._checked(scope, receive)
            await self._admit(scope)
            await self._app(scope, bounded, guarded)
        except Problem as problem:
            await problem_answer(problem)(scope, receive, guarded)
        except PocketMQError as error:
            await problem_answer(problem_of(error))(scope, receive, guarded)
        except Exception:
            reference = secrets.token_hex(4)
            _log.exception("path=%s reference=%s: a request failed", scope["path"], reference)
            if started:
                raise
            await problem_answer(_bug(reference))(scope, receive, guarded)

    def _checked(self, scope: Scope, receive: Receive) -> Receive:
        """Check what needs nobody's name. Returns a `receive` that counts. Raise Problem."""
        sent = sum(len(name) + len(value) for name, value in scope["headers"])
        if sent + len(scope["raw_path"]) + len(scope["query_string"]) > HEADER_BYTES_MAX:
            raise Problem(431, "too_large", f"a head may have {HEADER_BYTES_MAX} bytes")
        headers = Headers(scope=scope)
        self._check_host(headers)
        method = scope["method"]
        if method not in (*_SAFE, *_WRITES):
            raise Problem(405, "method", f"{method[:20]} is not used here")
        if method in _WRITES:
            self._check_origin(headers)
            has_body = headers.get("content-length", "0") != "0" or "transfer-encoding" in headers
            kind = headers.get("content-type", "").partition(";")[0].strip().lower()
            if kind != "application/json" and (has_body or method != "DELETE"):
                raise Problem(415, "media_type", "send the body as application/json")
        length = headers.get("content-length", "0")
        if not length.isdigit() or int(length) > self._bytes_max:
            raise self._too_large()
        return self._counting(receive)

    def _check_host(self, headers: Headers) -> None:
        hosts = headers.getlist("host")
        name = _host_name(hosts[0]) if len(hosts) == 1 else None
        if name is None or not (name in self._hosts or _is_address(name)):
            raise Problem(
                403,
                "host",
                "this name is not known as one of the console's",
                hint="open it by its address, or add the name to console.host_names",
            )

    def _check_origin(self, headers: Headers) -> None:
        origin = headers.get("origin")
        if origin is not None and origin.partition("://")[2] != headers.get("host"):
            raise Problem(403, "csrf", "the request comes from a page of another origin")

    async def _admit(self, scope: Scope) -> None:
        """Find out who asks, and check the token of writes. Raise Problem (401, 403, 429)."""
        path: str = scope["path"]
        if not path.startswith(_GUARDED):
            if scope["method"] not in _SAFE:
                raise Problem(405, "method", "pages can only be read")
            return
        headers = Headers(scope=scope)
        authorization = headers.get("authorization", "")
        basic = authorization if authorization.startswith("Basic ") else None
        client = scope.get("client") or ("", 0)
        cookie = cookie_parser(headers.get("cookie", "")).get(COOKIE)
        visitor = await self._sessions.visitor(cookie, basic, client[0])
        scope["pocketmq.user"] = visitor
        scope["pocketmq.cookie"] = cookie
        if visitor is None and path not in _OPEN:
            raise Problem(401, "login_needed", "log in first")
        if scope["method"] in _SAFE or path == f"{PREFIX}/login":
            return
        assert visitor is not None
        if not visitor.scripted and not same_token(headers.get("x-csrf-token"), visitor.csrf):
            raise Problem(
                403,
                "csrf",
                "the header X-CSRF-Token is missing or old",
                hint=f"get `csrf` from {PREFIX}/session",
            )

    def _counting(self, receive: Receive) -> Receive:
        """Like `receive`, but a body that turns out too long raises Problem (413)."""
        seen = 0

        async def counted() -> Message:
            nonlocal seen
            message = await receive()
            seen += len(message.get("body", b""))
            if seen > self._bytes_max:
                raise self._too_large()
            return message

        return counted

    def _too_large(self) -> Problem:
        return Problem(
            413,
            "too_large",
            f"the body exceeds {self._bytes_max} bytes",
            details={"bytes_max": self._bytes_max},
            headers={"Connection": "close"},
        )


def _bug(reference: str) -> Problem:
    return Problem(
        500,
        "bug",
        "the console made a mistake; its log says more",
        details={"reference": reference},
    )


def _host_name(host: str) -> str | None:
    """The name in a Host header, without the port."""
    name, colon, port = host.rpartition(":")
    if not colon or host.endswith("]"):
        name, port = host, "0"
    if not (port.isascii() and port.isdigit()):
        return None
    return name.strip("[]").removesuffix(".").lower() or None


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
