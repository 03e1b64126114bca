"""Giving dead letters back: where each one goes, and the walk through a queue of them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection
from dataclasses import dataclass, field
from typing import Final

from pocketmq.admin.reading import Place, Reader
from pocketmq.admin.sending import put_copy, writable_queues
from pocketmq.client.calls import Calls
from pocketmq.client.messages import MessageQueue, ReceivedMessage
from pocketmq.message import properties as names
from pocketmq.message.topics import (
    RETRY_PREFIX,
    pop_retry_topic,
    retry_topic,
    topic_of_pop_retry_topic,
)

TO_GROUP: Final = "group"
TO_TOPIC: Final = "topic"


@dataclass(slots=True)
class Redriven:
    """What became of a redrive."""

    looked_at: int = 0
    given_back: int = 0
    targets: dict[str, int] = field(default_factory=dict)
    """Topic -> how many messages went there."""


def origin_topic_of(message: ReceivedMessage, group: str) -> str:
    """The topic that a dead letter was sent to by its producer."""
    properties = message.properties
    origin = properties.get("DLQ_ORIGIN_TOPIC") or properties.get(names.RETRY_TOPIC) or ""
    if origin.startswith(RETRY_PREFIX):
        # A consumer that pops fails with a message of its retry topic, which names the real one.
        origin = topic_of_pop_retry_topic(origin, group)
    return origin or message.stored_topic


class Aim:
    """Where a group's dead letters go: to the group alone, to their topics, or to one topic."""

    def __init__(self, calls: Calls, group: str, to: str, topics: frozenset[str]) -> None:
        self._calls = calls
        self._group = group
        self._to = to
        self._topics = topics
        self._queues: dict[str, list[tuple[MessageQueue, str]]] = {}

    async def check(self) -> None:
        """See that a topic that was named takes messages. Raise NoRoute."""
        if self._to not in (TO_GROUP, TO_TOPIC):
            await self._queues_of(self._to)

    def target(self, message: ReceivedMessage) -> str:
        """The topic a dead letter goes to."""
        origin = origin_topic_of(message, self._group)
        if self._to == TO_TOPIC:
            return origin
        if self._to != TO_GROUP:
            return self._to
        # Consumers that pop have a retry topic for each topic, and look at no other.
        for second_form in (True, False):
            popped = pop_retry_topic(self._group, origin, second_form=second_form)
            if popped in self._topics:
                return popped
        return retry_topic(self._group)

    async def send(self, message: ReceivedMessage, address: str) -> None:
        """Store a dead letter where it goes. Raise NoRoute, BrokerRefused, NetError."""
        target = self.target(message)
        if target.startswith(RETRY_PREFIX):
            # Its own broker has the retry topic, or makes it.
            queue = MessageQueue(target, message.broker_name, 0)
            extra = {
                names.RETRY_TOPIC: origin_topic_of(message, self._group),
                names.ORIGIN_MESSAGE_ID: message.properties.get(
                    names.ORIGIN_MESSAGE_ID, message.offset_message_id
                ),
            }
            await put_copy(self._calls, message, queue, address, extra, same_id=True)
            return
        queues = await self._queues_of(target)
        queue, address = queues[message.queue_offset % len(queues)]
        await put_copy(self._calls, message, queue, address, same_id=True)

    async def _queues_of(self, topic: str) -> list[tuple[MessageQueue, str]]:
        if topic not in self._queues:
            self._queues[topic] = await writable_queues(self._calls, topic)
        return self._queues[topic]


class Redrive:
    """One walk through dead letters. `result` says how far it is."""

    def __init__(
        self,
        reader: Reader,
        aim: Aim,
        ids: Collection[str],
        begin_ms: int,
        end_ms: int | None,
        *,
        dry_run: bool,
    ) -> None:
        self.result = Redriven()
        self.chooses = bool(ids) or begin_ms > 0 or end_ms is not None
        """Whether it may leave out some."""
        self._reader = reader
        self._aim = aim
        self._ids = frozenset(ids)
        self._begin_ms = begin_ms
        self._end_ms = end_ms
        self._dry_run = dry_run

    async def steps(self, place: Place, first: int, end: int) -> AsyncIterator[int]:
        """Walk through a stretch of a queue; yield after each message up to where it is done."""
        done = first
        while done < end:
            page = await self._reader.page(place, done)
            for message in page.messages:
                if done <= message.queue_offset < end:
                    await self._take(message, place.address)
                    done = message.queue_offset + 1
                    yield done
            if page.next_offset <= done and not page.messages:
                return
            done = max(done, min(page.next_offset, end))
            yield done

    async def _take(self, message: ReceivedMessage, address: str) -> None:
        self.result.looked_at += 1
        if not self._is_wanted(message):
            return
        if not self._dry_run:
            await self._aim.send(message, address)
        target = self._aim.target(message)
        self.result.targets[target] = self.result.targets.get(target, 0) + 1
        self.result.given_back += 1

    def _is_wanted(self, message: ReceivedMessage) -> bool:
        at = message.store_timestamp_ms
        is_named = not self._ids or bool(
            self._ids & {message.message_id, message.offset_message_id}
        )
        return is_named and at >= self._begin_ms and (self._end_ms is None or at <= self._end_ms)
