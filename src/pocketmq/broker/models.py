"""The message models: builds their services and handlers, starts and stops them. No logic.

`Ground` is what the broker gives them to stand on. A model adds its services in `Models.__init__`,
to `_services` when they run, and its handlers to `handlers`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from pocketmq.broker.config import BrokerConfig
from pocketmq.broker.handlers.replies import RepliesHandler
from pocketmq.broker.handlers.retry import RetryHandler
from pocketmq.broker.handlers.send_gate import SendGate
from pocketmq.broker.routes import Routed
from pocketmq.broker.services.cold_reads import ColdReadService
from pocketmq.broker.services.delay import DelayService
from pocketmq.broker.services.intake import Intake
from pocketmq.broker.services.placing import Placer
from pocketmq.broker.state.tables import Tables
from pocketmq.clock import Clock
from pocketmq.protocol.replies import SendReplies
from pocketmq.store import MessageStore
from pocketmq.store.config import parse_delay_levels


@dataclass(frozen=True, slots=True)
class Ground:
    """What models are built on. `after_crash`: the broker was not stopped last time, but died."""

    config: BrokerConfig
    clock: Clock
    store: MessageStore
    tables: Tables
    intake: Intake
    placer: Placer
    cold_reads: ColdReadService
    gate: SendGate
    replies: SendReplies
    after_crash: bool


class Running(Protocol):
    """A service of a model."""

    def start(self) -> None:
        """Begin; the store is open, but no client is served yet."""
        ...

    async def stop(self) -> None:
        """End; no client is served any more, and tables are saved afterwards."""
        ...


class Models:
    """All models of one broker."""

    def __init__(self, ground: Ground) -> None:
        self._ground = ground
        config, store, tables = ground.config, ground.store, ground.tables
        self.delay = DelayService(
            store,
            ground.intake,
            tables.delays,
            ground.cold_reads,
            ground.clock,
            parse_delay_levels(config.store.delay_levels),
            after_crash=ground.after_crash,
        )
        self._services: tuple[Running, ...] = (self.delay,)

    def handlers(self) -> list[Routed]:
        """What clients may ask of them."""
        ground, tables = self._ground, self._ground.tables
        return [
            RetryHandler(
                tables.topics,
                tables.groups,
                tables.statistics,
                ground.store,
                ground.intake,
                ground.placer,
            ),
            RepliesHandler(
                ground.gate,
                tables.clients,
                ground.intake,
                ground.replies,
                stores=ground.config.send.store_replies,
            ),
        ]

    def start(self) -> None:
        """Start their services in order."""
        for service in self._services:
            service.start()

    async def stop(self) -> None:
        """Stop them in reverse."""
        for service in reversed(self._services):
            await service.stop()
