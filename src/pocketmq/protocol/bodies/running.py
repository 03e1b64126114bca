"""What a consumer is doing: answers of clients to 307 and 309.

The broker relays these bodies as bytes. Clients write them, operators' tools read them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from pocketmq.protocol.bodies.documents import Document
from pocketmq.protocol.bodies.heartbeat import SubscriptionData
from pocketmq.protocol.bodies.queues import MessageQueue


@dataclass(frozen=True, slots=True)
class ConsumingQueue(Document):
    """A consumer's state of one queue. `droped` is spelt so on the wire."""

    commit_offset: int = 0
    cached_msg_min_offset: int = 0
    cached_msg_max_offset: int = 0
    cached_msg_count: int = 0
    cached_msg_size_mib: int = field(default=0, metadata={"wire": "cachedMsgSizeInMiB"})
    transaction_msg_min_offset: int = 0
    transaction_msg_max_offset: int = 0
    transaction_msg_count: int = 0
    locked: bool = False
    try_unlock_times: int = 0
    last_lock_timestamp: int = 0
    dropped: bool = field(default=False, metadata={"wire": "droped"})
    last_pull_timestamp: int = 0
    last_consume_timestamp: int = 0


@dataclass(frozen=True, slots=True)
class PoppingQueue(Document):
    """A popping consumer's state of one queue."""

    wait_ack_count: int = 0
    dropped: bool = field(default=False, metadata={"wire": "droped"})
    last_pop_timestamp: int = 0


@dataclass(frozen=True, slots=True)
class ConsumeFigures(Document):
    """A consumer's speed on one topic."""

    pull_rt: float = field(default=0.0, metadata={"wire": "pullRT"})
    pull_tps: float = field(default=0.0, metadata={"wire": "pullTPS"})
    consume_rt: float = field(default=0.0, metadata={"wire": "consumeRT"})
    consume_ok_tps: float = field(default=0.0, metadata={"wire": "consumeOKTPS"})
    consume_failed_tps: float = field(default=0.0, metadata={"wire": "consumeFailedTPS"})
    consume_failed_msgs: int = 0


@dataclass(frozen=True, slots=True)
class ConsumerRunning(Document):
    """Body of the answer to GET_CONSUMER_RUNNING_INFO (307)."""

    properties: dict[str, str] = field(default_factory=dict)
    subscription_set: tuple[SubscriptionData, ...] = ()
    mq_table: dict[MessageQueue, ConsumingQueue] = field(default_factory=dict)
    mq_pop_table: dict[MessageQueue, PoppingQueue] = field(default_factory=dict)
    status_table: dict[str, ConsumeFigures] = field(default_factory=dict)
    user_consumer_info: dict[str, Any] = field(default_factory=dict)
    jstack: str | None = None


@dataclass(frozen=True, slots=True)
class ConsumeDirectlyResult(Document):
    """Body of the answer to CONSUME_MESSAGE_DIRECTLY (309)."""

    order: bool = False
    auto_commit: bool = True
    consume_result: str = "CR_SUCCESS"
    remark: str | None = None
    spent_time_mills: int = 0
