"""The overview and its stream."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from pocketmq.console.desk import Desk
from pocketmq.console.endpoints import Noun
from pocketmq.console.overview import Overview
from pocketmq.console.sessions import Visitor

overview = Noun("Overview")


@overview.get("/overview")
async def show(desk: Desk) -> Overview:
    """The cluster at a glance, with the figures of the last minutes."""
    return await desk.live.overview()


@overview.get("/events", media="text/event-stream")
async def events(desk: Desk, user: Visitor, request: Request) -> Response:
    """A stream of server-sent events: `overview`, `task` and `problem`."""
    viewer = desk.live.watch()
    cookie = request.scope["pocketmq.cookie"]

    def is_allowed() -> bool:
        return user.name is None or user.scripted or desk.sessions.is_open(cookie)

    return StreamingResponse(
        viewer.events(is_allowed),
        media_type="text/event-stream",
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
    )
