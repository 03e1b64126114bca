"""What is to be measured."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from typing import Final, Literal, get_args

from pocketmq.errors import ConfigError

Load = Literal["send", "consume", "end-to-end", "ordered", "transactions"]
LOADS: Final[tuple[Load, ...]] = get_args(Load)

STAMP_BYTES: Final = 16
"""When and in which order a message was sent: what an end-to-end body begins with."""

BODY_BYTES_MAX: Final = 4 * 1024 * 1024
CLIENTS_MAX: Final = 256
IN_FLIGHT_MAX: Final = 10_000
MESSAGES_MAX: Final = 50_000_000


def _own_topic() -> str:
    return f"pocketmq-bench-{secrets.token_hex(4)}"


@dataclass(frozen=True, slots=True)
class Plan:
    """One measurement. `check` says what is wrong with it."""

    load: Load
    seconds: float = 10.0
    """How long; without it, until `messages`."""
    messages: int = 0
    """How many; 0 for as many as the time allows."""
    warm_up_seconds: float = 1.0
    """What is not counted at the beginning, when a server and its connections are cold."""
    body_bytes: int = 1024
    clients: int = 1
    """Producers, and as many consumers where there are any, each with connections of its own."""
    in_flight: int = 64
    """Sends that each producer has under way."""
    per_second: float = 0.0
    """Messages a second, all producers together; 0 for as many as they can."""
    queues: int = 8
    """Of the topic, on each broker."""
    topic: str = field(default_factory=_own_topic)
    keep_topic: bool = False
    """Whether the topic is there already and stays."""

    @property
    def group(self) -> str:
        """The consumer group of the measurement."""
        return f"{self.topic}-group"

    def check(self) -> None:
        """Raise ConfigError."""
        least = STAMP_BYTES if self.load in ("end-to-end", "ordered") else 1
        bounds = (
            ("--size", self.body_bytes, least, BODY_BYTES_MAX),
            ("--clients", self.clients, 1, CLIENTS_MAX),
            ("--in-flight", self.in_flight, 1, IN_FLIGHT_MAX),
            ("--queues", self.queues, 1, 1024),
            ("--messages", self.messages, 0, MESSAGES_MAX),
        )
        for name, value, lowest, highest in bounds:
            if not lowest <= value <= highest:
                raise ConfigError(f"{name} {value}: say a number from {lowest} to {highest}")
        if self.per_second < 0:
            raise ConfigError("--rate cannot be below 0; 0 sends as fast as it can")
        if self.seconds <= 0 and not self.messages:
            raise ConfigError("say how long with --duration, or how many with --messages")
