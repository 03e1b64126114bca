"""The name server, built, started and stopped."""

from __future__ import annotations

from pocketmq.clock import Clock, SystemClock
from pocketmq.nameserver.config import NameServerConfig
from pocketmq.nameserver.handlers.clusters import ClusterHandler
from pocketmq.nameserver.handlers.kv import KvHandler
from pocketmq.nameserver.handlers.refusals import RefusalHandler
from pocketmq.nameserver.handlers.registration import RegistrationHandler
from pocketmq.nameserver.handlers.routes import RouteHandler
from pocketmq.nameserver.handlers.settings import SettingsHandler
from pocketmq.nameserver.handlers.topics import TopicHandler
from pocketmq.nameserver.kv_table import KvFile, KvTable
from pocketmq.nameserver.live_settings import LiveSettings
from pocketmq.nameserver.route_table import RouteTable
from pocketmq.nameserver.routes import build_routes
from pocketmq.nameserver.services.expiry import ExpiryService
from pocketmq.nameserver.services.kv_saving import KvSavingService
from pocketmq.nameserver.services.notices import NoticeService
from pocketmq.net import Address, Around, Dispatch, Server


class NameServerApp:
    """One name server. Create it on the event loop that it is to run on.

    `around` may put something between connections and the service.
    """

    def __init__(
        self, config: NameServerConfig, clock: Clock | None = None, around: Around | None = None
    ) -> None:
        clock = clock or SystemClock()
        limits = config.limits
        settings = LiveSettings(config)
        self._config = config
        self.kv = KvTable()
        self._kv_file = KvFile(config.kv_path) if config.kv_path is not None else None
        self._kv_saving = KvSavingService(self.kv, self._kv_file)
        self._settings = settings
        self._settings_file = (
            KvFile(config.kv_path.with_name("overrides.json"))
            if config.kv_path is not None
            else None
        )
        self._settings_saving = KvSavingService(settings, self._settings_file)
        self._notices = NoticeService()
        self.routes = RouteTable(settings, config.liveness, limits, clock, self._notices.send)
        self._expiry = ExpiryService(self.routes, config.liveness.scan_interval_ms)
        self.answered = build_routes(
            RegistrationHandler(self.routes, settings, self.kv),
            RouteHandler(self.routes, settings, self.kv, clock),
            ClusterHandler(self.routes),
            TopicHandler(self.routes, settings, limits.topics_max),
            KvHandler(self.kv, self._kv_saving, limits.kv_entries_max),
            SettingsHandler(settings, self._settings_saving),
        )
        """Handlers by request code. Everything else is refused with a reason."""
        handlers = self.answered | RefusalHandler(self.answered).routes()
        service = Dispatch(handlers, on_disconnect=self.routes.disconnected, role="name server")
        self._server = Server(service if around is None else around(service), config.listen)

    async def start(self) -> None:
        """Load the key-value settings and listen. Raise ConfigError or ListenFailed."""
        if self._kv_file is not None:
            self._kv_file.load_into(self.kv)
        if self._settings_file is not None:
            self._settings_file.load_into(self._settings)
        await self._server.start()
        self._expiry.start()

    async def stop(self) -> None:
        """Close all connections. Brokers register elsewhere, or here after the next start."""
        self._expiry.stop()
        await self._server.stop()
        await self._notices.stop()
        await self._kv_saving.stop()
        await self._settings_saving.stop()

    @property
    def port(self) -> int:
        """The port listened on."""
        return self._server.port

    @property
    def address(self) -> Address:
        """Where the name server listens."""
        return Address(self._config.listen.host, self.port)
