"""Starting, pausing, reading and ending the servers under test."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path

STOP_TIMEOUT_S = 20.0


def _inherited() -> dict[str, str]:
    """The environment, with Python's bytecode cache on as it is for an installed package."""
    kept = dict(os.environ)
    kept.pop("PYTHONDONTWRITEBYTECODE", None)
    return kept


def cpu_seconds(pids: Sequence[int]) -> float:
    """Processor time that processes have used."""
    ticks = 0
    for pid in pids:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


class ServerFailed(Exception):
    """A server under test did not start, or ended; the message shows the end of its log."""


class ServerProcess:
    """One server and its log file, in a session of its own, so Ctrl-C reaches only the runner."""

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        log: Path,
        *,
        environment: dict[str, str] | None = None,
        core: int | None = None,
    ) -> None:
        self.name = name
        self.log = log
        pin = None if core is None else (lambda: os.sched_setaffinity(0, {core}))
        with log.open("wb") as output:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**_inherited(), **(environment or {})},
                start_new_session=True,
                preexec_fn=pin,
            )

    @property
    def pids(self) -> list[int]:
        """The process and all its descendants."""
        found = [self._process.pid]
        for pid in found:
            for children in Path(f"/proc/{pid}/task").glob("*/children"):
                found += [int(child) for child in children.read_text().split()]
        return found

    def wait_until(self, ready: Callable[[], bool], timeout_s: float, poll_s: float = 0.05) -> None:
        """Return once `ready()` is true; raise ServerFailed if that takes long or it ends."""
        deadline = time.monotonic() + timeout_s
        while not ready():
            if self._process.poll() is not None:
                raise ServerFailed(f"{self.name} ended while starting. {self.log_end()}")
            if time.monotonic() > deadline:
                raise ServerFailed(
                    f"{self.name} is not ready after {timeout_s:.0f} s. {self.log_end()}"
                )
            time.sleep(poll_s)

    def log_end(self) -> str:
        """The last lines of the log, for an error message."""
        lines = self.log.read_text(errors="replace").splitlines()[-15:]
        return "Its last lines:\n" + "\n".join(lines) if lines else "It printed nothing."

    def pause(self) -> None:
        """Take the process off the cores without ending it."""
        os.kill(self._process.pid, signal.SIGSTOP)

    def resume(self) -> None:
        """Let a paused process run again."""
        os.kill(self._process.pid, signal.SIGCONT)

    def stop(self) -> None:
        """Ask the process to end, and insist after a while. Harmless when it has ended already."""
        if self._process.poll() is not None:
            return
        self.resume()
        self._process.terminate()
        try:
            self._process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def free_ports(count: int = 1) -> int:
    """The first of `count` consecutive ports that are free now."""
    for start in range(21000, 32000, 16):
        if all(_is_free(start + i) for i in range(count)):
            return start
    raise ServerFailed("no free ports between 21000 and 32000; end what is using them")


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def private_bytes(pids: Sequence[int]) -> dict[str, int]:
    """Private memory of the processes: all of it, and the part that is pages of mapped store files.

    The kernel calls a file's page private while only one process maps it, so a broker's own log
    counts too.
    """
    total = files = resident = 0
    for pid in pids:
        is_shared_mapping = False
        for line in Path(f"/proc/{pid}/smaps").read_text().splitlines():
            name, _, rest = line.partition(" ")
            if not name.endswith(":"):
                is_shared_mapping = rest[3:4] == "s"
            elif name in ("Private_Clean:", "Private_Dirty:"):
                amount = int(rest.split()[0]) * 1024
                total += amount
                files += amount if is_shared_mapping else 0
            elif name == "Rss:":
                resident += int(rest.split()[0]) * 1024
    return {"private": total, "mapped_files": files, "resident": resident}
