"""Figures about topics, groups and queues: 202, 208, 303, 315, 317, 321 and 345.

The answers to 202, 208, 303 and 317 may be long, so they can be written piece by piece: `rows` and
`items` write a piece, `filled` puts pieces into a document that was empty so far.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from pocketmq.protocol.bodies.documents import Document
from pocketmq.protocol.bodies.fastjson import ObjectKey, dumps
from pocketmq.protocol.bodies.heartbeat import SubscriptionData
from pocketmq.protocol.bodies.queues import MessageQueue


@dataclass(frozen=True, slots=True)
class TopicOffset(Document):
    """The extent of one queue."""

    min_offset: int = 0
    max_offset: int = 0
    last_update_timestamp: int = 0


@dataclass(frozen=True, slots=True)
class TopicStats(Document):
    """Body of the answer to GET_TOPIC_STATS_INFO (202)."""

    offset_table: dict[MessageQueue, TopicOffset] = field(default_factory=dict)
    topic_put_tps: float = 0.0


@dataclass(frozen=True, slots=True)
class GroupOffset(Document):
    """How far a group is in one queue."""

    broker_offset: int = 0
    consumer_offset: int = 0
    pull_offset: int = 0
    last_timestamp: int = 0


@dataclass(frozen=True, slots=True)
class ConsumeStats(Document):
    """Body of the answer to GET_CONSUME_STATS (208)."""

    offset_table: dict[MessageQueue, GroupOffset] = field(default_factory=dict)
    consume_tps: float = 0.0


@dataclass(frozen=True, slots=True)
class BrokerConsumeStats(Document):
    """Body of the answer to GET_BROKER_CONSUME_STATS (317)."""

    consume_stats_list: tuple[dict[str, tuple[ConsumeStats, ...]], ...] = ()
    broker_addr: str = ""
    total_diff: int = 0
    total_inflight_diff: int = 0


@dataclass(frozen=True, slots=True)
class StatsItem(Document):
    """One figure over one stretch of time."""

    sum: int = 0
    tps: float = 0.0
    avgpt: float = 0.0


@dataclass(frozen=True, slots=True)
class BrokerStats(Document):
    """Body of the answer to VIEW_BROKER_STATS_DATA (315)."""

    stats_minute: StatsItem = StatsItem()
    stats_hour: StatsItem = StatsItem()
    stats_day: StatsItem = StatsItem()


@dataclass(frozen=True, slots=True)
class QueueTimeSpan(Document):
    """The times one queue covers; the `_str` forms are local time."""

    message_queue: MessageQueue | None = None
    min_time_stamp: int = 0
    max_time_stamp: int = 0
    consume_time_stamp: int = 0
    delay_time: int = 0
    min_time_stamp_str: str | None = None
    max_time_stamp_str: str | None = None
    consume_time_stamp_str: str | None = None


@dataclass(frozen=True, slots=True)
class ConsumeTimeSpan(Document):
    """Body of the answer to QUERY_CONSUME_TIME_SPAN (303)."""

    consume_time_span_set: tuple[QueueTimeSpan, ...] = ()


@dataclass(frozen=True, slots=True)
class ConsumeQueueEntry(Document):
    """One entry of a consume queue."""

    physic_offset: int = 0
    physic_size: int = 0
    tags_code: int = 0
    extend_data_json: str | None = None
    bit_map: str | None = None
    eval: bool = False
    msg: str | None = None


@dataclass(frozen=True, slots=True)
class ConsumeQueuePage(Document):
    """Body of the answer to QUERY_CONSUME_QUEUE (321)."""

    queue_data: tuple[ConsumeQueueEntry, ...] | None = None
    min_queue_index: int = 0
    max_queue_index: int = 0
    subscription_data: SubscriptionData | None = None
    filter_data: str | None = None


@dataclass(frozen=True, slots=True)
class GroupSubscription(Document):
    """Body of the answer to QUERY_SUBSCRIPTION_BY_CONSUMER (345)."""

    group: str = ""
    topic: str | None = None
    subscription_data: SubscriptionData | None = None


def rows(table: Mapping[MessageQueue, Document]) -> bytes:
    """Some entries of an `offsetTable`."""
    tree = {
        ObjectKey(dumps(queue.to_tree()).decode()): value.to_tree()
        for queue, value in table.items()
    }
    return dumps(tree)[1:-1]


def items(documents: Iterable[Document]) -> bytes:
    """Some entries of a list."""
    return b",".join([document.to_json() for document in documents])


def group_item(group: str, tables: Iterable[bytes]) -> bytes:
    """The entry of a group in `consumeStatsList`, from the JSON of its ConsumeStats by topic."""
    return b"{%b:[%b]}" % (dumps(group), b",".join(tables))


_ROOM = {
    TopicStats: b'"offsetTable":{',
    ConsumeStats: b'"offsetTable":{',
    ConsumeTimeSpan: b'"consumeTimeSpanSet":[',
    BrokerConsumeStats: b'"consumeStatsList":[',
}


def filled(document: Document, pieces: Iterable[bytes]) -> bytes:
    """The JSON of a document whose one table or list is empty, with these pieces in it."""
    before, room, after = document.to_json().partition(_ROOM[type(document)])
    assert after[:1] in b"}]", "the table of a document that is filled was empty"
    return b"".join((before, room, b",".join(filter(None, pieces)), after))
