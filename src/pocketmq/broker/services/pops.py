"""Takes messages out of queues for a time: what POP_MESSAGE does once it is allowed.

Each queue is popped in one go on the event loop: its messages are found, their check point is
stored, and only then does the group move on. A broker that dies in between hands them out again.
"""

from __future__ import annotations

import random
import struct
import zlib
from dataclasses import dataclass, field
from typing import Final

from pocketmq.broker.rules import pop as rules
from pocketmq.broker.rules.pop import CheckPoint, Handle
from pocketmq.broker.services.revive import ReviveService
from pocketmq.broker.state.offsets import OffsetTable
from pocketmq.broker.state.ordered_pops import OrderTable, held, order_count_info
from pocketmq.broker.state.statistics import Statistics
from pocketmq.broker.state.topics import TopicTable
from pocketmq.clock import Clock
from pocketmq.message import topics as names
from pocketmq.message.properties import encode_properties
from pocketmq.message.record import decode_record, magic_of_topic, write_record_plain
from pocketmq.store import MessageStore, PullResult, PullStatus

RETRY_FIRST_PERCENT: Final = 20
_HEAD: Final = struct.Struct(">i16xq")
_MOVED: Final = frozenset(
    (PullStatus.OFFSET_TOO_SMALL, PullStatus.OFFSET_OVERFLOW_BADLY, PullStatus.OFFSET_FOUND_NULL)
)


@dataclass(frozen=True, slots=True)
class Wish:
    """What a client wants to pop."""

    group: str
    topic: str
    queue_id: int
    count: int
    invisible_ms: int
    from_end: bool
    tag_hashes: frozenset[int] | None
    ordered: bool
    attempt_id: str | None


@dataclass(slots=True)
class Popped:
    """What one pop found. `cold`: bring this in and pop again."""

    pop_time_ms: int
    revive_queue: int
    count: int = 0
    left: int = 0
    body: list[bytes | memoryview] = field(default_factory=list)
    starts: list[str] = field(default_factory=list)
    offsets: list[str] = field(default_factory=list)
    counts: list[str] = field(default_factory=list)
    cold: PullResult | None = None


class PopService:
    """Pops."""

    def __init__(
        self,
        store: MessageStore,
        topics: TopicTable,
        offsets: OffsetTable,
        orders: OrderTable,
        statistics: Statistics,
        revive: ReviveService,
        clock: Clock,
        broker: str,
    ) -> None:
        self._store = store
        self._topics = topics
        self._offsets = offsets
        self._orders = orders
        self._statistics = statistics
        self._revive = revive
        self._clock = clock
        self._broker = broker
        self._turn = 0

    def pop(self, wish: Wish) -> Popped:
        """Take what there is. Raise Refused, StoreError when nothing could be kept track of."""
        self._turn += 1
        queue = rules.ORDERED_REVIVE_QUEUE if wish.ordered else self._turn % rules.REVIVE_QUEUES
        popped = Popped(self._clock.now_ms(), queue)
        dice = random.randrange(100)
        retries = [] if wish.ordered else self._retry_topics(wish)
        retries_first = dice < RETRY_FIRST_PERCENT
        if retries_first:
            self._pop_topics(wish, retries, popped)
        config = self._topics.find(wish.topic)
        queues = config.read_queue_nums if config is not None else 0
        if wish.queue_id >= 0:
            self._pop_queue(wish, wish.topic, wish.queue_id, popped)
        else:
            for step in range(queues):
                self._pop_queue(wish, wish.topic, (dice + step) % queues, popped)
        if not retries_first:
            self._pop_topics(wish, retries, popped)
        return popped

    def _retry_topics(self, wish: Wish) -> list[str]:
        both = (names.pop_retry_topic(wish.group, wish.topic, second_form=v) for v in (False, True))
        return [topic for topic in both if self._topics.find(topic) is not None]

    def _pop_topics(self, wish: Wish, topics: list[str], popped: Popped) -> None:
        for topic in topics:
            config = self._topics.find(topic)
            for queue_id in range(config.read_queue_nums if config is not None else 0):
                self._pop_queue(wish, topic, queue_id, popped)

    def position(self, wish: Wish, topic: str, queue_id: int) -> int:
        """Where the group is in a queue; a new group gets a place at once."""
        reset = self._offsets.take_reset(wish.group, topic, queue_id)
        if reset is not None:
            self._orders.forget(topic, wish.group)
            self._offsets.commit(wish.group, topic, queue_id, reset)
            return reset
        known = self._offsets.query(wish.group, topic, queue_id)
        if known is not None and known >= 0:
            return known
        first, end = self._store.queue_offsets(topic, queue_id)
        at = first
        if wish.from_end and not topic.startswith(names.RETRY_PREFIX):
            entry = self._store.entry_of(topic, queue_id, 0) if first <= 0 else None
            recent = entry is not None and self._store.is_recent(entry[0])
            at = 0 if recent else max(end - 1, first, 0)
        self._offsets.commit(wish.group, topic, queue_id, at)
        return at

    def _pop_queue(self, wish: Wish, topic: str, queue_id: int, popped: Popped) -> None:
        end = self._store.queue_offsets(topic, queue_id)[1]
        at = self.position(wish, topic, queue_id)
        if wish.ordered:
            info = self._orders.find(topic, wish.group, queue_id)
            if info is not None and info.blocks(wish.attempt_id, popped.pop_time_ms):
                popped.left += max(end - at, 0)
                return
        room = wish.count - popped.count
        if room <= 0 or popped.cold is not None:
            popped.left += max(end - at, 0)
            return
        hashes = None if topic.startswith(names.RETRY_PREFIX) else wish.tag_hashes
        result = self._store.pull(topic, queue_id, at, room, hashes)
        if result.status in _MOVED:
            self._offsets.commit(wish.group, topic, queue_id, result.next_offset)
            at = result.next_offset
            result = self._store.pull(topic, queue_id, at, room, hashes)
        if result.cold:
            if not popped.count:
                popped.cold = result
            popped.left += max(end - at, 0)
            return
        if result.count:
            self._take(wish, topic, queue_id, result, popped)
        elif result.next_offset > at:
            self._offsets.commit(wish.group, topic, queue_id, result.next_offset)
        popped.left += max(result.max_offset - max(result.next_offset, at), 0)

    def _take(
        self, wish: Wish, topic: str, queue_id: int, result: PullResult, popped: Popped
    ) -> None:
        offsets = offsets_in(result.views)
        start, flag = offsets[0], rules.retry_flag_of(topic, wish.group)
        if wish.ordered:
            info = held(offsets, popped.pop_time_ms, wish.invisible_ms, wish.attempt_id)
            self._orders.popped(topic, wish.group, queue_id, info)
            self._offsets.commit(wish.group, topic, queue_id, start)
            popped.counts.append(order_count_info(flag, queue_id, info))
        else:
            steps = tuple(offset - start for offset in offsets)
            point = CheckPoint(
                topic,
                wish.group,
                queue_id,
                start,
                popped.pop_time_ms,
                wish.invisible_ms,
                steps,
                self._broker,
            )
            self._revive.put_check_point(point, popped.revive_queue)
            self._offsets.commit(wish.group, topic, queue_id, result.next_offset)
        popped.starts.append(rules.start_offset_info(flag, queue_id, start))
        popped.offsets.append(rules.message_offset_info(flag, queue_id, offsets))
        popped.count += len(offsets)
        if flag == rules.NORMAL:
            popped.body.extend(result.views)
        else:
            handle = Handle(
                start,
                popped.pop_time_ms,
                wish.invisible_ms,
                popped.revive_queue,
                flag,
                self._broker,
                queue_id,
            )
            popped.body.append(restored(result.views, wish.topic, handle))
        self._statistics.get(wish.group, topic, result.count, result.bytes)


def offsets_in(views: list[memoryview]) -> list[int]:
    """The queue offsets of records that lie one after the other."""
    found = []
    for view in views:
        at = 0
        while at < len(view):
            size, offset = _HEAD.unpack_from(view, at)
            found.append(offset)
            at += size
    return found


def restored(views: list[memoryview], topic: str, handle: Handle) -> bytes:
    """Records of a retry topic as their consumers know them: their own topic, and a handle."""
    found = []
    name = topic.encode("utf-8", "surrogatepass")
    for view in views:
        at = 0
        while at < len(view):
            record = decode_record(view, at, verify_crc=False)
            at += record.size
            properties = record.properties
            properties["POP_CK"] = f"{handle.encode()} {record.queue_offset}"
            encoded = encode_properties(properties).encode("utf-8", "surrogatepass")
            room = len(record.body) + len(name) + len(encoded) + 200
            target = bytearray(room)
            size = write_record_plain(
                target,
                0,
                room,
                record.log_offset,
                record.queue_offset,
                record.store_timestamp_ms,
                magic_of_topic(topic),
                record.queue_id,
                record.flag,
                record.sys_flag,
                record.born_timestamp_ms,
                record.born_host,
                record.store_host,
                record.reconsume_times,
                record.prepared_offset,
                record.body,
                zlib.crc32(record.body) & 0x7FFFFFFF,
                name,
                encoded,
            )
            found.append(bytes(target[:size]))
    return b"".join(found)
