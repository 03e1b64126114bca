"""Takes messages out of queues for a time: what POP_MESSAGE does once it is allowed.

Each queue is popped in one go on the event loop: its messages are found, their check point is
stored, and only then does the group move on. A broker that dies in between hands them out again.
"""

from __future__ import annotations

import random
import struct
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Final, NamedTuple

from pocketmq.broker.config import PopConfig
from pocketmq.broker.rules import pop as rules
from pocketmq.broker.rules.pop import Handle
from pocketmq.broker.rules.pop_records import NO_GAPS, CheckPoint
from pocketmq.broker.services.ordered_pops import OrderedPops
from pocketmq.broker.services.pop_places import PopPlaces
from pocketmq.broker.services.pop_records import PopRecords
from pocketmq.broker.state.statistics import Statistics
from pocketmq.clock import Clock
from pocketmq.message import topics as names
from pocketmq.message.properties import encode_properties
from pocketmq.message.record import decode_record, magic_of_topic, write_record_plain
from pocketmq.store import MessageStore, PullResult, PullStatus
from pocketmq.store.reader import Accept

_HEAD: Final = struct.Struct(">i16xq")
_MOVED: Final = frozenset(
    (PullStatus.OFFSET_TOO_SMALL, PullStatus.OFFSET_OVERFLOW_BADLY, PullStatus.OFFSET_FOUND_NULL)
)


class Wish(NamedTuple):
    """What a client wants to pop. `tag_hashes` and `accept` None: any message."""

    group: str
    topic: str
    queue_id: int
    count_max: int
    invisible_ms: int
    from_end: bool
    tag_hashes: frozenset[int] | None
    accept: Accept | None
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
        places: PopPlaces,
        ordered: OrderedPops,
        records: PopRecords,
        statistics: Statistics,
        clock: Clock,
        config: PopConfig,
        broker: str,
    ) -> None:
        self._store = store
        self._places = places
        self._ordered = ordered
        self._records = records
        self._statistics = statistics
        self._clock = clock
        self._config = config
        self._broker = broker
        self._turn = 0
        self.dice: Callable[[], int] = partial(random.randrange, 100)
        """Which queue is looked at first, and whether retry topics are before it."""

    def configure(self, config: PopConfig) -> None:
        """Take other odds and limits for the next pops."""
        self._config = config

    def pop(self, wish: Wish) -> Popped:
        """Take what there is. Raise Refused, StoreError when nothing could be kept track of."""
        self._turn += 1
        queue = self._turn % self._config.revive_queues
        popped = Popped(self._clock.now_ms(), rules.ORDERED_REVIVE_QUEUE if wish.ordered else queue)
        dice = self.dice()
        retries = [] if wish.ordered else self._places.retry_topics(wish.group, wish.topic)
        retries_first = dice < self._config.retry_first_percent
        if retries_first:
            self._pop_topics(wish, retries, popped)
        if wish.queue_id >= 0:
            self._pop_queue(wish, wish.topic, wish.queue_id, popped)
        else:
            queues = len(self._places.queues(wish.topic))
            for step in range(queues):
                queue_id = (dice + step) % queues
                if popped.count < wish.count_max:
                    self._pop_queue(wish, wish.topic, queue_id, popped)
                else:
                    popped.left += self._places.left(wish.group, wish.topic, queue_id)
        if not retries_first:
            self._pop_topics(wish, retries, popped)
        return popped

    def _pop_topics(self, wish: Wish, topics: list[str], popped: Popped) -> None:
        for topic in topics:
            for queue_id in self._places.queues(topic):
                self._pop_queue(wish, topic, queue_id, popped)

    def _pop_queue(self, wish: Wish, topic: str, queue_id: int, popped: Popped) -> None:
        group, places = wish.group, self._places
        end = self._store.queue_offsets(topic, queue_id)[1]
        at = places.start(group, topic, queue_id, from_end=wish.from_end)
        room = wish.count_max - popped.count
        if (
            room <= 0
            or popped.cold is not None
            or (wish.ordered and places.is_blocked(group, topic, queue_id, wish.attempt_id))
            or (self._config.limit_out and self._has_enough(group, topic, queue_id))
        ):
            popped.left += max(end - at, 0)
            return
        hashes, accept = wish.tag_hashes, wish.accept
        if topic.startswith(names.RETRY_PREFIX):
            hashes = accept = None  # they were wanted once
        result = self._store.pull(topic, queue_id, at, room, hashes, accept)
        if result.status in _MOVED:
            places.commit(group, topic, queue_id, result.next_offset)
            at = result.next_offset
            result = self._store.pull(topic, queue_id, at, room, hashes, accept)
        if result.cold:
            if not popped.count:
                popped.cold = result
            popped.left += max(end - at, 0)
            return
        if result.count:
            # A batch is handed out whole, by the offset of its first message.
            all_taken = result.next_offset - at == result.count <= room and not places.is_batch(
                topic
            )
            offsets = range(at, result.next_offset) if all_taken else offsets_in(result.views)
            self._take(wish, topic, queue_id, offsets, result, popped)
        elif result.next_offset > at:
            places.commit(group, topic, queue_id, result.next_offset)
        popped.left += max(result.max_offset - max(result.next_offset, at), 0)

    def _has_enough(self, group: str, topic: str, queue_id: int) -> bool:
        """Whether a group has to settle some messages of a queue before it gets more."""
        return self._records.open_pops.count(topic, group, queue_id) > self._config.out_max

    def _take(
        self,
        wish: Wish,
        topic: str,
        queue_id: int,
        offsets: Sequence[int],
        result: PullResult,
        popped: Popped,
    ) -> None:
        group, invisible_ms, now_ms = wish.group, wish.invisible_ms, popped.pop_time_ms
        start, flag = offsets[0], rules.retry_flag_of(topic, group)
        if wish.ordered:
            counts = self._ordered.take(
                group, topic, queue_id, offsets, now_ms, invisible_ms, wish.attempt_id
            )
            popped.counts.append(counts)
        else:
            if type(offsets) is range:
                steps = NO_GAPS[len(offsets)]
            else:
                steps = tuple([offset - start for offset in offsets])
            point = CheckPoint(
                topic, group, queue_id, start, now_ms, invisible_ms, steps, self._broker
            )
            self._records.put_check_point(point, popped.revive_queue)
            self._places.commit(group, topic, queue_id, result.next_offset)
        popped.starts.append(rules.start_offset_info(flag, queue_id, start))
        popped.offsets.append(rules.message_offset_info(flag, queue_id, offsets))
        popped.count += len(offsets)
        if flag == rules.NORMAL or self._config.show_retry_topic:
            popped.body.extend(result.views)
        else:
            handle = Handle(
                start, now_ms, invisible_ms, popped.revive_queue, flag, self._broker, queue_id
            )
            popped.body.append(restored(result.views, wish.topic, handle))
        self._statistics.get(group, topic, result.count, result.bytes)


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
