"""What became of a message in a consumer group, in words for someone whose test has failed.

A message is consumed when the group has passed it and it did not come back: a failed message goes
to the group's retry topic by way of the delay levels or the timer, and at last to its dead letters.
All copies carry the unique key of the first.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from pocketmq.broker.running import RunningBroker
from pocketmq.broker.state.clients import ConsumerGroup
from pocketmq.filtering.subscriptions import Subscription
from pocketmq.message import topics
from pocketmq.message.properties import REAL_TOPIC, TIMER_OUT_MS
from pocketmq.message.topics import SCHEDULE_TOPIC, TIMER_TOPIC
from pocketmq.testing.flight import Flight
from pocketmq.testing.messages import StoredMessage, read_queue


@dataclass(frozen=True, slots=True)
class Fate:
    """What became of a message. `is_consumed`: it was, and that is the end of it."""

    is_consumed: bool
    words: str
    retries: int = 0


@dataclass(frozen=True, slots=True)
class Waiting:
    """A message that waits for its moment."""

    message: StoredMessage
    topic: str
    due_ms: int


class Fates:
    """The fates of messages in one group, as things are now."""

    def __init__(self, running: RunningBroker, flight: Flight, group: str) -> None:
        self._running = running
        self._flight = flight
        self._group = group
        self._members: ConsumerGroup | None = running.tables.clients.consumer_group(group)
        self._now_ms = running.clock.now_ms()
        retry_topics = [
            topic
            for topic in running.store.topics()
            if topics.is_retry_topic(topic) and _is_retry_topic_of(topic, group)
        ]
        self._dead = {m.message_id: m for m in self._all_of(topics.dead_letter_topic(group))}
        self._retried = {m.message_id: m for t in retry_topics for m in self._all_of(t)}
        self._waiting = {
            waiting.message.message_id: waiting
            for waiting in waiting_messages(running)
            if _is_retry_topic_of(waiting.topic, group)
        }

    def of(self, message: StoredMessage) -> Fate:
        """What became of a message of a topic that the group consumes."""
        if message.message_id in self._dead:
            tries = self._dead[message.message_id].retries
            return Fate(False, f"given up after {tries} tries; see dead_letters()", tries)
        waiting = self._waiting.get(message.message_id)
        if waiting is not None:
            return self._of_waiting(waiting)
        last = self._retried.get(message.message_id, message)
        position = self._flight.consumed_up_to(self._group, last.topic, last.queue_id)
        if last.queue_offset >= position:
            return self._of_undelivered(last, position)
        if not self._is_wanted(message):
            return Fate(False, "passed over: " + self._subscription_words(message))
        if last.retries:
            return Fate(True, f"consumed after {_times(last.retries)} of failing", last.retries)
        return Fate(True, "consumed")

    def failing(self) -> list[tuple[StoredMessage, Fate]]:
        """The messages that failed and are neither consumed nor given up."""
        messages = {key: one.message for key, one in self._waiting.items()}
        fates = [(message, self.of(message)) for message in {**self._retried, **messages}.values()]
        return [
            (message, fate)
            for message, fate in fates
            if not fate.is_consumed and message.message_id not in self._dead
        ]

    def _of_waiting(self, waiting: Waiting) -> Fate:
        failed = waiting.message.retries
        seconds = max(waiting.due_ms - self._now_ms, 0) / 1000
        words = (
            f"failed {_times(failed)}; its next try is due in {seconds:.1f} s: "
            f"rocketmq.clock.advance(seconds={int(seconds) + 1})"
        )
        return Fate(False, words, failed)

    def _of_undelivered(self, message: StoredMessage, position: int) -> Fate:
        if self._members is None:
            return Fate(False, f"not consumed: no consumer of {self._group!r} is connected")
        if message.topic not in self._members.subscriptions:
            wanted = ", ".join(map(repr, sorted(self._members.subscriptions))) or "nothing"
            return Fate(False, f"not consumed: {self._group!r} subscribes to {wanted}")
        if not self._is_wanted(message):
            return Fate(False, "not wanted: " + self._subscription_words(message))
        again = f" for try {message.retries + 1}" if message.retries else ""
        return Fate(
            False,
            f"not consumed yet{again}: the group is at offset {position} of {message.topic!r} "
            f"queue {message.queue_id}",
            message.retries,
        )

    def _is_wanted(self, message: StoredMessage) -> bool:
        subscription = None if self._members is None else self._subscription(message)
        return subscription is None or subscription.wants_tag(message.tag)

    def _subscription_words(self, message: StoredMessage) -> str:
        subscription = self._subscription(message)
        wanted = "" if subscription is None else subscription.expression
        return f"its tag is {message.tag!r}, the subscription {wanted!r}"

    def _subscription(self, message: StoredMessage) -> Subscription | None:
        assert self._members is not None, "somebody subscribes"
        return self._members.subscriptions.get(message.origin_topic)

    def _all_of(self, topic: str) -> Iterable[StoredMessage]:
        store = self._running.store
        for queue_id in store.queue_ids(topic):
            yield from read_queue(store, topic, queue_id)


def waiting_messages(running: RunningBroker) -> list[Waiting]:
    """All messages that wait in the delay levels and in the timer, the next one first."""
    found = []
    store = running.store
    for level, (offset, _) in running.models.delay.waiting().items():
        for message in read_queue(store, SCHEDULE_TOPIC, level - 1, offset):
            entry = store.entry_of(SCHEDULE_TOPIC, level - 1, message.queue_offset)
            if entry is not None:
                found.append(Waiting(message, message.properties.get(REAL_TOPIC, ""), entry[2]))
    timer = running.models.timer
    if timer is not None:
        for message in read_queue(store, TIMER_TOPIC, 0):
            due_ms = int(message.properties.get(TIMER_OUT_MS, "0"))
            if due_ms >= timer.read_ms:
                found.append(Waiting(message, message.properties.get(REAL_TOPIC, ""), due_ms))
    return sorted(found, key=lambda waiting: waiting.due_ms)


def _is_retry_topic_of(topic: str, group: str) -> bool:
    name = topics.retry_topic(group)
    separators = ("_", topics.POP_RETRY_SEPARATOR)
    return topic == name or topic.startswith(tuple(name + mark for mark in separators))


def _times(number: int) -> str:
    return "once" if number == 1 else f"{number} times"
