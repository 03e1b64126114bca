"""Endpoints: typed async functions that become routes and entries of the OpenAPI document.

    topics = Noun("Topics")

    @topics.get("/topics/{topic}")
    async def show(desk: Desk, topic: str) -> TopicPicture:
        '''What a topic holds and where it lies.'''

What a function takes says where it comes from: `desk` is everything an endpoint may use, `query`
and `body` are dataclasses read with checks, `user` is who asks; the rest is part of the path.
"""

from __future__ import annotations

import inspect
import json
import typing
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from pocketmq.console.problems import Problem, bad_request, problem_of
from pocketmq.console.shapes import plain, read
from pocketmq.errors import PocketMQError

PREFIX = "/api/v1"

Handler = Callable[..., Awaitable[Any]]
H = TypeVar("H", bound=Handler)
_READS = ("GET", "HEAD")
_METHODS = (*_READS, "POST", "PUT", "PATCH", "DELETE")


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One function under one path."""

    method: str
    path: str
    noun: str
    handler: Handler
    hints: dict[str, Any]
    status: int
    media: str
    viewers: bool
    """Whether those who may only look may call it."""

    @property
    def query(self) -> type | None:
        """The shape of its query parameters."""
        return self.hints.get("query")

    @property
    def body(self) -> type | None:
        """The shape of its request body."""
        return self.hints.get("body")

    @property
    def answer(self) -> Any:
        """The shape of its answer."""
        return self.hints["return"]

    @property
    def path_names(self) -> list[str]:
        """The names in the path."""
        given = ("desk", "query", "body", "user", "request", "return")
        return [name for name in self.hints if name not in given]

    @property
    def doc(self) -> str:
        """What it does, in a sentence or two."""
        return inspect.getdoc(self.handler) or ""


class Noun:
    """The endpoints of one noun."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.endpoints: list[Endpoint] = []

    def get(
        self, path: str, media: str = "application/json", *, viewers: bool = True
    ) -> Callable[[H], H]:
        """Declare something to read."""
        return self._declare("GET", path, 200, media, viewers)

    def post(self, path: str, *, status: int = 200, viewers: bool = False) -> Callable[[H], H]:
        """Declare an action."""
        return self._declare("POST", path, status, "application/json", viewers)

    def put(self, path: str) -> Callable[[H], H]:
        """Declare a change of something that exists."""
        return self._declare("PUT", path, 200, "application/json", False)

    def patch(self, path: str) -> Callable[[H], H]:
        """Declare a change of some fields."""
        return self._declare("PATCH", path, 200, "application/json", False)

    def delete(self, path: str) -> Callable[[H], H]:
        """Declare a removal."""
        return self._declare("DELETE", path, 200, "application/json", False)

    def _declare(
        self, method: str, path: str, status: int, media: str, viewers: bool
    ) -> Callable[[H], H]:
        def declare(handler: H) -> H:
            hints = typing.get_type_hints(handler)
            endpoint = Endpoint(method, path, self.name, handler, hints, status, media, viewers)
            for name in endpoint.path_names:
                assert f"{{{name}" in path, f"{path} has no {name}"
            self.endpoints.append(endpoint)
            return handler

        return declare


def route_of(endpoints: list[Endpoint], desk: object) -> Route:
    """The route of one path, with all its methods."""
    by_method = {endpoint.method: endpoint for endpoint in endpoints}
    path = endpoints[0].path

    async def serve(request: Request) -> Response:
        endpoint = by_method.get("GET" if request.method == "HEAD" else request.method)
        if endpoint is None:
            listed = ", ".join(sorted(by_method))
            raise Problem(405, "method", f"this path knows {listed}", headers={"Allow": listed})
        return await _served(endpoint, desk, request)

    return Route(PREFIX + path, serve, methods=_METHODS, name=path)


async def _served(endpoint: Endpoint, desk: object, request: Request) -> Response:
    user = request.scope["pocketmq.user"]
    if not endpoint.viewers:
        user.must_be_admin(to_change=endpoint.method not in _READS)
    given: dict[str, Any] = {}
    for name in endpoint.path_names:
        text = request.path_params[name]
        given[name] = text if endpoint.hints[name] is str else _number(name, text)
    if "desk" in endpoint.hints:
        given["desk"] = desk
    if "user" in endpoint.hints:
        given["user"] = user
    if "request" in endpoint.hints:
        given["request"] = request
    query = dict(request.query_params.multi_items())
    if endpoint.query is not None:
        given["query"] = read(endpoint.query, query, texts=True)
    elif query:
        raise bad_request("this path takes no query parameters", next(iter(query))[:80])
    if endpoint.body is not None:
        given["body"] = read(endpoint.body, await _json(request))
    try:
        answer = await endpoint.handler(**given)
    except PocketMQError as error:
        raise problem_of(error) from error
    return answer if isinstance(answer, Response) else json_answer(answer, endpoint.status)


async def _json(request: Request) -> object:
    body = await request.body()
    try:
        return json.loads(body or b"{}")
    except (ValueError, RecursionError):
        raise bad_request("the body is not JSON") from None


def _number(name: str, text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        raise bad_request(f"{name} in the path must be a number", name)
    return int(text)


def json_answer(value: object, status: int = 200) -> Response:
    """A value as a JSON answer that no cache keeps."""
    content = json.dumps(plain(value), separators=(",", ":")).encode()
    headers = {"Cache-Control": "no-store"}
    return Response(content, status, headers, "application/json")


def problem_answer(problem: Problem) -> Response:
    """A problem as an answer."""
    answer = json_answer(problem.tree(), problem.status)
    answer.headers.update(problem.headers)
    return answer
