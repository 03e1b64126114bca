"""Clients as peers: 35, 38 and 40, connection lists 203 and 204, and the relays 307 and 309.

HEART_BEAT (34), the locks (41, 42) and CHECK_CLIENT_CONFIG (46) have no header fields; their
meaning is in their bodies.
"""

from __future__ import annotations

from typing import Annotated, NamedTuple

from pocketmq.protocol.fields import I32, wire


class HeartbeatReply(NamedTuple):
    """Fields of the answer to 34."""

    supports_v2: Annotated[bool, wire("IS_SUPPORT_HEART_BEAT_V2")]
    subscriptions_changed: Annotated[bool, wire("IS_SUB_CHANGE")]


class UnregisterClientRequest(NamedTuple):
    """Header of 35."""

    client_id: Annotated[str, wire("clientID")]
    producer_group: str | None = None
    consumer_group: str | None = None


class ConsumerGroupRequest(NamedTuple):
    """Header of 38, 40 and 203: just a consumer group."""

    consumer_group: str


class ProducerGroupRequest(NamedTuple):
    """Header of 204: just a producer group."""

    producer_group: str


class ConsumerRunningRequest(NamedTuple):
    """Header of GET_CONSUMER_RUNNING_INFO (307), relayed unchanged to the client."""

    consumer_group: str
    client_id: str
    jstack_enable: bool = False


class ConsumeDirectlyRequest(NamedTuple):
    """Header of CONSUME_MESSAGE_DIRECTLY (309). The broker adds the last four when it relays."""

    consumer_group: str
    client_id: str | None = None
    msg_id: str | None = None
    broker_name: str | None = None
    topic: str | None = None
    topic_sys_flag: I32 | None = None
    group_sys_flag: I32 | None = None
