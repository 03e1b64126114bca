"""Where the SDK's scenarios play: a cluster, and short words for what they do on it."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import pocketmq

_numbers = itertools.count(1)

OPTIONS = pocketmq.ConsumerOptions(rebalance_interval_ms=2000, commit_interval_ms=500)


@dataclass
class Stage:
    """A cluster and what may be asked of it."""

    address: str | pocketmq.ClientConfig
    create_topic: Callable[[str], Awaitable[None]]
    producer: pocketmq.Producer
    pops: bool = True
    """Whether the broker is new enough for pops."""
    invisible: float = 2
    """How long pops hide messages: longer for a server that may be slow to answer an ack."""

    async def topic(self) -> str:
        """A new topic of four queues."""
        name = f"sdk_{next(_numbers)}"
        await self.create_topic(name)
        return name

    def group(self) -> str:
        """A new group."""
        return f"sdk_group_{next(_numbers)}"

    async def send(self, topic: str, count: int) -> list[str]:
        """Send so many messages; returns their bodies."""
        bodies = [f"{topic}-{number}" for number in range(count)]
        await asyncio.gather(*(self.producer.send(topic, body) for body in bodies))
        return bodies

    def consumer(self, topics: object, **options: object) -> pocketmq.Consumer:
        """A consumer that starts at the first message and looks after its group often."""
        settings: dict[str, object] = {
            "group": self.group(),
            "start_from": "first",
            "options": OPTIONS,
            **options,
        }
        return pocketmq.Consumer(self.address, topics=topics, **settings)  # type: ignore[arg-type]


async def take(consumer: pocketmq.Consumer, count: int) -> list[str]:
    """The texts of the next messages of a loop."""
    found: list[str] = []
    async for message in consumer:
        found.append(message.text)
        if len(found) == count:
            break
    return found
