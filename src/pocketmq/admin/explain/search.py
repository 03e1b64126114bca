"""Finding a message and all of its copies, by what operators have in hand: an id or a key.

A unique key says nothing about the topic. So traces are asked first, then the topics that messages
wait in, then all topics. An offset id names the broker; it may be a unique key as well, as both are
32 hexadecimal digits.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Final, TypeVar

from pocketmq.admin.admin import Admin
from pocketmq.admin.clusters import Broker
from pocketmq.admin.explain.facts import HALF_TOPICS, WAITING_TOPICS, Copy
from pocketmq.admin.traces import TracePoint, read_traces
from pocketmq.client.decoding import decode_messages
from pocketmq.errors import BrokerRefused, NetError
from pocketmq.message import topics as names
from pocketmq.message.ids import MessagePlace, decode_offset_message_id
from pocketmq.message.positions import LogOffset
from pocketmq.message.record import decode_record
from pocketmq.protocol.codes import RequestCode, ResponseCode
from pocketmq.protocol.command import Command
from pocketmq.protocol.requests.queries import QueryMessageRequest, ViewMessageRequest

T = TypeVar("T")
U = TypeVar("U")

AT_ONCE: Final = 16
FOUND_MAX: Final = 64
_FOREVER: Final = 2**63 - 1
_NOT_FOUND: Final = frozenset(
    (ResponseCode.SUCCESS, ResponseCode.QUERY_NOT_FOUND, ResponseCode.TOPIC_NOT_EXIST)
)
_NOT_THERE: Final = frozenset((ResponseCode.SUCCESS, ResponseCode.SYSTEM_ERROR))
"""What brokers answer when no message starts at a place: there is no other code for it."""


async def all_of(items: Iterable[U], ask: Callable[[U], Awaitable[T]]) -> list[T]:
    """The answers for many things, a few at a time, in order."""
    turns = asyncio.Semaphore(AT_ONCE)

    async def one(item: U) -> T:
        async with turns:
            return await ask(item)

    return list(await asyncio.gather(*(one(item) for item in items)))


class Search:
    """Asks the masters of all clusters. `problems` are brokers that did not answer, and why."""

    def __init__(self, admin: Admin, masters: Sequence[Broker], topics: Sequence[str]) -> None:
        self._calls = admin.calls
        self._masters = list(masters)
        self._topics = frozenset(topics)
        self._own = {broker.name for broker in masters} | {broker.cluster for broker in masters}
        self.problems: dict[str, str] = {}

    async def by_id(self, message_id: str, topic: str | None) -> list[Copy]:
        """Copies of one message: at the place an offset id names, else by unique key."""
        at_place = await self._at_place(message_id)
        if at_place:
            return at_place
        if topic is not None:
            found = await self.copies_in([topic, *WAITING_TOPICS, *HALF_TOPICS], message_id)
            if found:
                return found
        for topics in (await self._traced_topics(message_id), self._stations(), self._own_topics()):
            found = await self.copies_in(topics, message_id)
            if found:
                return found
        return []

    async def by_key(self, key: str, topic: str) -> list[Copy]:
        """The messages of a topic, waiting or not, that carry a user's key."""
        found = await self._query([topic, *WAITING_TOPICS, *HALF_TOPICS], key, by_unique_key=False)
        return [copy for copy in found if key in copy.keys and topic in (copy.target, copy.origin)]

    async def copies_in(self, topics: Iterable[str], unique_key: str) -> list[Copy]:
        """The copies of a message in these topics, as far as the topics exist."""
        found = await self._query(topics, unique_key, by_unique_key=True)
        return [copy for copy in found if copy.unique_key == unique_key]

    async def traces(self, unique_key: str) -> list[TracePoint]:
        """What clients, and PocketMQ's brokers, tell of a message. Often nothing."""

        async def ask(broker: Broker) -> list[TracePoint]:
            request = QueryMessageRequest(names.TRACE_TOPIC, unique_key, FOUND_MAX, 0, _FOREVER)
            answer = await self._ask(broker.address, RequestCode.QUERY_MESSAGE, request)
            if answer is None:
                return []
            return read_traces(decode_messages(answer.body, broker.name), unique_key)

        told = await all_of(self._masters, ask)
        return sorted((point for points in told for point in points), key=lambda one: one.at_ms)

    async def view(self, broker: Broker, log_offset: int) -> Copy | None:
        """The record that starts at a place of a broker's log, if one does."""
        request = ViewMessageRequest(LogOffset(log_offset))
        code = RequestCode.VIEW_MESSAGE_BY_ID
        answer = await self._ask(broker.address, code, request, accept=_NOT_THERE)
        return None if answer is None else _copies(answer, broker)[0]

    # -- inside -----------------------------------------------------------------------------

    async def _at_place(self, message_id: str) -> list[Copy]:
        try:
            place = decode_offset_message_id(message_id)
        except ValueError:
            return []
        for broker in self._masters:
            if _may_be(broker, place):
                copy = await self.view(broker, place.log_offset)
                if copy is not None and copy.offset_id == message_id.upper():
                    return [copy]
        return []

    async def _traced_topics(self, unique_key: str) -> list[str]:
        return sorted({point.topic for point in await self.traces(unique_key) if point.topic})

    def _stations(self) -> list[str]:
        return [*WAITING_TOPICS, *HALF_TOPICS]

    def _own_topics(self) -> list[str]:
        """All that users and groups write to; retry topics too, in case that is all there is."""
        return sorted(
            topic
            for topic in self._topics - self._own
            if not names.is_system_topic(topic) and not topic.endswith("_REPLY_TOPIC")
        )

    async def _query(self, topics: Iterable[str], key: str, *, by_unique_key: bool) -> list[Copy]:
        # The topics of waiting messages exist, although not all name servers list them.
        known = self._topics | WAITING_TOPICS | HALF_TOPICS
        wanted = [topic for topic in dict.fromkeys(topics) if topic in known]

        async def ask(question: tuple[Broker, str]) -> list[Copy]:
            broker, topic = question
            request = QueryMessageRequest(topic, key, FOUND_MAX, 0, _FOREVER, by_unique_key or None)
            answer = await self._ask(broker.address, RequestCode.QUERY_MESSAGE, request)
            found = [] if answer is None else _copies(answer, broker)
            return [copy for copy in found if copy.topic == topic]

        questions = [(broker, topic) for topic in wanted for broker in self._masters]
        answers = await all_of(questions, ask)
        once = {(copy.broker, copy.log_offset): copy for copies in answers for copy in copies}
        return sorted(once.values(), key=lambda copy: copy.age_key)

    async def _ask(
        self, address: str, code: int, request: object, *, accept: frozenset[int] = _NOT_FOUND
    ) -> Command | None:
        """An answer with something in it; None for none. Errors become `problems`."""
        try:
            answer = await self._calls.ask(address, code, request, accept=accept)
        except (NetError, BrokerRefused) as error:
            self.problems[address] = str(error)
            return None
        return answer if answer.code == ResponseCode.SUCCESS and len(answer.body) else None


def _copies(answer: Command, broker: Broker) -> list[Copy]:
    body, at = bytes(answer.body), 0
    found = []
    while at < len(body):
        record = decode_record(body, at, verify_crc=False)
        found.append(Copy.of(record, broker.name, broker.address))
        at += record.size
    return found


def _may_be(broker: Broker, place: MessagePlace) -> bool:
    """Whether an offset id may be of a broker: the address must be its own, or the port at least.

    A broker that advertises another address than it stores still has its port.
    """
    return broker.address.rpartition(":")[2] == str(place.port)
