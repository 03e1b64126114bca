"""Pop consumption: who gets which queue (400, 401, 402) and acknowledging many at once (200151)."""

from __future__ import annotations

from dataclasses import dataclass, field

from pocketmq.protocol.bodies.documents import Document
from pocketmq.protocol.bodies.queues import MessageQueue


@dataclass(frozen=True, slots=True)
class AssignmentRequest(Document):
    """Body of QUERY_ASSIGNMENT (400)."""

    topic: str = ""
    consumer_group: str = ""
    client_id: str = ""
    strategy_name: str = ""
    message_model: str = "CLUSTERING"


@dataclass(frozen=True, slots=True)
class QueueAssignment(Document):
    """A queue and how its messages are to be fetched: PULL or POP."""

    message_queue: MessageQueue | None = None
    mode: str = "PULL"
    attachments: dict[str, str] | None = None


@dataclass(frozen=True, slots=True)
class AssignmentReply(Document):
    """Body of the answer to 400; None when there is nothing to assign."""

    message_queue_assignments: tuple[QueueAssignment, ...] | None = None


@dataclass(frozen=True, slots=True)
class MessageRequestMode(Document):
    """Body of SET_MESSAGE_REQUEST_MODE (401)."""

    topic: str = ""
    consumer_group: str = ""
    mode: str = "PULL"
    pop_share_queue_num: int = 0


@dataclass(frozen=True, slots=True)
class MessageRequestModes(Document):
    """Body of the answer to GET_ALL_MESSAGE_REQUEST_MODE (402): topic -> group -> mode."""

    message_request_mode_map: dict[str, dict[str, MessageRequestMode]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class AckItem(Document):
    """Acknowledged messages of one pop; `bits` is base64 of a little-endian bit set."""

    consumer_group: str = field(default="", metadata={"wire": "c"})
    topic: str = field(default="", metadata={"wire": "t"})
    retry: str = field(default="0", metadata={"wire": "r"})
    start_offset: int = field(default=0, metadata={"wire": "so"})
    queue_id: int = field(default=0, metadata={"wire": "q"})
    revive_queue_id: int = field(default=0, metadata={"wire": "rq"})
    pop_time: int = field(default=0, metadata={"wire": "pt"})
    invisible_time: int = field(default=0, metadata={"wire": "it"})
    bits: str = field(default="", metadata={"wire": "b"})


@dataclass(frozen=True, slots=True)
class BatchAck(Document):
    """Body of BATCH_ACK_MESSAGE (200151)."""

    broker_name: str = ""
    acks: tuple[AckItem, ...] = ()
