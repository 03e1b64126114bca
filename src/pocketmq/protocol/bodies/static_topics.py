"""Static topics: logical queues that stay while the brokers that hold them change."""

from __future__ import annotations

from dataclasses import dataclass, field

from pocketmq.protocol.bodies.documents import Document


@dataclass(frozen=True, slots=True)
class TopicQueueMapping(Document):
    """Which logical queues of a topic a broker holds."""

    topic: str = ""
    scope: str = "__global__"
    total_queues: int = 0
    bname: str = ""
    epoch: int = 0
    dirty: bool = False
    curr_id_map: dict[int, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class LogicQueueMappingItem(Document):
    """One stretch of a logical queue that lies in one physical queue."""

    gen: int = 0
    queue_id: int = 0
    bname: str = ""
    logic_offset: int = 0
    start_offset: int = 0
    end_offset: int = -1
    time_of_start: int = -1
    time_of_end: int = -1


@dataclass(frozen=True, slots=True)
class TopicQueueMappingDetail(Document):
    """The whole mapping of a topic on a broker; body of UPDATE_AND_CREATE_STATIC_TOPIC (513)."""

    topic: str = ""
    scope: str = "__global__"
    total_queues: int = 0
    bname: str = ""
    epoch: int = 0
    dirty: bool = False
    curr_id_map: dict[int, int] | None = None
    hosted_queues: dict[int, tuple[LogicQueueMappingItem, ...]] = field(default_factory=dict)
