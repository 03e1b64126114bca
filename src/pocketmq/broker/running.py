"""The parts of a broker that runs: how they are made of each other, started and stopped."""

from __future__ import annotations

import logging
import socket
from collections.abc import Iterable, Sequence

from pocketmq.broker.access import Access
from pocketmq.broker.addresses import advertised, presence
from pocketmq.broker.config import BrokerConfig
from pocketmq.broker.handlers.admin.figure_sources import BrokerFigures, LiveParts
from pocketmq.broker.handlers.admin.figures import FiguresHandler, Stepwise, sections_of
from pocketmq.broker.handlers.admin.operators import OperatorServices, operator_handlers
from pocketmq.broker.handlers.admin.progress_figures import ProgressSource
from pocketmq.broker.handlers.admin.size_figures import SizeSource
from pocketmq.broker.handlers.clients import ClientsHandler
from pocketmq.broker.handlers.locks import LocksHandler
from pocketmq.broker.handlers.offsets import OffsetsHandler
from pocketmq.broker.handlers.plain_pulls import PlainPulls
from pocketmq.broker.handlers.plain_sends import Lanes, PlainSendHandler
from pocketmq.broker.handlers.pull import MASTER_ID, PullHandler
from pocketmq.broker.handlers.pull_gate import PullGate
from pocketmq.broker.handlers.queries import QueriesHandler
from pocketmq.broker.handlers.send import SendHandler
from pocketmq.broker.handlers.send_gate import SendGate
from pocketmq.broker.models import Ground, Models
from pocketmq.broker.pipeline import Checked
from pocketmq.broker.routes import Routes, frame_handlers_of, merge
from pocketmq.broker.services.clients import ClientService
from pocketmq.broker.services.cold_reads import ColdReadService
from pocketmq.broker.services.dispatch import DispatchService
from pocketmq.broker.services.ending import end_all
from pocketmq.broker.services.flush import FlushService
from pocketmq.broker.services.intake import Intake
from pocketmq.broker.services.long_poll import LongPollService
from pocketmq.broker.services.loop import Loop
from pocketmq.broker.services.placing import Placer, placement_rules
from pocketmq.broker.services.registration import RegistrationService
from pocketmq.broker.services.retention import RetentionService
from pocketmq.broker.services.saving import SavingService
from pocketmq.broker.services.upkeep import UpkeepService
from pocketmq.broker.state.tables import Tables, load_tables
from pocketmq.broker.state.topics import is_batch_topic
from pocketmq.clock import Clock
from pocketmq.message.scan import Filed
from pocketmq.net import Around, Server, Service
from pocketmq.net.dispatch import Dispatch
from pocketmq.protocol.replies import SendReplies
from pocketmq.store import MessageStore, RecoveryReport

_log = logging.getLogger(__name__)

_TELL_SECONDS = 3.0


class RunningBroker:
    """The parts of a broker that runs."""

    def __init__(
        self,
        config: BrokerConfig,
        clock: Clock,
        bound: socket.socket,
        fast: socket.socket | None,
        around: Around | None = None,
    ) -> None:
        self.config = config
        self._around = around
        self.clock = clock
        port = bound.getsockname()[1]
        self.advertised = advertised(config, port)
        self.store = MessageStore(config.store, clock, store_host=self.advertised.packed())
        self.tables = load_tables(config, clock)
        self._declare_batch_topics(self.tables.topics.batch_topics)
        self.tables.topics.on_change(self._declare_batch_topics)
        self.report: RecoveryReport = self.store.open()
        try:
            self._wire_store()
            self._wire_services()
            self._wire_ports(bound, fast)
        except BaseException:
            self.store.close()
            raise

    def _declare_batch_topics(self, names: Iterable[str]) -> None:
        """Tell the store of topics with queue.type=BatchCQ before their first message comes."""
        for name in names:
            topic = self.tables.topics.find(name)
            if topic is not None and is_batch_topic(topic):
                self.store.declare_batch_topic(name)

    def _wire_store(self) -> None:
        """What messages go through on their way in."""
        config, clock, store, tables = self.config, self.clock, self.store, self.tables
        self.long_poll = LongPollService(
            config.pull.held_max, clock, lambda topic, queue: store.queue_offsets(topic, queue)[1]
        )
        tables.offsets.on_reset(self.long_poll.wake)
        self.dispatch = DispatchService(store, self._arrived)
        self.upkeep = UpkeepService(store, self.dispatch.wake)
        self.flush = FlushService(
            store,
            config.store.flush,
            clock,
            self.dispatch.wake,
            tables.statistics.puts_took,
            waiting_max=config.send.waiting_for_disk_max,
        )
        self.cold_reads = ColdReadService()
        self.placer = Placer(placement_rules(config), clock)
        self.intake = Intake(
            store,
            self.dispatch,
            self.flush,
            tables.statistics,
            clock,
            self.advertised.packed(),
            self.placer,
        )
        self.lanes = Lanes(store)
        self.gate = SendGate(
            tables.topics,
            tables.groups,
            tables.locks,
            tables.statistics,
            clock,
            config.send,
            self.placer,
            self.lanes,
        )
        self.replies = SendReplies(
            self.advertised.packed(), config.identity.region, config.send.trace_on
        )

    def _wire_services(self) -> None:
        """What goes on beside requests."""
        config, clock, store, tables = self.config, self.clock, self.store, self.tables
        self.models = Models(
            Ground(
                config,
                clock,
                store,
                tables,
                self.dispatch,
                self.flush,
                self.intake,
                self.placer,
                self.cold_reads,
                self.gate,
                self.replies,
                self._settle,
                lambda: self.registration.name_servers,
                after_crash=not self.report.clean,
            )
        )
        self.clients = ClientService(tables.clients, tables.groups, tables.locks, config.clients)
        self.retention = RetentionService(
            store, tables.topics, clock, self.cold_reads, config.store.retention
        )
        self.saving = SavingService(
            config.saving,
            prompt=(
                tables.topics,
                tables.groups,
                tables.overrides,
                tables.request_modes,
                tables.users,
                tables.acls,
            ),
            timed=(
                tables.offsets,
                tables.delays,
                tables.waiting,
                tables.transactions,
                tables.orders,
                tables.filters,
            ),
        )
        self.registration = RegistrationService(
            config.registration,
            presence(config, self.advertised),
            tables.topics,
            lambda learned: tables.topics.mark_ordered(learned.order_topics),
        )
        self.counting = Loop("statistics", 1000, tables.statistics.step)

    def _wire_ports(self, bound: socket.socket, fast: socket.socket | None) -> None:
        """Who answers, and where."""
        tables, config = self.tables, self.config
        self.access = Access(
            config.access, config.identity.cluster, tables.users, tables.acls, self._topic_at
        )
        self.routes = routes = self._routes(tables)
        self.server = self._server(routes, bound)
        self.fast_server = None
        if fast is not None:
            self.fast_server = self._server(routes.without_pulls(), fast)

    def _routes(self, tables: Tables) -> Routes:
        config, store = self.config, self.store
        self.figures = self._figures()
        send = SendHandler(
            self.gate,
            store,
            self.dispatch,
            self.flush,
            tables.statistics,
            self.replies,
            config.identity.cluster,
            config.identity.broker_name,
            tables.transactions,
            self._settle,
        )
        pull, plain_pulls = self._pulls(tables)
        models = self.models.handlers()
        handlers = merge(
            send,
            pull,
            ClientsHandler(
                tables.clients,
                tables.groups,
                tables.topics,
                tables.filters,
                self.clock,
                property_filter=config.pull.property_filter,
            ),
            LocksHandler(tables.locks),
            OffsetsHandler(tables.offsets, tables.topics, tables.groups, store, self.cold_reads),
            QueriesHandler(store, tables.clients, self.cold_reads, self.models.life),
            *models,
            *operator_handlers(config, store, tables, self._operator_services(), self.clock),
            self.figures,
        )
        plain_sends = PlainSendHandler(
            self.lanes,
            store,
            self.dispatch,
            self.flush,
            self.replies,
            send.own_properties,
            config.listen.frame_bytes_max,
        )
        return Routes(handlers, frame_handlers_of(send, pull, *models), plain_sends, plain_pulls)

    def _pulls(self, tables: Tables) -> tuple[PullHandler, PlainPulls]:
        config, store = self.config, self.store
        plain = PlainPulls(
            store,
            tables.topics,
            tables.groups,
            tables.offsets,
            tables.statistics,
            config.pull,
            frame_bytes_max=config.listen.frame_bytes_max,
            broker_id=MASTER_ID,
        )
        gate = PullGate(tables.topics, tables.groups, tables.clients, tables.filters, config.pull)
        pull = PullHandler(
            gate,
            store,
            tables.offsets,
            tables.statistics,
            self.long_poll,
            self.cold_reads,
            config.pull,
            self.models.broadcast,
            plain,
        )
        return pull, plain

    def _operator_services(self) -> OperatorServices:
        return OperatorServices(
            self.clients,
            self.cold_reads,
            self.retention,
            self.saving,
            self._settle,
            lambda: self.flush.waiting,
            self.models.figures,
            self.models.takers(),
            self.access,
        )

    def _figures(self) -> FiguresHandler:
        live = LiveParts(
            lambda: self.flush.waiting,
            lambda: self.long_poll.count,
            self._connections,
            self.models.numbers,
            self.models.counts,
        )
        config, store, tables, cold_reads = self.config, self.store, self.tables, self.cold_reads
        figures = BrokerFigures(config, store, tables, cold_reads, live, self.clock)
        progress = ProgressSource(
            tables.topics, tables.offsets, tables.clients, store, cold_reads, self.models.popped
        )
        sizes = SizeSource(tables.topics, store)
        stepwise: dict[str, Stepwise] = {"progress": progress, "sizes": sizes}
        return FiguresHandler(figures, sections_of(figures, tables), stepwise)

    def _connections(self) -> int:
        servers = (self.server, self.fast_server)
        return sum(len(server.connections) for server in servers if server is not None)

    async def _topic_at(self, log_offset: int) -> str | None:
        look = self.store.in_memory
        record = await self.cold_reads.look_up(lambda: look.decoded_record_at(log_offset))
        return None if record is None else record.topic

    async def _settle(self) -> None:
        """Save changed tables, and let the name servers know."""
        await self.saving.save_prompt()
        await self._announce()

    async def _announce(self) -> None:
        """Wait until the name servers that can be reached know of the latest changes."""
        await self.registration.tell_changes(_TELL_SECONDS)

    def _server(self, routes: Routes, bound: socket.socket) -> Server:
        service: Service = Dispatch(
            routes.handlers,
            frame_handlers=routes.frame_handlers,
            take=routes.sends.take,
            take_turn=routes.take_turn,
            on_disconnect=self.tables.clients.disconnected,
            role="broker",
        )
        if self.access.config.is_on:
            service = Checked(service, self.access.admit)
        served = service if self._around is None else self._around(service)
        return Server(served, self.config.listen, bound)

    def _arrived(self, arrivals: Sequence[Filed]) -> None:
        self.long_poll.arrived(arrivals)
        self.models.arrived(arrivals)
        self.upkeep.written(self.store.log_end)

    async def start(self) -> None:
        """Begin to work, then to listen, then to register."""
        for warning in self.access.warnings():
            _log.warning("%s", warning)
        self.dispatch.drain()
        for service in (self.upkeep, self.flush, self.long_poll, self.clients):
            service.start()
        self.retention.start()
        self.saving.start()
        self.counting.start()
        self.models.start()
        await self.server.start()
        if self.fast_server is not None:
            await self.fast_server.start()
        self.registration.start()
        await self.registration.first_round(_TELL_SECONDS)

    async def stop(self) -> None:
        """Say goodbye, answer who waits, save, and close the store."""
        await end_all(
            self.registration.stop,
            *([] if self.fast_server is None else [self.fast_server.stop]),
            self.long_poll.drain,
            self.models.drain,
            self.flush.settle,
            self.server.stop,
            self.long_poll.stop,
            self.models.stop,
            self.cold_reads.stop,
            *[x.stop for x in (self.counting, self.clients, self.retention, self.saving)],
            self.flush.stop,
            self.upkeep.stop,
            self.store.close,
        )
