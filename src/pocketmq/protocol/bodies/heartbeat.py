"""What a client says about itself: HEART_BEAT (34) and CHECK_CLIENT_CONFIG (46)."""

from __future__ import annotations

from dataclasses import dataclass, field

from pocketmq.protocol.bodies.documents import Document

ACTIVELY = "CONSUME_ACTIVELY"
PASSIVELY = "CONSUME_PASSIVELY"
POP = "CONSUME_POP"
BROADCASTING = "BROADCASTING"
CLUSTERING = "CLUSTERING"


@dataclass(frozen=True, slots=True)
class SubscriptionData(Document):
    """One subscription of a group. `code_set` holds the hashes of the tags."""

    topic: str = ""
    sub_string: str = "*"
    tags_set: tuple[str, ...] = ()
    code_set: tuple[int, ...] = ()
    sub_version: int = 0
    expression_type: str = "TAG"
    class_filter_mode: bool = False


@dataclass(frozen=True, slots=True)
class ConsumerData(Document):
    """A client's part in one consumer group."""

    group_name: str = ""
    consume_type: str = PASSIVELY
    message_model: str = CLUSTERING
    consume_from_where: str = "CONSUME_FROM_LAST_OFFSET"
    subscription_data_set: tuple[SubscriptionData, ...] = ()
    unit_mode: bool = False


@dataclass(frozen=True, slots=True)
class ProducerData(Document):
    """A client's part in one producer group."""

    group_name: str = ""


@dataclass(frozen=True, slots=True)
class Heartbeat(Document):
    """Body of 34. With `without_sub` the subscriptions are those of the last full heartbeat."""

    client_id: str = field(default="", metadata={"wire": "clientID"})
    producer_data_set: tuple[ProducerData, ...] = ()
    consumer_data_set: tuple[ConsumerData, ...] = ()
    heartbeat_fingerprint: int = 0
    without_sub: bool = False


@dataclass(frozen=True, slots=True)
class CheckClientRequest(Document):
    """Body of 46: can the broker filter by this expression?"""

    client_id: str = ""
    group: str = ""
    subscription_data: SubscriptionData | None = None
    namespace: str | None = None
