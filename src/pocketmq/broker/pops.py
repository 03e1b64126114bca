"""Pop consumption: its services and handlers, made of each other. No logic."""

from __future__ import annotations

from pocketmq.broker.config import IdentityConfig
from pocketmq.broker.handlers.assignments import AssignmentsHandler
from pocketmq.broker.handlers.pop import PopHandler
from pocketmq.broker.handlers.topics import Settle
from pocketmq.broker.routes import Routed
from pocketmq.broker.services.cold_reads import ColdReadService
from pocketmq.broker.services.dispatch import DispatchService
from pocketmq.broker.services.intake import Intake
from pocketmq.broker.services.pop_poll import PopPollService
from pocketmq.broker.services.pops import PopService
from pocketmq.broker.services.revive import Progress, ReviveService
from pocketmq.broker.state.pop import AckBook
from pocketmq.broker.state.tables import Tables
from pocketmq.clock import Clock
from pocketmq.store import MessageStore


class Pops:
    """The parts of one broker's pops. Without a timer there is only the refusal."""

    def __init__(
        self,
        identity: IdentityConfig,
        clock: Clock,
        store: MessageStore,
        tables: Tables,
        intake: Intake,
        dispatch: DispatchService,
        cold_reads: ColdReadService,
        settle: Settle,
        timer: Progress | None,
        precision_ms: int,
    ) -> None:
        broker = identity.broker_name
        self.poll = PopPollService(clock)
        self.revive: ReviveService | None = None
        self.service: PopService | None = None
        self.services: tuple[PopPollService | ReviveService, ...] = (self.poll,)
        if timer is not None:
            self.revive = ReviveService(
                store,
                intake,
                dispatch,
                tables.topics,
                tables.offsets,
                AckBook(),
                clock,
                timer,
                cluster=identity.cluster,
                broker=broker,
                precision_ms=precision_ms,
            )
            self.service = PopService(
                store,
                tables.topics,
                tables.offsets,
                tables.orders,
                tables.statistics,
                self.revive,
                clock,
                broker,
            )
            if identity.role != "SLAVE":
                self.services = (self.poll, self.revive)
        self._handlers = self._build_handlers(store, tables, cold_reads, settle, clock, broker)

    def _build_handlers(
        self,
        store: MessageStore,
        tables: Tables,
        cold_reads: ColdReadService,
        settle: Settle,
        clock: Clock,
        broker: str,
    ) -> list[Routed]:
        return [
            PopHandler(
                self.service,
                self.revive,
                self.poll,
                store,
                tables.topics,
                tables.groups,
                tables.offsets,
                tables.orders,
                cold_reads,
                clock,
                broker,
            ),
            AssignmentsHandler(
                tables.request_modes,
                tables.topics,
                tables.groups,
                tables.clients,
                settle,
                broker,
            ),
        ]

    def handlers(self) -> list[Routed]:
        """What clients may ask."""
        return self._handlers
