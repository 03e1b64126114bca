"""Plain sends without the leaf `sends`: the same run of a read, by one pattern and one write.

A read of a busy client holds many sends whose JSON headers look alike (protocol/usual_sends.py).
Each step here is taken once for all of them where it can be: their records reach the log in one
piece, their answers the client, and what is to be filed of them the store. Binary headers, batches
and whatever else does not match are left to `SendHandler`, as the leaf leaves what is odd to it.
"""

from __future__ import annotations

import mmap
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final

from pocketmq.broker.state.counters import Counter
from pocketmq.message.checksum import crc32
from pocketmq.message.flags import COMPRESSED, COMPRESSION_MASK, MULTI_TAGS
from pocketmq.message.hashing import key_hash, tag_hash
from pocketmq.message.properties import PROPERTIES_BYTES_MAX
from pocketmq.message.record import BLANK_BYTES_MIN, CRC_MASK, FIXED, MAGIC_V1, SHORT
from pocketmq.message.scan import KEY_ENTRY, Filed
from pocketmq.net.rounds import Read
from pocketmq.protocol.replies import ANSWERED_KEY, send_answer_template
from pocketmq.protocol.usual_sends import NUMBERS, plain_send_pattern
from pocketmq.store import Noted

BODY_BYTES_MAX: Final = 64 * 1024

_PREFIX: Final = struct.Struct(">iI")
_PLAIN_FLAGS: Final = COMPRESSED | COMPRESSION_MASK | MULTI_TAGS
_RECORD_BYTES: Final = FIXED.size + 3  # with the lengths of topic and properties
_HOST_BYTES: Final = 8
_HEAD_BYTES: Final = 8  # size and magic, without which nothing is a record


@dataclass(frozen=True)
class UsualLane:
    """A topic whose sends may be plain, as in the leaf. `next_offsets` is the store's own list."""

    queue_count: int
    magic: int
    name: bytes
    next_offsets: list[int]
    counter: Counter

    def next_offset(self, queue_id: int) -> int:
        """The queue offset that the next message of a queue gets, -1 where none can be plain."""
        offsets = self.next_offsets
        if self.magic != MAGIC_V1 or queue_id >= self.queue_count or queue_id >= len(offsets):
            return -1
        return offsets[queue_id]

    def took(self, queue_id: int, size: int) -> None:
        """Count a message of so many bytes."""
        self.next_offsets[queue_id] += 1
        self.counter.messages += 1
        self.counter.bytes += size

    @cached_property
    def topic(self) -> str:
        """The topic's name as text."""
        return self.name.decode()

    @cached_property
    def named(self) -> bytes:
        """The topic's name as records hold it."""
        return b"%c%b" % (len(self.name), self.name)


class UsualSends:
    """Stores the plain sends at the beginning of reads; arguments as for the leaf's `PlainSends`.

    `note` is told what is to be filed of the records written.
    """

    def __init__(
        self,
        lanes: dict[bytes, UsualLane],
        store_host: bytes,
        suffix: bytes,
        json_tail: bytes,
        version: int,
        is_sync: bool,
        frame_bytes_max: int,
        note: Callable[[Noted], None],
    ) -> None:
        self._lanes = lanes
        self._store_host = store_host
        self._suffix = suffix
        self._answer = send_answer_template(store_host, json_tail, version)
        self._is_sync = is_sync
        self._frame_bytes_max = frame_bytes_max
        self._note = note
        self._match = plain_send_pattern().fullmatch

    def take(
        self,
        reads: Sequence[Read],
        index: int,
        _: bytes,
        target: bytearray | mmap.mmap,
        at: int,
        limit: int,
        log_offset: int,
        now_ms: int,
    ) -> tuple[int, int, int, int, bytes]:
        """Write records at `at` for the frames of the reads from `index` on, of each until one is
        odd; what is taken and answered is noted with the reads.

        Return (index behind the last read dealt with, bytes written, room that the next frame's
        record needs or 0, frames taken, no bytes).
        """
        run = _Run(target, at, limit - at - BLANK_BYTES_MIN, log_offset, now_ms)
        needed = 0
        if len(self._store_host) == _HOST_BYTES:
            while index < len(reads) and not needed:
                if len(reads[index].connection.peer_packed) == _HOST_BYTES:
                    needed = self._take_read(reads[index], run)
                index += not needed
        if run.written:
            self._note(run.finish())
        return index, run.written, needed, len(run.filed), b""

    def _take_read(self, read: Read, run: _Run) -> int:
        """Add the plain sends of one read to the run; return the room that is missing, or 0.

        A frame with another header than JSON has a large number where the header's size is.
        """
        suffix, data, position = self._suffix, read.data, read.taken
        born_host, store_host, now_ms = read.connection.peer_packed, self._store_host, run.now_ms
        numbers, lanes, parts = NUMBERS, self._lanes, run.parts
        size, here, last = len(data), run.log_offset + run.written, run.log_offset + run.room
        answers: list[bytes] = []
        before, needed = len(run.filed), 0
        while size - position >= _PREFIX.size:
            length, word = _PREFIX.unpack_from(data, position)
            body_at, end = position + 8 + word, position + 4 + length
            body_bytes = end - body_at
            if end > size or not 0 < body_bytes <= BODY_BYTES_MAX:
                break
            found = self._match(data, position + 8, body_at)
            if found is None or length + 4 > self._frame_bytes_max:
                break
            (
                name, queue, flags, born_ms, app_flag, escaped, key_list, unique_key, tags, wait,
                times, oneway, opaque,
            ) = found.groups()  # fmt: skip
            lane = lanes.get(name)
            queue_id, sys_flag, number = numbers[queue], numbers[flags], int(opaque)
            if (
                lane is None
                or lane.next_offset(queue_id) < 0
                or sys_flag & ~_PLAIN_FLAGS
                or unique_key is None
                or number > 0x7FFFFFFF
                or (wait == b"false" and self._is_sync)
            ):
                break
            queue_offset = lane.next_offsets[queue_id]
            properties = escaped.replace(rb"\u0001", b"\x01").replace(rb"\u0002", b"\x02") + suffix
            properties_bytes = len(properties)
            if properties_bytes > PROPERTIES_BYTES_MAX:
                break
            record = _RECORD_BYTES + body_bytes + len(name) + properties_bytes
            if here + record > last:
                needed = record
                break
            body = data[body_at:end]
            parts += (
                FIXED.pack(
                    record, MAGIC_V1, crc32(body) & CRC_MASK, queue_id, numbers[app_flag],
                    queue_offset, here, sys_flag, int(born_ms), born_host, now_ms, store_host,
                    numbers[times or b"0"], 0, body_bytes,
                ),
                body, lane.named, SHORT.pack(properties_bytes), properties,
            )  # fmt: skip
            run.file(lane.topic, queue_id, queue_offset, here, record, tags, unique_key, key_list)
            if oneway == b"0":
                answers += self._answered(here, queue_id, queue_offset, unique_key, number)
            lane.took(queue_id, record)
            here += record
            position = end
        run.written = here - run.log_offset
        read.taken = position
        read.frames += len(run.filed) - before
        read.answers += b"".join(answers)
        return needed

    def _answered(
        self, log_offset: int, queue_id: int, queue_offset: int, unique_key: bytes, opaque: int
    ) -> tuple[bytes, bytes]:
        """The prefix and the header of an answer."""
        header = self._answer % (
            0, log_offset, queue_id, queue_offset, ANSWERED_KEY, unique_key, opaque,
        )  # fmt: skip
        return _PREFIX.pack(len(header) + 4, len(header)), header


@dataclass(slots=True)
class _Run:
    """Records that follow each other, before they are in the log."""

    target: bytearray | mmap.mmap
    at: int
    room: int
    log_offset: int
    now_ms: int
    written: int = 0
    parts: list[bytes] = field(default_factory=list)
    filed: list[Filed] = field(default_factory=list)
    keys: list[bytes] = field(default_factory=list)

    def file(
        self,
        topic: str,
        queue_id: int,
        queue_offset: int,
        log_offset: int,
        size: int,
        tags: bytes | None,
        unique_key: bytes,
        key_list: bytes | None,
    ) -> None:
        """Remember what is to be filed of a record."""
        now_ms, keys = self.now_ms, self.keys
        tag = tag_hash(tags.decode()) if tags else 0
        self.filed.append((topic, queue_id, queue_offset, log_offset, size, tag, now_ms))
        keys.append(KEY_ENTRY.pack(key_hash(topic, unique_key.decode()), log_offset, now_ms))
        if key_list:
            for key in key_list.decode().split(" "):
                if key:
                    keys.append(KEY_ENTRY.pack(key_hash(topic, key), log_offset, now_ms))

    def finish(self) -> Noted:
        """Write the records; return what is to be filed."""
        first, at, end = self.parts[0], self.at, self.at + self.written
        self.parts[0] = first[_HEAD_BYTES:]
        self.target[at + _HEAD_BYTES : end] = b"".join(self.parts)
        # Only now is anything of it a record, should the process be killed.
        self.target[at : at + _HEAD_BYTES] = first[:_HEAD_BYTES]
        start = self.log_offset
        return Noted(start, start + self.written, self.filed, b"".join(self.keys))
