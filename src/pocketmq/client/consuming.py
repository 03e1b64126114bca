"""What a consumer is told when it is made: how it starts, how much it holds, how it retries."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Literal

from pocketmq.client.messages import Delay
from pocketmq.client.process_queue import QueueLimits
from pocketmq.errors import ConfigError

StartFrom = Literal["first", "last"] | datetime | float
"""Where a group starts in a queue it has no position in: the first message still there, the end,
or the first message stored at or after a time (a datetime, or seconds since 1970)."""

FROM_LAST: Final = "CONSUME_FROM_LAST_OFFSET"
FROM_FIRST: Final = "CONSUME_FROM_FIRST_OFFSET"
FROM_TIME: Final = "CONSUME_FROM_TIMESTAMP"


@dataclass(frozen=True, slots=True)
class ConsumerOptions:
    """Settings that most consumers never touch. Pass it as `options=`."""

    pull_messages_max: int = 32
    """The most messages one pull asks for."""
    pull_bytes_max: int = 256 * 1024
    """The most bytes one pull asks for; the broker may give less."""
    poll_timeout_ms: int = 15_000
    """How long a broker holds a pull that finds nothing."""
    queue_messages_max: int = 1000
    """The most messages of one queue that are held; its puller waits beyond it."""
    queue_bytes_max: int = 100 * 1024 * 1024
    """The most bytes of one queue that are held."""
    queue_span_max: int = 2000
    """The most offsets between a queue's first unfinished message and its last."""
    topic_messages_max: int = 0
    """The most messages of one topic that are held; 0 for no limit."""
    topic_bytes_max: int = 0
    """The most bytes of one topic that are held; 0 for no limit."""
    rebalance_interval_ms: int = 20_000
    """How often the group's members are looked at, when no broker says they have changed."""
    commit_interval_ms: int = 5000
    """How often positions are committed."""
    lock_interval_ms: int = 20_000
    """How often locks of queues are renewed, for ordered consumption."""
    lock_lease_ms: int = 30_000
    """How long a lock is trusted after it was last confirmed."""
    handler_timeout_ms: int = 15 * 60_000
    """How long a handler may take; the message is then delivered again. 0 for no limit."""
    ordered_retry_ms: int = 1000
    """How long a queue pauses before a failed message is tried again, for ordered consumption."""
    local_retry_ms: int = 5000
    """How long a failed message is kept when no broker takes it back."""
    stop_timeout_ms: int = 10_000
    """How long `stop` waits for messages that are being handled."""

    def limits(self, queues_of_topic: int, *, ordered: bool) -> QueueLimits:
        """What one queue may hold, when its topic has so many of them here."""
        share = max(1, queues_of_topic)
        messages, size = self.queue_messages_max, self.queue_bytes_max
        if self.topic_messages_max:
            messages = min(messages, max(1, self.topic_messages_max // share))
        if self.topic_bytes_max:
            size = min(size, max(1, self.topic_bytes_max // share))
        return QueueLimits(messages, size, 0 if ordered else self.queue_span_max)

    def check(self) -> None:
        """Raise ConfigError for a value that cannot work."""
        for name, least in _LEAST.items():
            value = getattr(self, name)
            if value < least:
                raise ConfigError(f"ConsumerOptions.{name} is {value}; take {least} or more")


_LEAST: Final = {
    "pull_messages_max": 1,
    "pull_bytes_max": 1,
    "poll_timeout_ms": 0,
    "queue_messages_max": 1,
    "queue_bytes_max": 1,
    "queue_span_max": 1,
    "topic_messages_max": 0,
    "topic_bytes_max": 0,
    "rebalance_interval_ms": 1,
    "commit_interval_ms": 1,
    "lock_interval_ms": 1,
    "lock_lease_ms": 1,
    "handler_timeout_ms": 0,
    "ordered_retry_ms": 1,
    "local_retry_ms": 1,
    "stop_timeout_ms": 0,
}


def start_name(start_from: StartFrom) -> str:
    """A start as heartbeats tell it. Raise ConfigError for one that means nothing."""
    if start_from == "last":
        return FROM_LAST
    if start_from == "first":
        return FROM_FIRST
    start_ms(start_from)
    return FROM_TIME


def start_ms(start_from: object) -> int:
    """A start in time as milliseconds since 1970. Raise ConfigError for anything else."""
    if isinstance(start_from, datetime):
        return round(start_from.timestamp() * 1000)
    if isinstance(start_from, (int, float)) and not isinstance(start_from, bool):
        return round(start_from * 1000)
    raise ConfigError(
        f"start_from is {start_from!r}; say 'first', 'last', a datetime or seconds since 1970"
    )


@dataclass(frozen=True, slots=True)
class RetryRules:
    """When a message comes again, and when it is given up."""

    retry_in: Delay | None = None
    """The delay of a retry that names none itself; None leaves it to the broker."""
    attempts_max: int | None = None
    """How often a message is delivered in all; None for the broker's limit, 17 by default."""
    ordered_retry_seconds: float = field(default=1.0)
    """The pause before a failed message is tried again in place."""

    def check(self) -> None:
        """Raise ConfigError for a value that cannot work."""
        if self.attempts_max is not None and self.attempts_max < 1:
            raise ConfigError(
                f"max_attempts is {self.attempts_max}; 1 means no retry, None the broker's limit"
            )
