"""The queue of a topic on a broker, as an object and as the key of many maps."""

from __future__ import annotations

from dataclasses import dataclass, field

from pocketmq.protocol.bodies.documents import Document


@dataclass(frozen=True, slots=True, order=True)
class MessageQueue(Document):
    """One queue: `{"brokerName","queueId","topic"}`."""

    topic: str = ""
    broker_name: str = ""
    queue_id: int = 0


@dataclass(frozen=True, slots=True)
class LockRequest(Document):
    """Body of LOCK_BATCH_MQ (41) and UNLOCK_BATCH_MQ (42)."""

    consumer_group: str = ""
    client_id: str = ""
    mq_set: tuple[MessageQueue, ...] = ()
    only_this_broker: bool = False


@dataclass(frozen=True, slots=True)
class LockReply(Document):
    """Body of the answer to 41: the queues that are locked now."""

    locked: tuple[MessageQueue, ...] = field(default=(), metadata={"wire": "lockOKMQSet"})
