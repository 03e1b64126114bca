"""Pop consumption: its services and handlers, made of each other. No logic."""

from __future__ import annotations

from dataclasses import dataclass

from pocketmq.broker.config import BrokerConfig, PopConfig
from pocketmq.broker.handlers.acks import AcksHandler
from pocketmq.broker.handlers.pop import PopHandler
from pocketmq.broker.handlers.pop_gate import PopGate
from pocketmq.broker.handlers.pop_views import PopViewsHandler
from pocketmq.broker.routes import Routed
from pocketmq.broker.services.cold_reads import ColdReadService
from pocketmq.broker.services.dispatch import DispatchService
from pocketmq.broker.services.flush import FlushService
from pocketmq.broker.services.intake import Intake
from pocketmq.broker.services.ordered_pops import OrderedPops
from pocketmq.broker.services.placing import Placer
from pocketmq.broker.services.pop_places import PopPlaces
from pocketmq.broker.services.pop_poll import PopPollService
from pocketmq.broker.services.pop_records import PopRecords, Progress
from pocketmq.broker.services.pop_retries import PopRetries
from pocketmq.broker.services.pops import PopService
from pocketmq.broker.services.revive import ReviveService
from pocketmq.broker.state.tables import Tables
from pocketmq.clock import Clock
from pocketmq.store import MessageStore


@dataclass(frozen=True, slots=True)
class PopGround:
    """What pops are built on."""

    config: BrokerConfig
    clock: Clock
    store: MessageStore
    tables: Tables
    intake: Intake
    flush: FlushService
    placer: Placer
    dispatch: DispatchService
    cold_reads: ColdReadService
    store_host: bytes


class Pops:
    """The parts of one broker's pops. Without a timer there is only the refusal."""

    def __init__(self, ground: PopGround, timer: Progress | None) -> None:
        config, clock, tables = ground.config, ground.clock, ground.tables
        self._ground = ground
        self.poll = PopPollService(ground.store.record_at, clock, config.pop)
        tables.offsets.on_reset(lambda group, topic, _: self.poll.wake(group, topic))
        self._ordered = OrderedPops(tables.orders, tables.offsets, self.poll, clock)
        self._places = PopPlaces(
            ground.store, tables.topics, tables.offsets, self._ordered, config.pop
        )
        self.records: PopRecords | None = None
        self.revive: ReviveService | None = None
        self.service: PopService | None = None
        self.services: tuple[PopPollService | ReviveService, ...] = (self.poll,)
        if timer is not None:
            self.records = self._build_records(ground, timer)
            self.service = PopService(
                ground.store,
                self._places,
                self._ordered,
                self.records,
                tables.statistics,
                clock,
                config.pop,
                config.identity.broker_name,
            )
            self.revive = self._build_revive(ground, self.records, timer)
            if config.identity.role != "SLAVE":
                self.services = (self.poll, self.revive)

    @staticmethod
    def _build_records(ground: PopGround, timer: Progress) -> PopRecords:
        identity = ground.config.identity
        return PopRecords(
            ground.intake,
            ground.clock,
            timer,
            ground.config.timers,
            lambda due_ms: ground.placer.timer_is_full(due_ms),
            cluster=identity.cluster,
            broker=identity.broker_name,
            store_host=ground.store_host,
        )

    @staticmethod
    def _build_revive(ground: PopGround, records: PopRecords, timer: Progress) -> ReviveService:
        tables, config = ground.tables, ground.config.pop
        retries = PopRetries(
            ground.store,
            ground.intake,
            ground.cold_reads,
            tables.topics,
            tables.groups,
            tables.offsets,
            config,
        )
        return ReviveService(
            ground.store,
            records,
            retries,
            ground.dispatch,
            tables.offsets,
            ground.clock,
            timer,
            config,
        )

    def configure(self, config: PopConfig) -> None:
        """Take changed settings where they can change while pops go on."""
        self.poll.configure(config)
        if self.service is not None:
            self.service.configure(config)

    def handlers(self) -> list[Routed]:
        """What clients may ask."""
        ground, poll = self._ground, self.poll
        config, clock, tables = ground.config, ground.clock, ground.tables
        gate = PopGate(
            tables.topics,
            tables.groups,
            tables.clients,
            has_timer=self.service is not None,
            property_filter=config.pull.property_filter,
        )
        invisible_ms_max = config.timers.delay_max_seconds * 1000
        return [
            PopHandler(
                gate,
                self.service,
                poll,
                ground.cold_reads,
                ground.flush,
                clock,
                invisible_ms_max=invisible_ms_max,
            ),
            PopViewsHandler(gate, self._places, poll, ground.store, clock),
            AcksHandler(
                gate,
                tables.topics,
                ground.store,
                self.records,
                self._ordered,
                clock,
                config.pop,
                config.identity.broker_name,
                invisible_ms_max=invisible_ms_max,
            ),
        ]
