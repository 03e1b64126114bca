"""Serves metrics and health over HTTP: routes for any Starlette app, and a server of their own."""

from __future__ import annotations

import asyncio
import socket
from dataclasses import asdict
from typing import Final

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Route, Router

from pocketmq.metrics.collector import Collector
from pocketmq.metrics.health import readiness
from pocketmq.metrics.text import OPEN_METRICS_TYPE, TEXT_TYPE, wants_open_metrics
from pocketmq.web import WebServer

_CONNECTIONS_MAX: Final = 64
_FRESH: Final = {"Cache-Control": "no-store"}


def metrics_routes(collector: Collector) -> list[BaseRoute]:
    """`/metrics`, in the format the client prefers."""

    async def metrics(request: Request) -> Response:
        open_metrics = wants_open_metrics(request.headers.get("accept", ""))
        page = (await collector.collect()).render(open_metrics=open_metrics)
        kind = OPEN_METRICS_TYPE if open_metrics else TEXT_TYPE
        return Response(page, headers={"Content-Type": kind, **_FRESH})

    return [Route("/metrics", metrics)]


def health_routes(collector: Collector) -> list[BaseRoute]:
    """`/healthz` and `/readyz`; see health.py for what they mean."""

    async def alive(request: Request) -> Response:
        return PlainTextResponse("ok\n", headers=_FRESH)

    async def ready(request: Request) -> Response:
        found = await readiness(collector)
        return JSONResponse(asdict(found), 200 if found.ready else 503, headers=_FRESH)

    return [Route("/healthz", alive), Route("/readyz", ready)]


class ExporterServer:
    """An HTTP server with these routes alone, on a socket that listens already."""

    def __init__(self, collector: Collector, listener: socket.socket) -> None:
        self._listener = listener
        router = Router([*metrics_routes(collector), *health_routes(collector)])
        self._server = WebServer(router, connections_max=_CONNECTIONS_MAX)
        self._serving: asyncio.Task[None] | None = None

    @property
    def address(self) -> str:
        """Where it listens."""
        host, port = self._listener.getsockname()[:2]
        return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"

    async def start(self) -> None:
        """Serve. Connections that came before are answered now."""
        self._serving = asyncio.ensure_future(self._server.serve([self._listener]))

    async def stop(self) -> None:
        """Let requests under way finish."""
        self._server.end()
        if self._serving is not None:
            await self._serving
        self._listener.close()
