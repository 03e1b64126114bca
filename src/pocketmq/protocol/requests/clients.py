"""Clients as peers: 35, 38 and 40, connection lists 203 and 204, and the relays 307 and 309.

HEART_BEAT (34), the locks (41, 42) and CHECK_CLIENT_CONFIG (46) have no header fields; their
meaning is in their bodies.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from pocketmq.protocol.fields import I32, wire


@dataclass(frozen=True, slots=True)
class HeartbeatReply:
    """Fields of the answer to 34."""

    supports_v2: bool = field(metadata=wire("IS_SUPPORT_HEART_BEAT_V2"))
    subscriptions_changed: bool = field(metadata=wire("IS_SUB_CHANGE"))


@dataclass(frozen=True, slots=True)
class UnregisterClientRequest:
    """Header of 35."""

    client_id: str = field(metadata=wire("clientID"))
    producer_group: str | None = None
    consumer_group: str | None = None


@dataclass(frozen=True, slots=True)
class ConsumerGroupRequest:
    """Header of 38, 40 and 203: just a consumer group."""

    consumer_group: str


@dataclass(frozen=True, slots=True)
class ProducerGroupRequest:
    """Header of 204: just a producer group."""

    producer_group: str


@dataclass(frozen=True, slots=True)
class ConsumerRunningRequest:
    """Header of GET_CONSUMER_RUNNING_INFO (307), relayed unchanged to the client."""

    consumer_group: str
    client_id: str
    jstack_enable: bool = False


@dataclass(frozen=True, slots=True)
class ConsumeDirectlyRequest:
    """Header of CONSUME_MESSAGE_DIRECTLY (309). The broker adds the last four when it relays."""

    consumer_group: str
    client_id: str | None = None
    msg_id: str | None = None
    broker_name: str | None = None
    topic: str | None = None
    topic_sys_flag: I32 | None = None
    group_sys_flag: I32 | None = None
