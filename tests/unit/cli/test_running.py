"""The life of a server process: first signal, second signal, failures at start and stop."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import subprocess
import sys

import pytest

from pocketmq.cli.running import Processes, serve

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="sends POSIX signals")


class RecordedApp:
    def __init__(self, name: str, events: list[str], *, fails: str = "") -> None:
        self.name, self.events, self.fails = name, events, fails

    async def start(self) -> None:
        if self.fails == "start":
            raise OSError("no")
        self.events.append(f"{self.name} started")

    async def stop(self) -> None:
        self.events.append(f"{self.name} stopped")
        if self.fails == "stop":
            raise OSError("no")


async def test_a_signal_stops_the_apps_in_reverse() -> None:
    events: list[str] = []

    async def start(processes: Processes) -> None:
        await processes.start(RecordedApp("a", events))
        await processes.start(RecordedApp("b", events))
        os.kill(os.getpid(), signal.SIGTERM)

    before = signal.getsignal(signal.SIGTERM)
    await serve(start)
    assert events == ["a started", "b started", "b stopped", "a stopped"]
    assert signal.getsignal(signal.SIGTERM) is before


async def test_a_second_signal_is_still_heard_while_cleaning_up() -> None:
    """Else an impatient Ctrl-C would leave a part of the ephemeral data in memory for ever."""
    heard_by = []

    async def start(processes: Processes) -> None:
        os.kill(os.getpid(), signal.SIGTERM)

    before = signal.getsignal(signal.SIGTERM)
    await serve(start, lambda: heard_by.append(signal.getsignal(signal.SIGTERM)))
    assert len(heard_by) == 1
    assert heard_by[0] is not before


async def test_cycles_are_looked_for_seldom_while_it_serves() -> None:
    before = gc.get_threshold()
    meanwhile = []

    async def start(processes: Processes) -> None:
        await processes.start(RecordedApp("a", []))

        def look() -> None:
            meanwhile.append((gc.get_threshold(), gc.get_freeze_count() > 1000))
            os.kill(os.getpid(), signal.SIGTERM)

        asyncio.get_running_loop().call_soon(look)

    await serve(start)
    ((rarely, frozen),) = meanwhile
    assert rarely > before
    assert frozen
    assert gc.get_threshold() == before


async def test_an_app_that_does_not_start_stops_those_before_it() -> None:
    events: list[str] = []

    async def start(processes: Processes) -> None:
        await processes.start(RecordedApp("a", events))
        await processes.start(RecordedApp("b", events, fails="start"))

    with pytest.raises(OSError, match="no"):
        await serve(start)
    assert events == ["a started", "a stopped"]


async def test_an_app_that_does_not_stop_does_not_keep_the_others() -> None:
    events: list[str] = []

    async def start(processes: Processes) -> None:
        await processes.start(RecordedApp("a", events))
        await processes.start(RecordedApp("b", events, fails="stop"))
        signal.raise_signal(signal.SIGINT)

    with pytest.raises(OSError, match="no"):
        await serve(start)
    assert events[-1] == "a stopped"


SLOW_TO_STOP = """
import asyncio, signal
from pocketmq.cli.running import run, serve

class App:
    async def start(self): print("ready", flush=True)
    async def stop(self):
        print("stopping", flush=True)
        await asyncio.sleep(60)

async def start(processes): await processes.start(App())

run(serve(start, lambda: print("cleaned up", flush=True)))
"""


def test_a_second_signal_leaves_at_once() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", SLOW_TO_STOP],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline() == "ready\n"
        process.send_signal(signal.SIGINT)
        assert process.stdout.readline() == "stopping\n"
        process.send_signal(signal.SIGINT)
        assert process.stdout.read() == "cleaned up\n"
        assert "left at once" in process.stderr.read()
        assert process.wait() == 1
