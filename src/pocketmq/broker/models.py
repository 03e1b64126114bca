"""The message models: builds their services and handlers, starts and stops them. No logic.

`Ground` is what the broker gives them to stand on. A model adds its services in `Models.__init__`,
to `_services` when they run, and its handlers to `handlers`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

from pocketmq.broker.config import BrokerConfig, TransactionsConfig
from pocketmq.broker.handlers.assignments import AssignmentsHandler
from pocketmq.broker.handlers.recall import RecallHandler
from pocketmq.broker.handlers.replies import RepliesHandler
from pocketmq.broker.handlers.retry import RetryHandler
from pocketmq.broker.handlers.send_gate import SendGate
from pocketmq.broker.handlers.timers import TimersHandler
from pocketmq.broker.handlers.topics import Settle
from pocketmq.broker.handlers.transactions import TransactionsHandler
from pocketmq.broker.pops import PopGround, Pops
from pocketmq.broker.routes import Routed
from pocketmq.broker.services.broadcast import BroadcastService
from pocketmq.broker.services.cold_reads import ColdReadService
from pocketmq.broker.services.delay import DelayService
from pocketmq.broker.services.dispatch import DispatchService
from pocketmq.broker.services.ending import end_all
from pocketmq.broker.services.flush import FlushService
from pocketmq.broker.services.intake import Intake
from pocketmq.broker.services.message_life import MessageLife
from pocketmq.broker.services.placing import Placer
from pocketmq.broker.services.timer import TimerService
from pocketmq.broker.services.topic_routes import TopicRoutes
from pocketmq.broker.services.transaction_checks import TransactionCheckService
from pocketmq.broker.services.transactions import TransactionService
from pocketmq.broker.state.broadcast import BroadcastTable
from pocketmq.broker.state.tables import Tables
from pocketmq.clock import Clock
from pocketmq.message.scan import Filed
from pocketmq.message.topics import TIMER_TOPIC
from pocketmq.protocol.bodies.figures import Count, Number
from pocketmq.protocol.bodies.topic_config import TopicConfig
from pocketmq.protocol.replies import SendReplies
from pocketmq.store import MessageStore
from pocketmq.store.config import parse_delay_levels
from pocketmq.store.timer import TimerFiles, Timers


@dataclass(frozen=True, slots=True)
class Ground:
    """What models are built on.

    `settle` saves changed tables and tells the name servers, which are `name_servers`.
    `after_crash`: the broker was not stopped last time, but died.
    """

    config: BrokerConfig
    clock: Clock
    store: MessageStore
    tables: Tables
    dispatch: DispatchService
    flush: FlushService
    intake: Intake
    placer: Placer
    cold_reads: ColdReadService
    gate: SendGate
    replies: SendReplies
    settle: Settle
    name_servers: Callable[[], Sequence[str]]
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
        self.broadcast = BroadcastService(
            BroadcastTable(ground.clock), tables.offsets, tables.clients, store, config.pull
        )
        self.timer = _timer(ground) if config.timers.enabled else None
        self._services: tuple[Running, ...] = (self.delay, self.broadcast)
        if self.timer is not None:
            ground.placer.timer_is_full = self.timer.is_full
            self._services += (self.timer,)
        self.transactions = TransactionService(
            store,
            ground.intake,
            ground.cold_reads,
            tables.transactions,
            tables.offsets,
            ground.clock,
            config.transactions,
        )
        self.transaction_checks = _transaction_checks(ground, self.transactions)
        tables.topics.on_change(self._forget_topics)
        tables.groups.changes.listen(self._forget_groups)
        self._services += (self.transactions,)
        self.pops = Pops(_pop_ground(ground), self.timer)
        self.routes = TopicRoutes(
            ground.name_servers, tables.topics, ground.clock, config.identity.broker_name
        )
        self.life = _life(ground)
        self._recall = RecallHandler(
            tables.topics,
            ground.intake,
            ground.clock,
            config.send,
            config.timers,
            config.identity.broker_name,
            config.identity.region,
        )
        self._assignments = AssignmentsHandler(
            tables.request_modes,
            tables.topics,
            tables.groups,
            tables.clients,
            self.routes,
            ground.settle,
            config.assignments,
        )
        self._services += (*self.pops.services, self.routes, self.life)
        if not _is_replica(config):
            self._services += (self.transaction_checks,)

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
                ground.settle,
                ground.cold_reads,
            ),
            RepliesHandler(
                ground.gate,
                tables.clients,
                ground.intake,
                ground.replies,
                stores=ground.config.send.store_replies,
            ),
            self._recall,
            TimersHandler(self.timer),
            *self.pops.handlers(),
            self._assignments,
            TransactionsHandler(
                self.transactions,
                self.transaction_checks,
                ground.store,
                ground.flush,
                ground.cold_reads,
                is_replica=_is_replica(ground.config),
            ),
        ]

    def takers(self) -> dict[str, Callable[[Any], None]]:
        """By the name of a group of settings, who takes it when an operator changes it."""

        def take_transactions(config: TransactionsConfig) -> None:
            self.transactions.configure(config)
            self.transaction_checks.configure(config)

        return {
            "timers": self._recall.configure,
            "transactions": take_transactions,
            "pop": self.pops.configure,
            "assignments": self._assignments.configure,
        }

    def arrived(self, arrivals: Sequence[Filed]) -> None:
        """Messages were filed."""
        self.pops.poll.arrived(arrivals)
        if self.timer is not None:
            self.timer.arrived()

    def figures(self) -> dict[str, object]:
        """What operators are told about delay levels and the timer, where it is on."""
        figures: dict[str, object] = {
            f"scheduleMessageOffset_{level}": f"{offset},{end}"
            for level, (offset, end) in sorted(self.delay.waiting().items())
        }
        return figures | (self.timer.figures() if self.timer is not None else {})

    def numbers(self) -> Iterator[Number]:
        """What metrics tell of the timer and of pops."""
        if self.timer is not None:
            for name, value in self.timer.figures().items():
                yield Number(name, float(str(value)))
            yield Number("timer_enrolled", self.timer.enrolled)
            yield Number("timer_delivered", self.timer.delivered)
        if self.pops.records is not None:
            yield Number("pops_open", len(self.pops.records.open_pops))

    def counts(self) -> Iterator[Count]:
        """What waits in each delay level."""
        for level, (offset, end) in self.delay.waiting().items():
            yield Count("delayed", str(level), max(end - offset, 0))

    def popped(self, topic: str, group: str) -> Callable[[int], int] | None:
        """Counts, by queue, what a group has popped from a topic and not settled; None: nothing."""
        records = self.pops.records
        if records is None or not len(records.open_pops):
            return None
        return partial(records.open_pops.count, topic, group)

    def _forget_topics(self, names: Iterable[str]) -> None:
        tables = self._ground.tables
        for name in names:
            if tables.topics.find(name) is None:
                tables.transactions.forget(name)
                tables.orders.forget(name)

    def _forget_groups(self, names: Iterable[str]) -> None:
        tables = self._ground.tables
        for name in names:
            if tables.groups.find(name) is None:
                tables.orders.forget_group(name)

    def drain(self) -> None:
        """Answer who waits: nothing will come while this broker stops."""
        self.pops.poll.drain()

    def start(self) -> None:
        """Start their services in order."""
        for service in self._services:
            service.start()

    async def stop(self) -> None:
        """Stop them in reverse."""
        await end_all(*[service.stop for service in reversed(self._services)])


def _life(ground: Ground) -> MessageLife:
    return MessageLife(
        ground.store,
        ground.tables.offsets,
        ground.clock,
        ground.config.topics,
        broker=ground.config.identity.broker_name,
        store_host=ground.replies.store_host,
    )


def _pop_ground(ground: Ground) -> PopGround:
    return PopGround(
        ground.config,
        ground.clock,
        ground.store,
        ground.tables,
        ground.intake,
        ground.flush,
        ground.placer,
        ground.dispatch,
        ground.cold_reads,
        ground.replies.store_host,
    )


def _is_replica(config: BrokerConfig) -> bool:
    return config.identity.role == "SLAVE"


def _transaction_checks(
    ground: Ground, transactions: TransactionService
) -> TransactionCheckService:
    config, tables = ground.config, ground.tables
    return TransactionCheckService(
        transactions,
        ground.store,
        ground.intake,
        tables.clients,
        tables.topics,
        ground.clock,
        config.transactions,
        broker_name=config.identity.broker_name,
        age_ms_max=config.store.retention.reserved_hours * 3_600_000,
    )


def _timer(ground: Ground) -> TimerService:
    config, topics = ground.config.timers, ground.tables.topics
    if topics.find(TIMER_TOPIC) is None:
        topics.put(TopicConfig(TIMER_TOPIC, 1, 1))
    timers = Timers(
        TimerFiles(
            ground.config.store.root, config.log_file_bytes, config.precision_ms, config.roll_slots
        ),
        ground.store,
    )
    timers.open(ground.clock.now_ms(), clean=not ground.after_crash)
    service = TimerService(
        timers,
        ground.store,
        ground.dispatch,
        ground.flush,
        ground.tables.statistics,
        ground.tables.waiting,
        ground.clock,
        config,
    )
    if ground.after_crash:
        service.recount()
    return service
