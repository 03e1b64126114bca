"""The broker as one object: it takes its ports, starts and stops."""

from __future__ import annotations

import socket
from dataclasses import replace

from pocketmq.broker.config import BrokerConfig
from pocketmq.broker.running import RunningBroker
from pocketmq.clock import Clock, SystemClock
from pocketmq.errors import ConfigError, ListenFailed
from pocketmq.net import Address, Around, bind


class BrokerApp:
    """One broker. `start` opens the store and serves; `stop` leaves a clean one.

    Raise ListenFailed, DirectoryInUse, CorruptStore, StoreFull or ConfigError from `start`; then
    nothing is left running. `around` may put something between connections and the service.
    """

    def __init__(
        self, config: BrokerConfig, clock: Clock | None = None, around: Around | None = None
    ) -> None:
        self._config = config
        self._around = around
        self._clock: Clock = clock or SystemClock()
        self._running: RunningBroker | None = None

    async def start(self) -> None:
        """Take the ports, recover the store, serve, register."""
        bound = bind(self._config.listen)
        fast: socket.socket | None = None
        try:
            fast = self._bind_fast()
            running = RunningBroker(self._config, self._clock, bound, fast, self._around)
        except BaseException:
            bound.close()
            if fast is not None:
                fast.close()
            raise
        try:
            await running.start()
        except BaseException:
            await running.stop()
            raise
        self._running = running

    async def stop(self) -> None:
        """Drain, flush and close."""
        running, self._running = self._running, None
        if running is not None:
            await running.stop()

    @property
    def running(self) -> RunningBroker:
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
        if not 0 < listen.port + offset < 65_536:
            raise ConfigError(
                f"the second port would be {listen.port + offset}, by fast_port_offset={offset}; "
                "choose another port, or set fast_port_offset=0 to do without it"
            )
        try:
            return bind(replace(listen, port=listen.port + offset))
        except ListenFailed as error:
            raise ListenFailed(f"{error}, or set fast_port_offset=0 to do without it") from None
