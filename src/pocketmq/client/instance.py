"""What producers and consumers of one event loop share: connections, routes, heartbeats, pushes.

There is one instance for each loop and `ClientConfig`; a second consumer of the same group gets an
instance of its own, because brokers tell a group's consumers apart by client id.

    instance = Instance.obtain(config, consumer_group="g")    # a user more
    instance.add_consumer(member)                             # heartbeats name the group now
    ...
    await instance.remove_consumer(member)                    # brokers hear a goodbye
    await instance.release(consumer_group="g")                # the last user closes everything

A *member* is a producer or consumer as the instance sees it; `ProducerMember` and `ConsumerMember`
say what it must offer. Groups and topics of members are as on the wire, namespace included.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import os
import secrets
from collections.abc import Iterable
from typing import TYPE_CHECKING, Protocol
from weakref import WeakKeyDictionary

from pocketmq.client.calls import Calls
from pocketmq.client.config import ClientConfig
from pocketmq.client.heartbeats import Heartbeats
from pocketmq.client.messages import MessageQueue, ReceivedMessage
from pocketmq.client.pushes import push_routes
from pocketmq.client.routes import RouteTable
from pocketmq.client.unique_keys import local_host, unique_keys
from pocketmq.errors import ConfigError
from pocketmq.net.caller import CallerConnection
from pocketmq.net.connection import Connection
from pocketmq.net.dispatch import Dispatch
from pocketmq.net.rpc import RpcClient
from pocketmq.protocol.bodies.heartbeat import ConsumerData
from pocketmq.protocol.requests.transactions import CheckTransactionRequest

if TYPE_CHECKING:
    from pocketmq.protocol.bodies.running import ConsumeDirectlyResult, ConsumerRunning

_log = logging.getLogger(__name__)

_instances: WeakKeyDictionary[asyncio.AbstractEventLoop, list[Instance]] = WeakKeyDictionary()
_numbers = itertools.count(1)


class ProducerMember(Protocol):
    """A producer, as its instance sees it."""

    @property
    def group(self) -> str:
        """The producer group."""
        ...

    def topics(self) -> Iterable[str]:
        """The topics whose routes are to be kept fresh."""
        ...

    def check_transaction(
        self, address: str, request: CheckTransactionRequest, message: ReceivedMessage
    ) -> None:
        """A broker asks how a transaction ended. Answered later, with END_TRANSACTION."""
        ...


class ConsumerMember(Protocol):
    """A consumer, as its instance sees it."""

    @property
    def group(self) -> str:
        """The consumer group."""
        ...

    def topics(self) -> Iterable[str]:
        """The topics whose routes are to be kept fresh."""
        ...

    def consumer_data(self) -> ConsumerData | None:
        """What heartbeats say about it; None while there is nothing to say."""
        ...

    def rebalance_soon(self) -> None:
        """The group's members have changed (40)."""
        ...

    def reset_offsets(self, topic: str, offsets: dict[MessageQueue, int]) -> None:
        """An operator has moved the group's positions (220)."""
        ...

    def offsets(self, topic: str) -> dict[MessageQueue, int]:
        """Where this consumer is in its queues of a topic (221)."""
        ...

    def running(self) -> ConsumerRunning:
        """What this consumer is doing (307)."""
        ...

    async def consume_directly(
        self, message: ReceivedMessage, broker_name: str
    ) -> ConsumeDirectlyResult:
        """An operator wants this very message handled, now (309)."""
        ...


class Instance:
    """One client, as brokers see it: one client id, one connection to each of them."""

    def __init__(self, config: ClientConfig) -> None:
        self.config = config
        self.pid = os.getpid()
        unique_keys.notice_fork()
        self.client_id = client_id_of(config)
        self.producers: dict[str, list[ProducerMember]] = {}
        self.consumers: dict[str, ConsumerMember] = {}
        self.reply_waiters: dict[str, asyncio.Future[ReceivedMessage]] = {}
        """Correlation id -> who waits for the reply (326)."""
        self._claimed: set[str] = set()
        self._users = 0
        service = _PushService(self)
        self.rpc = RpcClient(
            service=service,
            connect_timeout_ms=config.connect_timeout_ms,
            tls=config.tls_context(),
        )
        self.calls = Calls(self.rpc, config)
        self.routes = RouteTable(self.calls, config.routes_max)
        self.heartbeats = Heartbeats(self)

    @classmethod
    def obtain(cls, config: ClientConfig, *, consumer_group: str = "") -> Instance:
        """The shared instance of this loop, with one user more. Call `release` when done.

        `consumer_group` is claimed: the next consumer of that group gets another instance. Raise
        ConfigError when the config's own instance name forbids that.
        """
        instances = _instances.setdefault(asyncio.get_running_loop(), [])
        for instance in instances:
            if instance.config != config or instance.pid != os.getpid():
                continue
            if consumer_group and consumer_group in instance._claimed:
                if config.instance != "DEFAULT":
                    raise ConfigError(
                        f"two consumers of group {consumer_group} cannot both be the instance "
                        f"{config.instance!r}; give each its own instance name"
                    )
                continue
            break
        else:
            instance = cls(config)
            instances.append(instance)
            instance.heartbeats.start()
        instance._users += 1
        if consumer_group:
            instance._claimed.add(consumer_group)
        return instance

    async def release(self, *, consumer_group: str = "") -> None:
        """One user less. The last one closes connections and waits until they are closed."""
        self._claimed.discard(consumer_group)
        self._users -= 1
        if self._users:
            return
        instances = _instances.get(asyncio.get_running_loop(), [])
        if self in instances:
            instances.remove(self)
        await self.heartbeats.stop()
        await self.routes.close()
        await self.rpc.close()
        for waiter in self.reply_waiters.values():
            waiter.cancel()
        self.reply_waiters.clear()

    # -- members ----------------------------------------------------------------------------

    def add_producer(self, member: ProducerMember) -> None:
        """Name this producer's group in heartbeats, starting now."""
        self.producers.setdefault(member.group, []).append(member)
        self.heartbeats.beat_soon()

    async def remove_producer(self, member: ProducerMember) -> None:
        """Name it no more; the last of its group says goodbye to the brokers."""
        members = self.producers.get(member.group, [])
        if member in members:
            members.remove(member)
        if not members:
            self.producers.pop(member.group, None)
            await self.heartbeats.goodbye(producer_group=member.group)

    def add_consumer(self, member: ConsumerMember) -> None:
        """Name this consumer in heartbeats, starting now. Its group must have been claimed."""
        assert member.group in self._claimed, "obtain the instance with consumer_group="
        assert member.group not in self.consumers, "one consumer of a group for each instance"
        self.consumers[member.group] = member
        self.heartbeats.beat_soon()

    async def remove_consumer(self, member: ConsumerMember) -> None:
        """Name it no more, and say goodbye to the brokers."""
        if self.consumers.pop(member.group, None) is not None:
            await self.heartbeats.goodbye(consumer_group=member.group)

    def topics(self) -> set[str]:
        """The topics of all members."""
        found: set[str] = set()
        for members in self.producers.values():
            for member in members:
                found.update(member.topics())
        for consumer in self.consumers.values():
            found.update(consumer.topics())
        return found

    async def broker_version(self, address: str) -> int:
        """What a broker announced, see `pocketmq.protocol.codes`; asks if it has said nothing yet.

        Raises what a heartbeat raises.
        """
        connection = self.rpc.connection(address)
        if connection is None or not connection.peer_version:
            await self.heartbeats.beat(address)
            connection = self.rpc.connection(address)
        return connection.peer_version if connection is not None else 0


class _PushService(Dispatch):
    """Serves what brokers ask of a client, and sees connections come and go."""

    def __init__(self, instance: Instance) -> None:
        super().__init__(push_routes(instance), role="client")
        self._instance = instance

    def connected(self, connection: Connection) -> None:
        """A broker that has forgotten us, or never knew us, hears of us at once."""
        assert isinstance(connection, CallerConnection)
        self._instance.heartbeats.connected(connection)

    def disconnected(self, connection: Connection) -> None:
        """A broker that pushes to us is connected to again."""
        assert isinstance(connection, CallerConnection)
        self._instance.heartbeats.disconnected(connection)


def client_id_of(config: ClientConfig) -> str:
    """`address@instance[@unit]`; the instance DEFAULT becomes something no one else has."""
    instance = config.instance
    if instance == "DEFAULT":
        instance = f"{os.getpid()}#{next(_numbers)}{secrets.randbelow(10**12):012d}"
    host = config.advertise_host or local_host()
    return "@".join(part for part in (host, instance, config.unit) if part)
