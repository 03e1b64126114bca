"""Messages: found by id, key, place and time; followed as they come; traced; sent again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from pocketmq.admin.clusters import Broker, Clusters
from pocketmq.admin.groups import Groups
from pocketmq.admin.reading import Problem, Reader
from pocketmq.admin.sending import TOOLS_PRODUCER, put_copy, writable_queues
from pocketmq.admin.traces import TracePoint, read_traces
from pocketmq.client.calls import Calls
from pocketmq.client.config import ClientConfig
from pocketmq.client.decoding import decode_messages
from pocketmq.client.messages import Message, MessageQueue, ReceivedMessage, SendReceipt
from pocketmq.errors import BrokerRefused, ConfigError, CorruptRecord, NoRoute, ProtocolError
from pocketmq.message.ids import MessagePlace, decode_offset_message_id
from pocketmq.message.positions import LogOffset
from pocketmq.message.topics import TRACE_TOPIC
from pocketmq.protocol.bodies.running import ConsumeDirectlyResult
from pocketmq.protocol.codes import RequestCode, ResponseCode
from pocketmq.protocol.requests.clients import ConsumeDirectlyRequest
from pocketmq.protocol.requests.queries import QueryMessageRequest, ViewMessageRequest

if TYPE_CHECKING:
    from pocketmq.admin.topics import Topics
    from pocketmq.client.producer import Producer

FOREVER_MS: Final = 2**63 - 1
BY_KEY_MAX: Final = 64
TRACES_MAX: Final = 128
TOPICS_AT_ONCE: Final = 32
HANDLING_TIMEOUT_MS: Final = 30_000
_FOUND: Final = frozenset((ResponseCode.SUCCESS, ResponseCode.QUERY_NOT_FOUND))
_RESULTS: Final = {
    "CR_SUCCESS": "success",
    "CR_LATER": "retry",
    "CR_ROLLBACK": "rollback",
    "CR_COMMIT": "commit",
    "CR_THROW_EXCEPTION": "failed",
    "CR_RETURN_NULL": "returned nothing",
}


@dataclass(frozen=True, slots=True)
class Handled:
    """How a consumer handled a message that it was handed by an operator."""

    client_id: str
    outcome: str
    """`success`, `retry`, `failed`, `returned nothing`, `commit` or `rollback`."""
    remark: str
    spent_ms: int


class Messages:
    """What an operator does with messages. Raises NoRoute, BrokerRefused, NetError."""

    def __init__(
        self, calls: Calls, config: ClientConfig, clusters: Clusters, topics: Topics, groups: Groups
    ) -> None:
        self._calls = calls
        self._config = config
        self._clusters = clusters
        self._topics = topics
        self._groups = groups
        self._producer: Producer | None = None
        self.reader = Reader(calls, clusters)

    async def close(self) -> None:
        """Let go of the producer, if one was needed."""
        producer, self._producer = self._producer, None
        if producer is not None:
            await producer.close()

    # -- finding ----------------------------------------------------------------------------

    async def by_id(self, message_id: str, topic: str | None = None) -> list[ReceivedMessage]:
        """The messages with an id, of either kind, oldest first; none when there is none.

        The id its producer gave a message is shared by its retries. Such an id is looked for in one
        topic, or, without one, in all there are.
        """
        message_id = message_id.strip()
        stored = await self._by_place(message_id)
        if stored is not None:
            return [stored]
        if topic is None:
            found = await self._everywhere(message_id)
        else:
            found = await self._query(topic, message_id, BY_KEY_MAX, unique=True)
        return _in_time([one for one in found if one.message_id == message_id])

    async def by_key(
        self,
        topic: str,
        key: str,
        *,
        begin_ms: int = 0,
        end_ms: int = FOREVER_MS,
        limit: int = BY_KEY_MAX,
    ) -> list[ReceivedMessage]:
        """The messages of a topic that have a key and were stored in a time, oldest first."""
        found = await self._query(topic, key, limit, begin_ms=begin_ms, end_ms=end_ms)
        # The index knows times by the second, and keys by their hash.
        return _in_time(
            one for one in found if key in one.keys and begin_ms <= one.store_timestamp_ms <= end_ms
        )[:limit]

    async def by_offset(
        self, topic: str, broker: str, queue_id: int, offset: int
    ) -> ReceivedMessage | None:
        """The message at an offset of a queue; None when there is none (any more)."""
        place = await self.reader.place(MessageQueue(topic, broker, queue_id))
        found = await self.reader.page(place, offset, messages_max=1)
        return next((one for one in found.messages if one.queue_offset == offset), None)

    def by_time(
        self, topic: str, begin_ms: int = 0, end_ms: int | None = None, *, expression: str = "*"
    ) -> AsyncGenerator[ReceivedMessage, None]:
        """The messages of a topic stored in a time, oldest first, as `Reader.between`."""
        return self.reader.between(topic, begin_ms, end_ms, expression=expression)

    async def latest(
        self, topic: str, count: int, *, before_ms: int | None = None, expression: str = "*"
    ) -> list[ReceivedMessage]:
        """The newest messages of a topic, oldest of them first, as `Reader.latest`."""
        return await self.reader.latest(topic, count, before_ms=before_ms, expression=expression)

    def tail(
        self,
        topic: str,
        *,
        begin_ms: int | None = None,
        expression: str = "*",
        on_problem: Problem | None = None,
    ) -> AsyncGenerator[ReceivedMessage, None]:
        """Messages as they come, without end, as `Reader.tail`."""
        return self.reader.tail(
            topic, begin_ms=begin_ms, expression=expression, on_problem=on_problem
        )

    async def trace(
        self, key: str, *, trace_topic: str = TRACE_TOPIC, limit: int = TRACES_MAX
    ) -> list[TracePoint]:
        """What is traced about a message id or a key, in the order it happened.

        Nothing when no client traces, or when nobody has made the trace topic.
        """
        try:
            found = await self._query(trace_topic, key, limit)
        except NoRoute:
            return []
        return read_traces(found, key)

    # -- sending ----------------------------------------------------------------------------

    async def send(self, message: Message, *, queue: MessageQueue | None = None) -> SendReceipt:
        """Send a message, to one queue of its topic if one is named. Raises as `Producer.send`."""
        if self._producer is None:
            from pocketmq.client.producer import Producer

            self._producer = Producer(self._config, group=TOOLS_PRODUCER)
            await self._producer.start()
        return await self._producer.send(message, queue=queue)

    async def resend(self, message: ReceivedMessage, topic: str | None = None) -> SendReceipt:
        """Store a copy with an id of its own, for every group, in its topic or another."""
        queues = await writable_queues(self._calls, topic or message.topic)
        queue, address = queues[0]
        return await put_copy(self._calls, message, queue, address)

    async def hand_over(
        self, message: ReceivedMessage, group: str, client_id: str | None = None
    ) -> Handled:
        """Have one connected consumer of a group handle a message now, and say how it went.

        No offset moves and nothing is retried. Raise ConfigError when nobody is connected.
        """
        if client_id is None:
            members = await self._groups.members(group)
            if not members:
                raise ConfigError(
                    f"group {group!r} has no connected consumer that could handle it; start one, "
                    "or send the message again for all groups"
                )
            client_id = members[0].client_id
        request = ConsumeDirectlyRequest(
            group,
            client_id,
            message.offset_message_id,
            message.broker_name,
            message.stored_topic,
        )
        answer = await self._calls.ask(
            await self._address_of(message),
            RequestCode.CONSUME_MESSAGE_DIRECTLY,
            request,
            timeout_ms=HANDLING_TIMEOUT_MS,
            step=f"handing the message to {client_id}",
        )
        result = ConsumeDirectlyResult.from_json(bytes(answer.body))
        outcome = _RESULTS.get(result.consume_result, result.consume_result)
        return Handled(client_id, outcome, result.remark or "", result.spent_time_mills)

    # -- inside -----------------------------------------------------------------------------

    async def _address_of(self, message: ReceivedMessage) -> str:
        for broker in await self._clusters.masters():
            if broker.name == message.broker_name:
                return broker.address
        raise ConfigError(f"the broker {message.broker_name} that has the message is gone")

    async def _by_place(self, message_id: str) -> ReceivedMessage | None:
        """The message that an offset id names; None for another kind of id.

        Ids of producers look the same, so an id counts only when the message found has it. Only
        known brokers are asked, not whatever address an id holds.
        """
        try:
            place = decode_offset_message_id(message_id)
        except ValueError:
            return None
        brokers = await self._clusters.brokers()
        named = [one for one in brokers if one.address == _address(place)]
        named = named or [one for one in brokers if one.is_master]

        async def ask(address: str, name: str) -> ReceivedMessage | None:
            found = await self._at(address, name, place.log_offset)
            matches = found is not None and found.offset_message_id == message_id.upper()
            return found if matches else None

        answers = await asyncio.gather(*(ask(one.address, one.name) for one in named))
        return next((one for one in answers if one is not None), None)

    async def _at(self, address: str, name: str, at: LogOffset) -> ReceivedMessage | None:
        try:
            answer = await self._calls.ask(
                address, RequestCode.VIEW_MESSAGE_BY_ID, ViewMessageRequest(at)
            )
            found = decode_messages(answer.body, name)
        except (BrokerRefused, CorruptRecord, ProtocolError):
            return None  # no message begins there
        return found[0] if found else None

    async def _query(
        self,
        topic: str,
        key: str,
        limit: int,
        *,
        begin_ms: int = 0,
        end_ms: int = FOREVER_MS,
        unique: bool = False,
    ) -> list[ReceivedMessage]:
        """What all brokers of a topic have under a key, or under one with the same hash."""
        request = QueryMessageRequest(topic, key, limit, begin_ms, end_ms, unique or None)
        brokers = await self._clusters.answering(topic)

        async def ask(broker: Broker) -> list[ReceivedMessage]:
            code = RequestCode.QUERY_MESSAGE
            answer = await self._calls.ask(broker.address, code, request, accept=_FOUND)
            if answer.code != ResponseCode.SUCCESS:
                return []
            return decode_messages(answer.body, broker.name)

        answers = await self._clusters.each(brokers, ask)
        return [message for _, found in answers for message in found]

    async def _everywhere(self, message_id: str) -> list[ReceivedMessage]:
        """What all topics have under an id."""
        turns = asyncio.Semaphore(TOPICS_AT_ONCE)

        async def ask(topic: str) -> list[ReceivedMessage]:
            async with turns:
                try:
                    return await self._query(topic, message_id, BY_KEY_MAX, unique=True)
                except NoRoute:
                    return []  # deleted meanwhile, or a name that no broker has

        names = await self._topics.names(everything=True)
        answers = await asyncio.gather(*(ask(name) for name in names))
        return [message for found in answers for message in found]


def _in_time(messages: Iterable[ReceivedMessage]) -> list[ReceivedMessage]:
    """Each message once, oldest first."""
    once = {(one.broker_name, one.log_offset, one.queue_offset): one for one in messages}
    return sorted(once.values(), key=lambda one: (one.store_timestamp_ms, one.log_offset))


def _address(place: MessagePlace) -> str:
    host = f"[{place.host}]" if ":" in place.host else place.host
    return f"{host}:{place.port}"
