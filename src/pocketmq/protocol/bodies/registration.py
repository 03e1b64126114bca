"""The body of REGISTER_BROKER (103): a broker's topics, plain or compressed.

The compressed form is one zlib stream of parts, each with its length in 4 bytes in front:

    data version        JSON
    topic count         4 bytes, then that many topic lines (see `topic_config.py`)
    filter servers      JSON list
    mapping count       4 bytes, then that many mappings as JSON; only from brokers since 5.0

Some brokers compress and say that they did not, so the bytes decide, not the header.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass, field
from typing import ClassVar

from pocketmq.errors import MalformedBody
from pocketmq.protocol.bodies.documents import Document
from pocketmq.protocol.bodies.fastjson import dumps_plain, loads
from pocketmq.protocol.bodies.static_topics import TopicQueueMapping
from pocketmq.protocol.bodies.topic_config import TopicConfig, TopicConfigTable
from pocketmq.protocol.bodies.versions import DataVersion

INFLATED_BYTES_MAX = 32 * 1024 * 1024
ITEMS_MAX = 200_000

_COUNT = struct.Struct(">i")


@dataclass(frozen=True, slots=True)
class Registration(Document):
    """What a broker tells a name server about itself."""

    topics: TopicConfigTable = field(
        default_factory=TopicConfigTable, metadata={"wire": "topicConfigSerializeWrapper"}
    )
    filter_server_list: tuple[str, ...] = ()

    request_chars_max: ClassVar[int] = 8 * 1024 * 1024

    @classmethod
    def from_body(cls, body: bytes | bytearray | memoryview) -> Registration:
        """The registration in a request's body, compressed or not. Raise MalformedBody."""
        if not len(body):
            return cls()
        return cls.from_request(body) if body[0] in b"{ \t\r\n" else _inflated(bytes(body))

    def to_compressed(self) -> bytes:
        """The compressed form."""
        table = self.topics
        parts = [_sized(table.data_version.to_json()), _COUNT.pack(len(table.topic_config_table))]
        parts += [_sized(topic.to_line().encode()) for topic in table.topic_config_table.values()]
        parts.append(_sized(dumps_plain(list(self.filter_server_list))))
        parts.append(_COUNT.pack(len(table.topic_queue_mapping_info_map)))
        parts += [_sized(item.to_json()) for item in table.topic_queue_mapping_info_map.values()]
        return zlib.compress(b"".join(parts), 9)


def body_checksum(body: bytes | bytearray | memoryview) -> int:
    """The `bodyCrc32` of a registration's body as it is sent."""
    return zlib.crc32(body) & 0x7FFFFFFF


def _inflated(body: bytes) -> Registration:
    inflater = zlib.decompressobj()
    try:
        data = inflater.decompress(body, INFLATED_BYTES_MAX)
    except zlib.error as error:
        raise MalformedBody(f"a registration is neither JSON nor a zlib stream: {error}") from None
    if inflater.unconsumed_tail:
        raise MalformedBody(f"a registration inflates to more than {INFLATED_BYTES_MAX} bytes")
    parts = _Parts(data)
    version = DataVersion.from_json(parts.next())
    lines = [parts.next() for _ in range(parts.count())]
    servers = loads(parts.next())
    # Brokers before 5.0 end here.
    mappings = [parts.next() for _ in range(parts.count())] if parts.has_more else []
    try:
        topics = [TopicConfig.from_line(line.decode()) for line in lines]
    except UnicodeDecodeError:
        raise MalformedBody("a topic line of a registration is not UTF-8") from None
    infos = [TopicQueueMapping.from_json(mapping) for mapping in mappings]
    table = TopicConfigTable(
        topic_config_table={topic.topic_name: topic for topic in topics},
        data_version=version,
        topic_queue_mapping_info_map={info.topic: info for info in infos},
    )
    names = tuple(map(str, servers)) if isinstance(servers, list) else ()
    return Registration(table, names)


def _sized(data: bytes) -> bytes:
    return _COUNT.pack(len(data)) + data


class _Parts:
    """A reader of length-prefixed parts."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    @property
    def has_more(self) -> bool:
        return self._at < len(self._data)

    def count(self) -> int:
        if self._at + 4 > len(self._data):
            raise MalformedBody("a compressed registration ends too early")
        (number,) = _COUNT.unpack_from(self._data, self._at)
        self._at += 4
        if not 0 <= number <= ITEMS_MAX:
            raise MalformedBody(f"a compressed registration announces {number} items")
        return int(number)

    def next(self) -> bytes:
        if self._at + 4 > len(self._data):
            raise MalformedBody("a compressed registration ends too early")
        (size,) = _COUNT.unpack_from(self._data, self._at)
        start, end = self._at + 4, self._at + 4 + size
        if size < 0 or end > len(self._data):
            raise MalformedBody(f"a part of {size} bytes does not fit a compressed registration")
        self._at = end
        return self._data[start:end]
