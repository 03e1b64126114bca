"""Server processes under test: PocketMQ started as a user starts it, on ports of its own."""

from __future__ import annotations

import os
import random
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Protocol

from tests.support.clients import raw

START_SECONDS_MAX = 120.0
STOP_SECONDS_MAX = 90.0


class Cluster(Protocol):
    """A name server and a broker that clients can be pointed at."""

    @property
    def name_server(self) -> str:
        """host:port of the name server."""

    @property
    def broker(self) -> str:
        """host:port of the broker."""

    def start(self) -> None:
        """Start, maybe again on the same ports and data, and wait until the broker is known."""

    def stop(self) -> None:
        """Stop with SIGTERM and wait for the end."""

    def kill(self) -> None:
        """Stop the broker with SIGKILL."""


class ServerProcess:
    """One server: a command line, a log file, and the signals that end it."""

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        home: Path,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        home.mkdir(parents=True, exist_ok=True)
        self.name = name
        self.log = home / f"{name}.log"
        self._command = list(command)
        self._home = home
        self._environment = {**os.environ, "HOME": str(home), **(environment or {})}
        self._process: subprocess.Popen[bytes] | None = None
        self._log_file: IO[bytes] | None = None

    @property
    def is_running(self) -> bool:
        """Whether the process was started and has not ended."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start the process; its output goes to the log."""
        assert self._process is None, f"{self.name} runs already"
        self._log_file = self.log.open("ab")
        self._process = subprocess.Popen(
            self._command,
            stdin=subprocess.DEVNULL,
            stdout=self._log_file,
            stderr=subprocess.STDOUT,
            cwd=self._home,
            env=self._environment,
            start_new_session=True,
        )

    def stop(self) -> int:
        """Ask it to end, wait, and return its exit code; fail when it does not end."""
        return self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End it without a word."""
        self._end(signal.SIGKILL)

    def log_tail(self) -> str:
        """The end of what it printed."""
        return self.log.read_bytes()[-6000:].decode("utf-8", "replace")

    def _end(self, how: signal.Signals) -> int:
        process, self._process = self._process, None
        if process is None:
            return 0
        try:
            process.send_signal(how)
            return process.wait(STOP_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise AssertionError(
                f"{self.name} did not end within {STOP_SECONDS_MAX:.0f} s of {how.name}\n"
                + self.log_tail()
            ) from None
        finally:
            if self._log_file is not None:
                self._log_file.close()


def wait_registered(name_server: str, broker: str, *processes: ServerProcess) -> None:
    """Wait until the name server lists the broker; fail at once when a process has ended.

    It may still list one that was killed at the same address, so the broker must listen as well.
    """

    def registered() -> bool:
        for process in processes:
            assert process.is_running, f"{process.name} ended\n{process.log_tail()}"
        return f'"{broker}"' in raw.cluster(name_server) and raw.listens(broker)

    try:
        raw.wait_until(registered, START_SECONDS_MAX, f"broker {broker} at {name_server}")
    except AssertionError as error:
        raise AssertionError("\n".join([str(error), *(p.log_tail() for p in processes)])) from None


class PocketCluster:
    """`pocketmq up` on free ports."""

    def __init__(self, home: Path, *settings: str) -> None:
        name_server_port, broker_port = free_port(), free_broker_port()
        self.name_server = f"127.0.0.1:{name_server_port}"
        self.broker = f"127.0.0.1:{broker_port}"
        self.data = home / "data"
        command = [*pocketmq(), "up", "--no-console", "--data", str(self.data)]
        command += ["--nameserver-port", str(name_server_port), "--broker-port", str(broker_port)]
        for setting in settings:
            command += ["--set", setting]
        self.process = ServerProcess("pocketmq", command, home)

    def start(self) -> None:
        """Start and wait until the broker is registered."""
        self.process.start()
        wait_registered(self.name_server, self.broker, self.process)

    def stop(self) -> None:
        """Stop with SIGTERM; a clean stop ends with exit code 0."""
        code = self.process.stop()
        assert code == 0, f"exit code {code} after SIGTERM\n{self.process.log_tail()}"

    def kill(self) -> None:
        """Stop with SIGKILL."""
        self.process.kill()


class PocketNameServer:
    """`pocketmq nameserver -c namesrv.conf`."""

    def __init__(self, home: Path) -> None:
        port = free_port()
        self.address = f"127.0.0.1:{port}"
        conf = write_conf(home / "namesrv.conf", {"listenPort": port})
        command = [*pocketmq(), "nameserver", "-c", str(conf)]
        self.process = ServerProcess("pocketmq-nameserver", command, home)


class PocketBroker:
    """`pocketmq broker -c broker.conf` with an Apache broker.conf."""

    def __init__(self, home: Path, name_server: str, data: Path, **settings: object) -> None:
        conf, self.address = broker_conf(home, name_server, data, **settings)
        self.process = ServerProcess(
            "pocketmq-broker", [*pocketmq(), "broker", "-c", str(conf)], home
        )


def pocketmq() -> list[str]:
    """The command line of this interpreter's PocketMQ."""
    return [sys.executable, "-m", "pocketmq"]


def broker_conf(home: Path, name_server: str, data: Path, **settings: object) -> tuple[Path, str]:
    """Write a broker.conf that both brokers read; return it and the broker's address."""
    port = settings.get("listenPort") or free_broker_port()
    values: dict[str, object] = {
        "brokerClusterName": "InteropCluster",
        "brokerName": "broker-a",
        "brokerId": 0,
        "listenPort": port,
        "brokerIP1": "127.0.0.1",
        "namesrvAddr": name_server,
        "storePathRootDir": data,
        "storePathCommitLog": data / "commitlog",
        # Small files: an Apache broker writes every page of a new file before it uses it.
        "mappedFileSizeCommitLog": 16 * 1024 * 1024,
        "mappedFileSizeConsumeQueue": 20 * 10_000,
        "maxHashSlotNum": 20_000,
        "maxIndexNum": 80_000,
        "timerWheelEnable": "false",
        **settings,
    }
    return write_conf(home / "broker.conf", values), f"127.0.0.1:{port}"


def write_conf(path: Path, values: Mapping[str, object]) -> Path:
    """Write a properties file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{key}={value}\n" for key, value in values.items()))
    return path


def free_port() -> int:
    """A port nobody listens on, outside the range the system hands out by itself."""
    return _free_base((0,))


def free_broker_port() -> int:
    """A port N with N − 2 and N + 1 free too: an Apache broker takes all three."""
    return _free_base((-2, 0, 1))


def _free_base(offsets: tuple[int, ...]) -> int:
    chooser = random.Random()
    for _ in range(200):
        base = chooser.randrange(12_000, 30_000)
        if all(_is_free(base + offset) for offset in offsets):
            return base
    raise AssertionError("no free port between 12000 and 30000")


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
