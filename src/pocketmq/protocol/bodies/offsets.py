"""Positions of groups: dumps for replicas (43, 45) and the operator's resets (220 to 223, 308)."""

from __future__ import annotations

from dataclasses import dataclass, field

from pocketmq.protocol.bodies.documents import Document
from pocketmq.protocol.bodies.queues import MessageQueue
from pocketmq.protocol.bodies.versions import DataVersion


@dataclass(frozen=True, slots=True)
class ConsumerOffsets(Document):
    """Body of the answer to GET_ALL_CONSUMER_OFFSET (43): `topic@group` -> queue -> offset."""

    offset_table: dict[str, dict[int, int]] = field(default_factory=dict)
    data_version: DataVersion | None = None


@dataclass(frozen=True, slots=True)
class DelayOffsets(Document):
    """Body of the answer to GET_ALL_DELAY_OFFSET (45): delay level -> offset."""

    offset_table: dict[int, int] = field(default_factory=dict)
    data_version: DataVersion | None = None


@dataclass(frozen=True, slots=True)
class QueueOffsets(Document):
    """Body of 220 and of the answer to 222: where each queue was set to."""

    offset_table: dict[MessageQueue, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class QueueOffsetItem(Document):
    """A queue and its offset in the list form."""

    topic: str = ""
    broker_name: str = ""
    queue_id: int = 0
    offset: int = 0


@dataclass(frozen=True, slots=True)
class QueueOffsetList(Document):
    """The same body for C++ clients, which cannot read objects as keys."""

    offset_table: tuple[QueueOffsetItem, ...] = ()


@dataclass(frozen=True, slots=True)
class ConsumerStatus(Document):
    """Body of the answers to 221 (one client's queues) and 223 (those of all clients)."""

    message_queue_table: dict[MessageQueue, int] = field(default_factory=dict)
    consumer_table: dict[str, dict[MessageQueue, int]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class CorrectionOffsets(Document):
    """Body of the answer to QUERY_CORRECTION_OFFSET (308)."""

    correction_offsets: dict[int, int] = field(default_factory=dict)
