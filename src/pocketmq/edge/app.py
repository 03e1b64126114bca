"""Builds, starts and stops the edge: one client of the cluster, and the console on top of it."""

from __future__ import annotations

import logging
import socket

from pocketmq.admin import Admin
from pocketmq.client.config import TlsConfig
from pocketmq.clock import Clock
from pocketmq.console.config import ConsoleConfig
from pocketmq.console.server import ConsoleServer
from pocketmq.edge.config import EdgeConfig
from pocketmq.metrics import Collector
from pocketmq.metrics.http import health_routes, metrics_routes
from pocketmq.security import Credentials

_log = logging.getLogger(__name__)


class EdgeApp:
    """The edge in this process. A listening socket may be handed to it, else it makes one."""

    def __init__(
        self,
        config: EdgeConfig,
        console: ConsoleConfig,
        *,
        listener: socket.socket | None = None,
        clock: Clock | None = None,
    ) -> None:
        credentials = (
            Credentials(config.access_key, config.secret_key) if config.access_key else None
        )
        self._admin = Admin(config.name_servers, credentials=credentials, tls=_tls(config))
        collector = Collector(admin=self._admin)
        self._server = ConsoleServer(
            console,
            self._admin,
            clock,
            listener=listener,
            more=[*health_routes(collector), *metrics_routes(collector)],
        )

    @property
    def url(self) -> str:
        """Where a browser finds the console."""
        return self._server.url

    async def start(self) -> None:
        """Listen and serve. Raise ListenFailed, ConfigError. The cluster need not be there yet."""
        try:
            await self._server.start()
        except BaseException:
            await self._admin.close()
            raise
        _log.info("the console listens url=%s", self.url)

    async def stop(self) -> None:
        """Let requests finish and close all connections."""
        await self._server.stop()
        await self._admin.close()


def _tls(config: EdgeConfig) -> TlsConfig | bool:
    if not (config.tls and (config.tls_authorities or config.tls_certificate)):
        return config.tls
    return TlsConfig(
        config.tls_authorities, config.tls_certificate, config.tls_key, config.tls_key_password
    )
