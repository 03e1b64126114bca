"""A broker in a process of its own, to be killed."""

from __future__ import annotations

import asyncio
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from pocketmq.net import Address

_START_SECONDS = 15.0


@dataclass
class BrokerProcess:
    """A running broker process."""

    address: Address
    process: subprocess.Popen[bytes]

    def kill(self) -> None:
        """kill -9, and wait until it is gone."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self) -> int:
        """Ask it to stop; return its exit code."""
        self.process.terminate()
        return self.process.wait(15)


@asynccontextmanager
async def broker_process(directory: Path, **settings: object) -> AsyncIterator[BrokerProcess]:
    """A broker that listens; killed at the end if it still runs."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = Address("127.0.0.1", probe.getsockname()[1])
    settings = {
        "fast_port_offset": 0,
        "brokerClusterName": "C",
        "brokerName": "b",
        "mappedFileSizeCommitLog": 4 * 1024 * 1024,
        **settings,
    }
    command = [sys.executable, "-m", "pocketmq", "broker", "--port", str(address.port)]
    command += ["--data", str(directory), "--log-level", "warning"]
    for name, value in settings.items():
        command += ["--set", f"{name}={value}"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)  # noqa: ASYNC220
    try:
        await _until_listening(address, process)
        yield BrokerProcess(address, process)
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


async def _until_listening(address: Address, process: subprocess.Popen[bytes]) -> None:
    loop = asyncio.get_running_loop()
    deadline = loop.time() + _START_SECONDS
    while True:
        assert process.poll() is None, "the broker ended before it listened"
        assert loop.time() < deadline, "the broker did not listen in time"
        try:
            _, writer = await asyncio.open_connection(*address)
        except OSError:
            await asyncio.sleep(0.02)
            continue
        writer.close()
        return
