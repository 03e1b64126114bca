"""What is known of a message and of the groups that read its topic, before it is judged.

All copies of a message carry its unique key: on its way (half, delayed, timed), in its topic, and
on its way again (retry topics, dead letters). Which copy is the newest tells how things stand.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from pocketmq.admin.traces import TracePoint
from pocketmq.message import topics as names
from pocketmq.message.ids import offset_message_id, unpack_host
from pocketmq.message.properties import (
    DELAY,
    KEYS,
    REAL_TOPIC,
    RETRY_TOPIC,
    TAGS,
    TIMER_OUT_MS,
    UNIQUE_KEY,
)
from pocketmq.message.record import Record
from pocketmq.protocol.bodies.heartbeat import BROADCASTING, POP, SubscriptionData
from pocketmq.protocol.bodies.running import ConsumingQueue
from pocketmq.store.config import parse_delay_levels

_LEVELS = "1s 5s 10s 30s 1m 2m 3m 4m 5m 6m 7m 8m 9m 10m 20m 30m 1h 2h"
WAITING_TOPICS = frozenset((names.SCHEDULE_TOPIC, names.TIMER_TOPIC))
HALF_TOPICS = frozenset((names.HALF_TOPIC, names.CHECK_MAX_TOPIC))


@dataclass(frozen=True, slots=True)
class Copy:
    """One stored record of a message, and the broker it lies on."""

    broker: str
    address: str
    topic: str
    queue_id: int
    queue_offset: int
    log_offset: int
    size_bytes: int
    body_bytes: int
    stored_ms: int
    born_ms: int
    born_host: str
    store_host: bytes
    retries: int
    prepared_offset: int
    properties: Mapping[str, str]

    @classmethod
    def of(cls, record: Record, broker: str, address: str) -> Copy:
        """The copy that a record is."""
        return cls(
            broker, address, record.topic, record.queue_id, record.queue_offset,
            record.log_offset, record.size, len(record.body), record.store_timestamp_ms,
            record.born_timestamp_ms, "{}:{}".format(*unpack_host(record.born_host)),
            record.store_host, record.reconsume_times, record.prepared_offset,
            record.properties,
        )  # fmt: skip

    @property
    def unique_key(self) -> str:
        """What all copies share; empty for messages of very old producers."""
        return self.properties.get(UNIQUE_KEY, "")

    @property
    def tag(self) -> str:
        """Its tag, or nothing."""
        return self.properties.get(TAGS, "")

    @property
    def keys(self) -> list[str]:
        """What it can be found by."""
        return self.properties.get(KEYS, "").split()

    @property
    def offset_id(self) -> str:
        """The id that says where this copy lies."""
        return offset_message_id(self.store_host, self.log_offset)

    @property
    def target(self) -> str:
        """The topic it is meant for; its own unless it waits somewhere for its moment."""
        waits = self.topic in WAITING_TOPICS or self.topic in HALF_TOPICS
        return self.properties.get(REAL_TOPIC, self.topic) if waits else self.topic

    @property
    def origin(self) -> str:
        """The topic it was first sent to."""
        return self.properties.get(RETRY_TOPIC) or self.target

    @property
    def age_key(self) -> tuple[int, int]:
        """Copies sort by it, oldest first."""
        return self.stored_ms, self.log_offset


@dataclass(frozen=True, slots=True)
class BrokerFacts:
    """A broker: its settings and figures by RocketMQ's names, and what its clock says."""

    name: str
    address: str
    now_ms: int
    runtime: Mapping[str, str] = field(default_factory=dict)
    config: Mapping[str, str] = field(default_factory=dict)

    def number(self, name: str, otherwise: int) -> int:
        """A setting or a figure that is a whole number."""
        text = self.config.get(name) or self.runtime.get(name) or ""
        return int(text) if text.lstrip("-").isdecimal() else otherwise

    def due_ms(self, copy: Copy) -> int | None:
        """When a copy that waits for its moment is delivered; None when nothing says so."""
        if copy.topic == names.TIMER_TOPIC:
            text = copy.properties.get(TIMER_OUT_MS, "")
            return int(text) if text.isdecimal() else None
        level = copy.properties.get(DELAY, "")
        try:
            levels = parse_delay_levels(self.config.get("messageDelayLevel") or _LEVELS)
        except ValueError:
            return None
        if not level.isdecimal() or not levels or int(level) < 1:
            return None
        return copy.stored_ms + levels[min(int(level), len(levels)) - 1]


@dataclass(frozen=True, slots=True)
class QueueFacts:
    """The extent of the queue a message lies in, and who may use it."""

    first: int
    end: int
    permission: int = names.PERM_READ_WRITE
    read_queues: int = 1


@dataclass(frozen=True, slots=True)
class CheckPointFacts:
    """A pop of this message by a group: until when nobody else sees it, and whether it is over."""

    group: str
    popped_ms: int
    due_ms: int
    acknowledged_ms: int | None = None


@dataclass(frozen=True, slots=True)
class MessageFacts:
    """One message: its copies from the oldest to the newest, and what else speaks of it."""

    message_id: str
    topic: str
    copies: tuple[Copy, ...]
    brokers: Mapping[str, BrokerFacts]
    queue: QueueFacts | None = None
    next_file_ms: int | None = None
    """When the first message of the next commit log file was stored; None: it is the last file."""
    ended_halves: frozenset[int] = frozenset()
    """Queue offsets of half messages that were committed, rolled back or put again."""
    halves_unknown: str = ""
    """Why it is not known which have ended, when it is not."""
    check_points: tuple[CheckPointFacts, ...] = ()
    pops_unknown: str = ""
    """Why check points are not known, when they are not."""
    traces: tuple[TracePoint, ...] = ()

    @property
    def visible(self) -> Copy | None:
        """The newest copy in its topic: what consumers can read."""
        found = [copy for copy in self.copies if copy.topic == self.topic]
        return found[-1] if found else None

    @property
    def on_the_way(self) -> list[Copy]:
        """The copies that waited, or wait, to enter its topic."""
        return [
            copy for copy in self.copies if copy.topic != self.topic and copy.target == self.topic
        ]

    def again_for(self, group: str) -> list[Copy]:
        """The copies that exist because this group failed, oldest first."""
        return [copy for copy in self.copies if group_of(copy.target, self.topic, group)]

    def broker_of(self, copy: Copy) -> BrokerFacts:
        """The broker a copy lies on."""
        return self.brokers[copy.broker]


def group_of(target: str, topic: str, group: str) -> bool:
    """Whether a topic holds what this group failed to consume of `topic`."""
    return target in {
        names.retry_topic(group),
        names.dead_letter_topic(group),
        names.pop_retry_topic(group, topic),
        names.pop_retry_topic(group, topic, second_form=True),
    }


@dataclass(frozen=True, slots=True)
class MemberFacts:
    """One connected consumer: what it wants of the topic, and what it does with the queue."""

    client_id: str
    address: str
    language: str
    topics: tuple[str, ...] = ()
    subscription: SubscriptionData | None = None
    queue: ConsumingQueue | None = None
    problem: str = ""
    """Why it did not tell; then the fields above say nothing."""


@dataclass(frozen=True, slots=True)
class GroupFacts:
    """One group, on the broker that holds the message."""

    name: str
    is_known: bool = True
    is_enabled: bool = True
    may_read: bool = True
    retries_max: int | None = None
    model: str = ""
    consume_type: str = ""
    members: tuple[MemberFacts, ...] = ()
    members_known: bool = True
    """Whether the broker told who is connected."""
    is_subscribed: bool = False
    subscription: SubscriptionData | None = None
    """What the broker filters by: the newest that any member stated."""
    offsets: Mapping[tuple[str, str, int], int | None] = field(default_factory=dict)
    """Broker, topic, queue -> the first offset that is not consumed; None: never consumed.

    What could not be asked is left out.
    """
    problems: tuple[str, ...] = ()

    @property
    def is_online(self) -> bool:
        """Whether any member is connected."""
        return bool(self.members)

    @property
    def is_broadcast(self) -> bool:
        """Whether each member gets every message."""
        return self.model == BROADCASTING

    @property
    def pops(self) -> bool:
        """Whether its members pop."""
        return self.consume_type == POP

    def offset_at(self, copy: Copy) -> int | None:
        """The first offset of a copy's queue that is not consumed."""
        return self.offsets.get((copy.broker, copy.topic, copy.queue_id))

    def knows(self, copy: Copy) -> bool:
        """Whether the broker told how far the group is in a copy's queue."""
        return (copy.broker, copy.topic, copy.queue_id) in self.offsets

    def has_passed(self, copy: Copy) -> bool:
        """Whether the group is beyond a copy."""
        offset = self.offset_at(copy)
        return offset is not None and offset > copy.queue_offset
