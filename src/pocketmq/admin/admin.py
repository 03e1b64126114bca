"""The way in: one connection pool, and the nouns an operator works with."""

from __future__ import annotations

import ssl

from pocketmq.admin.clusters import Clusters
from pocketmq.admin.groups import Groups
from pocketmq.admin.offsets import Offsets
from pocketmq.admin.topics import Topics
from pocketmq.client.calls import Calls
from pocketmq.client.config import ClientConfig, NameServers, TlsConfig
from pocketmq.net import RpcClient
from pocketmq.security import Credentials


class Admin:
    """Works on the clusters that the name servers know. Use it with `async with`.

    What goes wrong is raised: NameServersUnreachable, BrokerRefused, NoRoute, NetError.
    """

    def __init__(
        self,
        name_servers: NameServers | ClientConfig = "",
        *,
        credentials: Credentials | None = None,
        tls: ssl.SSLContext | TlsConfig | bool | None = None,
    ) -> None:
        config = ClientConfig.of(name_servers, credentials=credentials, tls=tls)
        self._rpc = RpcClient(
            connect_timeout_ms=config.connect_timeout_ms, tls=config.tls_context()
        )
        self.calls = calls = Calls(self._rpc, config)
        self.clusters = Clusters(calls)
        self.topics = Topics(calls, self.clusters)
        self.groups = Groups(calls, self.clusters)
        self.offsets = Offsets(calls, self.clusters)

    async def close(self) -> None:
        """Close all connections."""
        await self._rpc.close()

    async def __aenter__(self) -> Admin:
        return self

    async def __aexit__(self, *raised: object) -> None:
        await self.close()
