"""The web server closes connections whose requests do not come, and no others."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route, Router
from starlette.types import ASGIApp
from tests.support.waiting import until

from pocketmq.console.config import ConsoleConfig, ConsoleListenConfig
from pocketmq.console.listening import listen
from pocketmq.web import WebServer

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]
HEAD = b"GET / HTTP/1.1\r\nHost: a\r\n"


@asynccontextmanager
async def serving(app: ASGIApp, *, head_seconds: float, body_seconds: float) -> AsyncIterator[int]:
    """A server on a free port."""
    server = WebServer(
        app, connections_max=20, idle_seconds=60,
        head_seconds=head_seconds, body_seconds=body_seconds,
    )  # fmt: skip
    listener = listen(ConsoleConfig(listen=ConsoleListenConfig(port=0)))
    running = asyncio.ensure_future(server.serve([listener]))
    await until(lambda: server.started)
    try:
        yield listener.getsockname()[1]
    finally:
        server.end()
        await running
        listener.close()


@asynccontextmanager
async def connected(port: int) -> AsyncIterator[Streams]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        yield reader, writer
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


async def answered(streams: Streams, request: bytes) -> bytes:
    """Ask, and read the answer's one line of body."""
    reader, writer = streams
    writer.write(request)
    await reader.readuntil(b"\r\n\r\n")
    return await reader.readexactly(4)


async def echo(request: Request) -> Response:
    return PlainTextResponse((await request.body()).decode() or "none")


async def ended(streams: Streams) -> bool:
    """Send a byte every now and then until the server hangs up."""
    reader, writer = streams
    while True:
        try:
            return await asyncio.wait_for(reader.read(), 0.02) == b""
        except (TimeoutError, asyncio.TimeoutError):
            writer.write(b"x")
        except ConnectionError:
            return True


ECHO = Router([Route("/", echo, methods=["GET", "POST"])])


@pytest.mark.parametrize("sent", [b"", b"GET", HEAD + b"X-Slow: "], ids=["none", "word", "head"])
async def test_a_head_that_does_not_come_ends_the_connection(sent: bytes) -> None:
    async with (
        serving(ECHO, head_seconds=0.2, body_seconds=60) as port,
        connected(port) as streams,
    ):
        streams[1].write(sent)
        assert await streams[0].read() == b""


async def test_a_byte_now_and_then_does_not_help() -> None:
    async with serving(ECHO, head_seconds=0.3, body_seconds=0.3) as port:
        async with connected(port) as streams:
            streams[1].write(HEAD + b"X-Slow: ")
            assert await ended(streams)
        async with connected(port) as streams:
            streams[1].write(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 900000\r\n\r\n")
            assert await ended(streams)


async def test_a_later_request_has_the_same_time() -> None:
    async with (
        serving(ECHO, head_seconds=0.3, body_seconds=60) as port,
        connected(port) as streams,
    ):
        for _ in range(2):
            assert await answered(streams, HEAD + b"\r\n") == b"none"
        streams[1].write(HEAD)
        assert await streams[0].read() == b""


async def test_answers_and_pauses_may_last() -> None:
    counted = itertools.count()

    async def drops() -> AsyncIterator[bytes]:
        while next(counted) < 30:
            await asyncio.sleep(0.02)
            yield b"drop"

    async def slow(request: Request) -> Response:
        return StreamingResponse(drops())

    app = Router([Route("/slow", slow), *ECHO.routes])
    async with (
        serving(app, head_seconds=0.2, body_seconds=0.2) as port,
        connected(port) as streams,
        connected(port) as other,
    ):
        assert await answered(other, HEAD + b"\r\n") == b"none"
        streams[1].write(HEAD.replace(b"/ ", b"/slow ", 1) + b"Connection: close\r\n\r\n")
        assert (await streams[0].read()).count(b"drop") == 30
        assert await answered(other, HEAD + b"\r\n") == b"none"
