"""The way in: one connection pool, and the nouns an operator works with.

A noun is imported when it is first used, so that a command pays for no other.
"""

from __future__ import annotations

import ssl
from functools import cached_property
from typing import TYPE_CHECKING

from pocketmq.admin.clusters import Clusters
from pocketmq.client.calls import Calls
from pocketmq.client.config import ClientConfig, NameServers, TlsConfig
from pocketmq.net import RpcClient

if TYPE_CHECKING:
    from pocketmq.admin.access import Access
    from pocketmq.admin.acls import Acls
    from pocketmq.admin.brokers import Brokers
    from pocketmq.admin.dead_letters import DeadLetters
    from pocketmq.admin.groups import Groups
    from pocketmq.admin.messages import Messages
    from pocketmq.admin.offsets import Offsets
    from pocketmq.admin.topics import Topics
    from pocketmq.admin.users import Users
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
        self.config = ClientConfig.of(name_servers, credentials=credentials, tls=tls)
        self._rpc = RpcClient(
            connect_timeout_ms=self.config.connect_timeout_ms, tls=self.config.tls_context()
        )
        self.calls = Calls(self._rpc, self.config)
        """What servers are asked with, for questions that no noun asks."""
        self.clusters = Clusters(self.calls)

    @cached_property
    def topics(self) -> Topics:
        """What there is, where it lies, how much it holds."""
        from pocketmq.admin.topics import Topics

        return Topics(self.calls, self.clusters)

    @cached_property
    def groups(self) -> Groups:
        """Consumer groups, their members and how far they are."""
        from pocketmq.admin.groups import Groups

        return Groups(self.calls, self.clusters)

    @cached_property
    def offsets(self) -> Offsets:
        """Positions of groups: set back, set forward, copied."""
        from pocketmq.admin.offsets import Offsets

        return Offsets(self.calls, self.clusters, self.groups)

    @cached_property
    def brokers(self) -> Brokers:
        """Brokers: what they are busy with, and how they are set."""
        from pocketmq.admin.brokers import Brokers

        return Brokers(self.calls, self.clusters)

    @cached_property
    def messages(self) -> Messages:
        """Messages: found, followed, traced, sent and sent again."""
        from pocketmq.admin.messages import Messages

        return Messages(self.calls, self.config, self.clusters, self.topics, self.groups)

    @cached_property
    def dead_letters(self) -> DeadLetters:
        """What groups have given up on, looked at and given back."""
        from pocketmq.admin.dead_letters import DeadLetters

        return DeadLetters(self.calls, self.topics, self.messages.reader)

    @cached_property
    def access(self) -> Access:
        """Whether brokers ask who somebody is, and what they are asked about that."""
        from pocketmq.admin.access import Access

        return Access(self.calls, self.clusters)

    @cached_property
    def users(self) -> Users:
        """Who may connect to brokers that ask."""
        from pocketmq.admin.users import Users

        return Users(self.access)

    @cached_property
    def acls(self) -> Acls:
        """What users may do."""
        from pocketmq.admin.acls import Acls

        return Acls(self.access)

    async def close(self) -> None:
        """Close all connections."""
        if "messages" in self.__dict__:
            await self.messages.close()
        await self._rpc.close()

    async def __aenter__(self) -> Admin:
        return self

    async def __aexit__(self, *raised: object) -> None:
        await self.close()
