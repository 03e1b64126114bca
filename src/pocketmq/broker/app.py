"""The broker: builds its parts, wires them, starts and stops them. No logic."""

from __future__ import annotations

import logging
import socket
from dataclasses import replace

from pocketmq.broker.config import BrokerConfig
from pocketmq.broker.handlers.admin.operators import OperatorServices, operator_handlers
from pocketmq.broker.handlers.clients import ClientsHandler
from pocketmq.broker.handlers.locks import LocksHandler
from pocketmq.broker.handlers.offsets import OffsetsHandler
from pocketmq.broker.handlers.pull import PullHandler
from pocketmq.broker.handlers.pull_gate import PullGate
from pocketmq.broker.handlers.queries import QueriesHandler
from pocketmq.broker.handlers.send import SendHandler
from pocketmq.broker.handlers.send_gate import SendGate
from pocketmq.broker.models import Ground, Models
from pocketmq.broker.routes import Routes, merge
from pocketmq.broker.services.clients import ClientService
from pocketmq.broker.services.cold_reads import ColdReadService
from pocketmq.broker.services.dispatch import DispatchService
from pocketmq.broker.services.flush import FlushService
from pocketmq.broker.services.intake import Intake
from pocketmq.broker.services.long_poll import LongPollService
from pocketmq.broker.services.loop import Loop
from pocketmq.broker.services.placing import Placer, placement_rules
from pocketmq.broker.services.registration import Presence, RegistrationService
from pocketmq.broker.services.retention import RetentionService
from pocketmq.broker.services.saving import SavingService
from pocketmq.broker.services.upkeep import UpkeepService
from pocketmq.broker.state.tables import Tables, load_tables
from pocketmq.clock import Clock, SystemClock
from pocketmq.errors import ListenFailed
from pocketmq.message.scan import Filed
from pocketmq.net import Address, Server, bind
from pocketmq.net.dispatch import Dispatch
from pocketmq.protocol.replies import SendReplies
from pocketmq.store import MessageStore, RecoveryReport

_log = logging.getLogger(__name__)

_TELL_SECONDS = 3.0


class BrokerApp:
    """One broker. `start` opens the store and serves; `stop` leaves a clean one.

    Raise ListenFailed, DirectoryInUse, CorruptStore, StoreFull or ConfigError from `start`; then
    nothing is left running.
    """

    def __init__(self, config: BrokerConfig, clock: Clock | None = None) -> None:
        self._config = config
        self._clock: Clock = clock or SystemClock()
        self._running: _Running | None = None

    async def start(self) -> None:
        """Take the ports, recover the store, serve, register."""
        bound = bind(self._config.listen)
        fast: socket.socket | None = None
        try:
            fast = self._bind_fast()
            running = _Running(self._config, self._clock, bound, fast)
            await running.start()
        except BaseException:
            bound.close()
            if fast is not None:
                fast.close()
            raise
        self._running = running

    async def stop(self) -> None:
        """Drain, flush and close."""
        running, self._running = self._running, None
        if running is not None:
            await running.stop()

    @property
    def running(self) -> _Running:
        """The parts of the broker while it runs."""
        assert self._running is not None, "the broker is not started"
        return self._running

    @property
    def port(self) -> int:
        """The port it listens on."""
        return self.running.server.port

    @property
    def address(self) -> Address:
        """Where it listens."""
        return Address(self._config.listen.host, self.port)

    def _bind_fast(self) -> socket.socket | None:
        listen, offset = self._config.listen, self._config.fast_port_offset
        if listen.port == 0 or offset == 0:
            return None
        try:
            return bind(replace(listen, port=listen.port + offset))
        except ListenFailed as error:
            raise ListenFailed(f"{error}, or set fast_port_offset=0 to do without it") from None


class _Running:
    """The parts of a broker that runs."""

    def __init__(
        self,
        config: BrokerConfig,
        clock: Clock,
        bound: socket.socket,
        fast: socket.socket | None,
    ) -> None:
        self.config = config
        self.clock = clock
        port = bound.getsockname()[1]
        self.advertised = _advertised(config, port)
        self.store = MessageStore(config.store, clock, store_host=self.advertised.packed())
        self.report: RecoveryReport = self.store.open()
        try:
            self._wire(bound, fast)
        except BaseException:
            self.store.close()
            raise

    def _wire(self, bound: socket.socket, fast: socket.socket | None) -> None:
        config, clock, store = self.config, self.clock, self.store
        tables = self.tables = load_tables(config, clock)
        self.long_poll = LongPollService(
            config.pull.held_max, clock, lambda topic, queue: store.queue_offsets(topic, queue)[1]
        )
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
        self.gate = SendGate(
            tables.topics,
            tables.groups,
            tables.locks,
            tables.statistics,
            clock,
            config.send,
            self.placer,
        )
        self.replies = SendReplies(
            self.advertised.packed(), config.identity.region, config.send.trace_on
        )
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
                after_crash=not self.report.clean,
            )
        )
        self.clients = ClientService(tables.clients, tables.groups, tables.locks, config.clients)
        self.retention = RetentionService(store, tables.topics, clock, config.store.retention)
        self.saving = SavingService(
            config.saving,
            prompt=(tables.topics, tables.groups, tables.overrides),
            timed=(tables.offsets, tables.delays, tables.waiting, tables.transactions),
        )
        self.registration = RegistrationService(
            config.registration,
            self._presence(),
            tables.topics,
            lambda learned: tables.topics.mark_ordered(learned.order_topics),
        )
        self.counting = Loop("statistics", 1000, tables.statistics.step)
        routes = self._routes(tables)
        self.server = self._server(routes, bound)
        self.fast_server = None
        if fast is not None:
            self.fast_server = self._server(routes.without_pulls(), fast)

    def _routes(self, tables: Tables) -> Routes:
        config, store = self.config, self.store
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
            self._announce,
        )
        pull = PullHandler(
            PullGate(tables.topics, tables.groups, tables.clients, config.pull),
            store,
            tables.offsets,
            tables.statistics,
            self.long_poll,
            self.cold_reads,
            config.pull,
        )
        handlers = merge(
            send,
            pull,
            ClientsHandler(tables.clients, tables.groups, tables.topics, self.clock),
            LocksHandler(tables.locks),
            OffsetsHandler(tables.offsets, tables.topics, tables.groups, store),
            QueriesHandler(store, tables.clients),
            *self.models.handlers(),
            *operator_handlers(config, store, tables, self._operator_services(), self.clock),
        )
        return Routes(handlers, {**send.frame_handlers(), **pull.frame_handlers()})

    def _operator_services(self) -> OperatorServices:
        return OperatorServices(
            self.clients,
            self.retention,
            self.saving,
            self._settle,
            lambda: self.flush.waiting,
            self.models.timer_figures,
        )

    async def _settle(self) -> None:
        """Save changed tables, and let the name servers know."""
        await self.saving.save_prompt()
        await self._announce()

    async def _announce(self) -> None:
        """Wait until the name servers that can be reached know of the latest changes."""
        await self.registration.tell_changes(_TELL_SECONDS)

    def _presence(self) -> Presence:
        identity, address = self.config.identity, self.advertised
        auto = identity.advertise == "auto"
        everywhere = self.config.listen.host in ("0.0.0.0", "::", "")
        return Presence(
            identity.cluster,
            identity.broker_name,
            identity.id,
            address.port,
            address.port + 1,
            None if auto and everywhere else address.host,
            auto and everywhere,
            address.host,
        )

    def _server(self, routes: Routes, bound: socket.socket) -> Server:
        service = Dispatch(
            routes.handlers,
            frame_handlers=routes.frame_handlers,
            on_disconnect=self.tables.clients.disconnected,
            role="broker",
        )
        return Server(service, self.config.listen, bound)

    def _arrived(self, arrivals: list[Filed]) -> None:
        self.long_poll.arrived(arrivals)
        self.models.arrived()
        self.upkeep.written(self.store.log_end)

    async def start(self) -> None:
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
        await self.registration.stop()
        if self.fast_server is not None:
            await self.fast_server.stop()
        self.long_poll.drain()
        await self.flush.settle()
        await self.server.stop()
        self.long_poll.stop()
        await self.models.stop()
        self.cold_reads.stop()
        for service in (self.counting, self.clients, self.retention, self.saving):
            await service.stop()
        await self.flush.stop()
        await self.upkeep.stop()
        self.store.close()


def _advertised(config: BrokerConfig, port: int) -> Address:
    """The address that messages are stamped with and name servers are told."""
    host = config.identity.advertise
    if host == "auto":
        host = config.listen.host
        if host in ("0.0.0.0", "::", ""):
            host = _own_host()
    return Address(_resolved(host), port)


def _resolved(host: str) -> str:
    try:
        return str(socket.getaddrinfo(host, None, proto=socket.IPPROTO_TCP)[0][4][0])
    except OSError:
        return host


def _own_host() -> str:
    """An address of this machine that others may reach; no packet is sent to find it."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("10.255.255.255", 1))
            return str(probe.getsockname()[0])
        except OSError:
            return "127.0.0.1"
