"""Clients: who is connected, in which groups, and what a consumer says of itself."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from pocketmq.admin.clusters import Broker
from pocketmq.client.calls import Calls
from pocketmq.errors import BrokerRefused, ConfigError, NetError
from pocketmq.protocol.bodies.connections import (
    ClientConnection,
    ConsumerConnections,
    ProducerClient,
    ProducerConnections,
    ProducerTable,
)
from pocketmq.protocol.bodies.heartbeat import SubscriptionData
from pocketmq.protocol.bodies.running import ConsumerRunning
from pocketmq.protocol.codes import RequestCode, ResponseCode, version_name
from pocketmq.protocol.requests.clients import (
    ConsumerGroupRequest,
    ConsumerRunningRequest,
    ProducerGroupRequest,
)

CONSUMER: Final = "consumer"
PRODUCER: Final = "producer"
AT_ONCE: Final = 16
RUNNING_TIMEOUT_MS: Final = 10_000
_OFFLINE: Final = frozenset(
    (
        ResponseCode.CONSUMER_NOT_ONLINE,
        ResponseCode.SUBSCRIPTION_GROUP_NOT_EXIST,
        ResponseCode.QUERY_NOT_FOUND,
    )
)


@dataclass(frozen=True, slots=True)
class Role:
    """What a client does: it consumes or produces in a group."""

    kind: str
    group: str


@dataclass(frozen=True, slots=True)
class Client:
    """One connected client, with everything it does."""

    client_id: str
    address: str
    language: str
    version: int
    roles: tuple[Role, ...]
    updated_ms: int = 0
    """When a producer was last heard of; brokers do not tell of consumers."""

    @property
    def version_name(self) -> str:
        """The version as RocketMQ's tools write it."""
        return version_name(self.version)


@dataclass(frozen=True, slots=True)
class Connections:
    """A group's consumers, and what the group as a whole is known to want."""

    members: tuple[ClientConnection, ...]
    subscriptions: tuple[SubscriptionData, ...]
    consume_type: str
    """`CONSUME_PASSIVELY` (push), `CONSUME_ACTIVELY` (pull), `CONSUME_POP`; empty: nobody."""
    model: str


class Clients:
    """Asks brokers who is connected to them."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    async def connections(self, group: str, masters: Sequence[Broker]) -> Connections:
        """The consumers of a group, each once; none while it is offline."""
        code, request = RequestCode.GET_CONSUMER_CONNECTION_LIST, ConsumerGroupRequest(group)
        members: dict[str, ClientConnection] = {}
        wanted: dict[str, SubscriptionData] = {}
        consume_type = model = ""
        for body in await self._each(masters, code, request):
            found = ConsumerConnections.from_json(body)
            members.update({one.client_id: one for one in found.connection_set})
            wanted.update(found.subscription_table)
            consume_type = found.consume_type or consume_type
            model = found.message_model or model
        return Connections(
            tuple(members[key] for key in sorted(members)),
            tuple(wanted[key] for key in sorted(wanted)),
            consume_type,
            model,
        )

    async def producers(self, masters: Sequence[Broker], group: str | None = None) -> list[Client]:
        """The producers of a group, or all there are."""
        found: dict[str, Client] = {}
        if group is not None:
            code = RequestCode.GET_PRODUCER_CONNECTION_LIST
            for body in await self._each(masters, code, ProducerGroupRequest(group)):
                for one in ProducerConnections.from_json(body).connection_set:
                    _add(found, one.client_id, one.client_addr, one, Role(PRODUCER, group), 0)
            return list(found.values())
        for body in await self._each(masters, RequestCode.GET_ALL_PRODUCER_INFO, None):
            for name, producers in ProducerTable.from_json(body).data.items():
                for producer in producers:
                    role, at = Role(PRODUCER, name), producer.last_update_timestamp
                    _add(found, producer.client_id, producer.remote_ip, producer, role, at)
        return list(found.values())

    async def all(self, masters: Sequence[Broker], groups: Iterable[str]) -> list[Client]:
        """All producers, and the consumers of these groups, asked a few at a time."""
        turns = asyncio.Semaphore(AT_ONCE)

        async def ask(group: str) -> tuple[str, Connections]:
            async with turns:
                return group, await self.connections(group, masters)

        found = {one.client_id: one for one in await self.producers(masters)}
        for group, connections in await asyncio.gather(*(ask(group) for group in groups)):
            for one in connections.members:
                _add(found, one.client_id, one.client_addr, one, Role(CONSUMER, group), 0)
        return [found[key] for key in sorted(found)]

    async def running(
        self, group: str, client_id: str, masters: Sequence[Broker], *, stack: bool = False
    ) -> ConsumerRunning:
        """What a consumer says of itself, with the stacks of its threads if asked for.

        Raise ConfigError when it is connected to none of the masters.
        """
        request = ConsumerRunningRequest(group, client_id, stack)
        code = RequestCode.GET_CONSUMER_RUNNING_INFO
        refused: BrokerRefused | None = None
        for broker in masters:
            try:
                answer = await self._calls.ask(
                    broker.address,
                    code,
                    request,
                    timeout_ms=RUNNING_TIMEOUT_MS,
                    step=f"the question to {client_id} how it is doing",
                )
            except BrokerRefused as error:
                refused = error
                continue
            return ConsumerRunning.from_json(bytes(answer.body))
        raise ConfigError(
            f"{client_id} of group {group!r} cannot be asked"
            + (f": {refused.remark}" if refused is not None else "")
        )

    async def _each(self, masters: Sequence[Broker], code: int, request: object) -> list[bytes]:
        """The answers of those masters that know something. The last error when none answers."""
        answers = await asyncio.gather(
            *(self._calls.ask(broker.address, code, request) for broker in masters),
            return_exceptions=True,
        )
        found: list[bytes] = []
        failed: BaseException | None = None
        for answer in answers:
            if not isinstance(answer, BaseException):
                found.append(bytes(answer.body))
            elif not isinstance(answer, (NetError, BrokerRefused)):
                raise answer
            elif not (isinstance(answer, BrokerRefused) and _knows_nobody(answer)):
                failed = answer
        if failed is not None and not found:
            raise failed
        return found


def _knows_nobody(error: BrokerRefused) -> bool:
    """Whether a broker says that nobody is there; of producers it does so as SYSTEM_ERROR."""
    return error.code in _OFFLINE or (
        error.code == ResponseCode.SYSTEM_ERROR and "not exist" in (error.remark or "")
    )


def _add(
    found: dict[str, Client],
    client_id: str,
    address: str,
    facts: ClientConnection | ProducerClient,
    role: Role,
    updated_ms: int,
) -> None:
    """Add a role to a client, which may be known already."""
    known = found.get(client_id)
    roles = (role,) if known is None else tuple(dict.fromkeys((*known.roles, role)))
    address = address.removeprefix("/")  # as Java writes addresses
    newest = max(updated_ms, known.updated_ms if known is not None else 0)
    found[client_id] = Client(client_id, address, facts.language, facts.version, roles, newest)
