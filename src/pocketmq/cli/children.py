"""Processes that a server starts beside itself, so that their work never waits for its event loop.

A child runs another `pocketmq` command and holds the reading end of a pipe as its standard input:
when the parent ends, however it ends, the pipe closes and the child stops too. A child that ends by
itself is started again, after a pause that grows while it keeps failing.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Final

from pocketmq.cli.own_tls import PASSWORD_VARIABLE, arguments_of, own_tls
from pocketmq.cli.running import Processes
from pocketmq.clock import SystemClock
from pocketmq.security.credentials import ACCESS_KEY_VARIABLE, SECRET_KEY_VARIABLE

if TYPE_CHECKING:
    from pocketmq.broker.config import BrokerConfig
    from pocketmq.security import Credentials

_log = logging.getLogger(__name__)

_STOP_SECONDS: Final = 5.0
_PAUSE_SECONDS_MIN: Final = 0.5
_PAUSE_SECONDS_MAX: Final = 30.0
_STEADY_SECONDS: Final = 60.0

PARENT_OPTION: Final = "--until-stdin-closes"
"""What the command of a child must understand: to stop when its standard input ends."""


class Child:
    """One `pocketmq` command, kept running from `start` to `stop`."""

    def __init__(
        self, name: str, arguments: Sequence[str], secrets: Mapping[str, str] | None = None
    ) -> None:
        """`secrets` are variables of its environment, which other users cannot see."""
        self._name = name
        self._environment = {**os.environ, **(secrets or {})}
        self._arguments = (*arguments, PARENT_OPTION)
        self._process: asyncio.subprocess.Process | None = None
        self._keeping: asyncio.Task[None] | None = None

    @property
    def pid(self) -> int | None:
        """Its process, while it runs."""
        return None if self._process is None else self._process.pid

    async def start(self) -> None:
        """Start it; whether it manages to serve is told by its own log."""
        await self._spawn()
        self._keeping = asyncio.ensure_future(self._keep())

    async def stop(self) -> None:
        """Let it finish, or end it."""
        if self._keeping is not None:
            self._keeping.cancel()
            await asyncio.wait([self._keeping])
        process, self._process = self._process, None
        if process is None or process.returncode is not None:
            return
        assert process.stdin is not None
        process.stdin.close()
        try:
            await asyncio.wait_for(process.wait(), _STOP_SECONDS)
        except asyncio.TimeoutError:
            _log.warning("process=%s does not stop and is killed", self._name)
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()

    async def _spawn(self) -> asyncio.subprocess.Process:
        self._process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "pocketmq", *self._arguments),
            stdin=asyncio.subprocess.PIPE,
            env=self._environment,
        )
        return self._process

    async def _keep(self) -> None:
        clock, pause = SystemClock(), _PAUSE_SECONDS_MIN
        while self._process is not None:
            began = clock.monotonic()
            code = await self._process.wait()
            if clock.monotonic() - began > _STEADY_SECONDS:
                pause = _PAUSE_SECONDS_MIN
            _log.warning("process=%s ended with code %d; next try in %g s", self._name, code, pause)
            await asyncio.sleep(pause)
            pause = min(pause * 2, _PAUSE_SECONDS_MAX)
            await self._spawn()


def exporter_of(
    config: BrokerConfig, address: str, credentials: Credentials | None = None
) -> Child | None:
    """The exporter that a broker at `address` is set to have, or None. It signs what it asks."""
    metrics = config.metrics
    if metrics.exporter != "PROM":
        if metrics.exporter != "DISABLE":
            _log.warning(
                "metricsExporterType=%s has no effect; set PROM, and let a collector fetch "
                "from there what is to go elsewhere",
                metrics.exporter,
            )
        return None
    host = metrics.host or config.listen.host
    _log.info("metrics at http://%s:%d/metrics", host, metrics.port)
    tls = own_tls(config.listen)
    secrets = {PASSWORD_VARIABLE: tls.key_password} if tls and tls.key_password else {}
    if credentials is not None:
        secrets[ACCESS_KEY_VARIABLE] = credentials.access_key
        secrets[SECRET_KEY_VARIABLE] = credentials.secret_key
    return Child(
        "exporter",
        (
            *("exporter", "--broker", address, "--host", host, "--port", str(metrics.port)),
            *([] if tls is None else arguments_of(tls)),
        ),
        secrets,
    )


async def serve_until_stdin_closes(start: Callable[[Processes], Awaitable[None]]) -> None:
    """Run `start`, wait for the parent to end, stop what was started.

    Ctrl-C at a terminal reaches all its processes; here it is the parent's to answer.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    processes = Processes()
    try:
        await start(processes)
        await _stdin_closed()
    finally:
        await processes.stop()


async def _stdin_closed() -> None:
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader()
    transport, _ = await loop.connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), sys.stdin
    )
    while await reader.read(4096):
        pass
    transport.close()
