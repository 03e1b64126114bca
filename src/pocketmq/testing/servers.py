"""The name server and the broker of a test: their settings, their start, their stops and restarts.

Everything here runs on the event loop of `LoopThread`.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from pocketmq.broker.app import BrokerApp
from pocketmq.broker.config import BrokerConfig
from pocketmq.broker.running import RunningBroker
from pocketmq.clock import TravellingClock
from pocketmq.errors import ConfigError, PocketMQError
from pocketmq.nameserver.app import NameServerApp
from pocketmq.nameserver.config import NameServerConfig
from pocketmq.net import Around
from pocketmq.settings import Entry, resolve
from pocketmq.testing.crash import copy_as_it_is, put_in_place

CLUSTER = "DefaultCluster"
BROKER = "pocketmq"

_PAUSE_SECONDS = 0.001
_MIB = 1024 * 1024
_TEN_YEARS_MS = 10 * 365 * 86_400_000


class Servers:
    """One name server and one broker on free ports. The broker can be stopped and started again."""

    def __init__(
        self,
        directory: Path,
        settings: Mapping[str, object],
        clock: TravellingClock,
        around_name_server: Around,
        around_broker: Around,
    ) -> None:
        nameserver, self._broker_config = _configs(directory, settings)
        self.clock = clock
        self._around_broker = around_broker
        # Its time is real: a jump must not make the name server believe the broker dead.
        self._name_server = NameServerApp(nameserver, around=around_name_server)
        self._broker: BrokerApp | None = None
        self._restarted: Callable[[], None] = lambda: None

    def on_restart(self, listener: Callable[[], None]) -> None:
        """Call `listener` when the broker has been started again."""
        self._restarted = listener

    async def start(self) -> None:
        """Start both. Raise ConfigError, ListenFailed."""
        await self._name_server.start()
        try:
            await self.start_broker()
        except BaseException:
            await self._name_server.stop()
            raise
        listen = replace(self._broker_config.listen, port=self.broker_port)
        self._broker_config = replace(self._broker_config, listen=listen)

    async def stop(self) -> None:
        """Stop both."""
        await self.stop_broker()
        await self._name_server.stop()

    async def start_broker(self) -> None:
        """Start the broker, where it was before when it was stopped."""
        registration = replace(
            self._broker_config.registration, name_servers=str(self._name_server.address)
        )
        config = replace(self._broker_config, registration=registration)
        app = BrokerApp(config, self.clock, self._around_broker)
        await app.start()
        self._broker = app
        self._restarted()

    async def stop_broker(self) -> None:
        """Stop the broker; what it holds stays in the directory."""
        app, self._broker = self._broker, None
        if app is not None:
            await app.stop()

    async def kill_broker(self) -> None:
        """End the broker as if its process was killed; start it again, and it recovers.

        Raise ConfigError for a commit log that lies apart from the rest.
        """
        if self._broker_config.store.commit_log_dir is not None:
            raise ConfigError("a broker with a storePathCommitLog of its own cannot be killed")
        running, root = self.running, self._broker_config.store.root
        copy = root.with_name(f"{root.name}.killed")
        shutil.rmtree(copy, ignore_errors=True)
        running.server.break_off()
        copy_as_it_is(root, copy)  # without giving way to anybody who could answer a client
        await self.stop_broker()
        put_in_place(copy, root)

    async def until(self, condition: Callable[[], bool], seconds_max: float) -> None:
        """Return when `condition()` is true. Raise PocketMQError when it takes too long."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + seconds_max
        while not condition():
            if loop.time() > deadline:
                raise PocketMQError(f"the test broker did not get ready within {seconds_max:g} s")
            await asyncio.sleep(_PAUSE_SECONDS)

    @property
    def is_up(self) -> bool:
        """Whether the broker runs."""
        return self._broker is not None

    @property
    def running(self) -> RunningBroker:
        """The parts of the broker. Raise ConfigError while it is down."""
        if self._broker is None:
            raise ConfigError("the broker is down; start it again first")
        return self._broker.running

    @property
    def address(self) -> str:
        """The name server's address, for clients."""
        return str(self._name_server.address)

    @property
    def broker_port(self) -> int:
        """The broker's port."""
        return self.running.server.port


def _configs(
    directory: Path, settings: Mapping[str, object]
) -> tuple[NameServerConfig, BrokerConfig]:
    nameserver, broker = NameServerConfig(), _broker_config(directory / "store")
    nameserver = replace(nameserver, listen=replace(nameserver.listen, port=0))
    if not settings:
        return nameserver, broker
    where = "the settings of the test broker"
    resolved = resolve(
        {"broker": broker, "nameserver": nameserver},
        [Entry(name, value, where) for name, value in settings.items()],
    )
    if resolved.warnings:
        raise ConfigError("; ".join(resolved.warnings))
    return resolved.config(NameServerConfig), resolved.config(BrokerConfig)


def _broker_config(root: Path) -> BrokerConfig:
    """Apache's defaults in what clients see; small files, and nothing that waits for a clock hour.

    How full the machine's disk is does not matter to a test, and a client whose heartbeats come in
    real time must not look dead because the broker's clock has jumped.
    """
    config = BrokerConfig()
    store = config.store
    return replace(
        config,
        identity=replace(config.identity, cluster=CLUSTER, name=BROKER),
        listen=replace(config.listen, port=0),
        fast_port_offset=0,
        clients=replace(config.clients, channel_expiry_ms=_TEN_YEARS_MS),
        timers=replace(config.timers, precision_ms=100, log_file_bytes=10 * _MIB),
        store=replace(
            store,
            root=root,
            log=replace(store.log, file_bytes=64 * _MIB, reserve_step_bytes=_MIB, warm_up=False),
            index=replace(store.index, slots=10_000, entries=100_000),
            retention=replace(
                store.retention,
                delete_when=";".join(f"{hour:02}" for hour in range(24)),
                disk_used_percent_max=95,
                disk_clean_percent=95,
                disk_full_percent=100,
                clean_unexpired=False,
            ),
        ),
    )
