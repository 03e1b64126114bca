"""Lanes: for each queue a producer sends to, its broker's address and the header made beforehand.

Sends travel with ROCKETMQ headers (see `protocol/headers.py`), which every server since 4.0 reads;
all that stays the same from message to message is encoded once:

    prefix, head    29 bytes   lengths, code 310 or 320, opaque, flag
    entries                    a b c d e f h j k m n: group, topic, queue, flags, broker
    born                       g: 13 digits
    properties                 i
    body
"""

from __future__ import annotations

import struct
from typing import Final

from pocketmq.client.outgoing import Outgoing
from pocketmq.client.routes import Route
from pocketmq.message.hashing import java_string_hash
from pocketmq.message.topics import AUTO_CREATE_TOPIC
from pocketmq.protocol.bodies.queues import MessageQueue
from pocketmq.protocol.codes import RequestCode
from pocketmq.protocol.command import (
    FLAG_ONEWAY,
    LANGUAGE_PYTHON,
    ROCKETMQ,
    WIRE_VERSION,
    Command,
)

SEND: Final = int(RequestCode.SEND_MESSAGE_V2)
SEND_BATCH: Final = int(RequestCode.SEND_BATCH_MESSAGE)
SEND_REPLY: Final = int(RequestCode.SEND_REPLY_MESSAGE_V2)

_HEAD = struct.Struct(">iIhBhiiii")
_HEAD_BYTES = _HEAD.size - 8
_KEY = struct.Struct(">h")
_LENGTH = struct.Struct(">i")
_BORN_HEAD = b"\x00\x01g\x00\x00\x00\x0d"
_PROPERTIES_HEAD = struct.Struct(">hci")
_ROCKETMQ_WORD = ROCKETMQ << 24


class Lane:
    """The way to one queue."""

    __slots__ = ("_entries", "_group", "_queue_count", "address", "broker_name", "queue")

    def __init__(self, group: str, queue: MessageQueue, address: str, queue_count: int) -> None:
        self.queue = queue
        self.broker_name = queue.broker_name
        self.address = address
        self._group = group
        self._queue_count = queue_count
        self._entries: dict[tuple[int, int, bool], bytes] = {}

    def __str__(self) -> str:
        queue = self.queue
        return f"the send to queue {queue.queue_id} of {queue.topic} on {self.broker_name}"

    def fields(self, out: Outgoing) -> dict[str, str]:
        """All header fields of a send."""
        fields = self._constant_fields(out.sys_flag, out.flag, out.batch_size > 0)
        fields["g"] = str(out.born_ms)
        fields["i"] = out.properties.decode()
        return fields

    def _constant_fields(self, sys_flag: int, flag: int, batch: bool) -> dict[str, str]:
        return {
            "a": self._group,
            "b": self.queue.topic,
            "c": AUTO_CREATE_TOPIC,
            "d": str(self._queue_count),
            "e": str(self.queue.queue_id),
            "f": str(sys_flag),
            "h": str(flag),
            "j": "0",
            "k": "false",
            "m": "true" if batch else "false",
            "n": self.broker_name,
        }

    def frame(self, out: Outgoing, opaque: int, flag: int = 0) -> bytes:
        """The whole frame of a send."""
        batch = out.batch_size > 0
        kind = (out.sys_flag, out.flag, batch)
        entries = self._entries.get(kind)
        if entries is None:
            if len(self._entries) > 64:
                self._entries.clear()
            fields = self._constant_fields(*kind)
            entries = self._entries[kind] = _encoded(fields) + _BORN_HEAD
        properties, body = out.properties, out.body
        properties_bytes = len(properties)
        ext_bytes = len(entries) + 20 + properties_bytes
        header_bytes = _HEAD_BYTES + ext_bytes
        return b"".join(
            (
                _HEAD.pack(
                    4 + header_bytes + len(body),
                    _ROCKETMQ_WORD | header_bytes,
                    SEND_BATCH if batch else SEND,
                    LANGUAGE_PYTHON,
                    WIRE_VERSION,
                    opaque,
                    flag,
                    0,
                    ext_bytes,
                ),
                entries,
                b"%013d" % out.born_ms,
                _PROPERTIES_HEAD.pack(1, b"i", properties_bytes),
                properties,
                body,
            )
        )

    def command(
        self, out: Outgoing, opaque: int, *, oneway: bool = False, code: int = 0
    ) -> Command:
        """The same as a command, for requests that are signed or rare."""
        return Command(
            code or (SEND_BATCH if out.batch_size else SEND),
            opaque=opaque,
            flag=FLAG_ONEWAY if oneway else 0,
            fields=self.fields(out),
            body=out.body,
            serialization=ROCKETMQ,
        )


def _encoded(fields: dict[str, str]) -> bytes:
    parts = []
    for key, value in fields.items():
        key_bytes, value_bytes = key.encode(), value.encode()
        parts += [_KEY.pack(len(key_bytes)), key_bytes, _LENGTH.pack(len(value_bytes)), value_bytes]
    return b"".join(parts)


class Lanes:
    """The lanes of one topic, in the order of the route's queues."""

    def __init__(self, group: str, topic: str, route: Route, queue_count: int) -> None:
        self.topic = topic
        self.route = route
        lanes = []
        for queue in route.write_queues:
            address = route.master(queue.broker_name)
            if address is not None:
                # The route may be that of another topic, from which this one is to be created.
                mine = MessageQueue(topic, queue.broker_name, queue.queue_id)
                lanes.append(Lane(group, mine, address, queue_count))
        self.all = lanes
        self.queues = [lane.queue for lane in lanes]
        self._turn = java_string_hash(group) & 0xFFFF

    def next(self) -> Lane:
        """The next in turn."""
        self._turn = turn = self._turn + 1
        return self.all[turn % len(self.all)]

    def by_key(self, key: str) -> Lane:
        """Always the same lane for the same key, as Java's selector by hash chooses."""
        return self.all[abs(java_string_hash(key)) % len(self.all)]

    def of(self, queue: MessageQueue) -> Lane | None:
        """The lane of one queue, if there is one."""
        for lane in self.all:
            if (
                lane.queue.broker_name == queue.broker_name
                and lane.queue.queue_id == queue.queue_id
            ):
                return lane
        return None
