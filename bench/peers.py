"""The three servers that are compared: the C echo floor, PocketMQ, and Apache RocketMQ."""

from __future__ import annotations

import re
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from bench.apache import HEAP, java_command
from bench.processes import ServerProcess, free_ports
from bench.remoting import Refusal, Remote

TOPIC = "bench"
PULL_TOPIC = "bench_pull"
QUEUES = 8
START_TIMEOUT_S = 60.0


class Peer(Protocol):
    """A running server that takes load."""

    name: str
    port: int
    load_core: int | None
    """The core the generator must keep to while loading this server."""

    @property
    def pids(self) -> list[int]:
        """The processes whose CPU is the server's."""

    def pause(self) -> None:
        """Stop using the cores until resumed."""

    def resume(self) -> None:
        """Be ready for load again."""

    def stop(self) -> None:
        """End the server and delete its data."""


class EchoPeer:
    """The C echo server: what the bytes cost when a server does nothing with them."""

    name = "echo"

    def __init__(self, build: Path, directory: Path, cores: tuple[int, int] | None) -> None:
        core = cores[0] if cores else None
        self.load_core: int | None = cores[1] if cores else None
        directory.mkdir(parents=True, exist_ok=True)
        self._process = ServerProcess(
            "echo", [str(build / "echo")], directory / "echo.log", core=core
        )
        self._process.wait_until(lambda: self._printed_port() is not None, START_TIMEOUT_S, 0.01)
        self.port = self._printed_port() or 0

    def _printed_port(self) -> int | None:
        found = re.search(r"listening on (\d+)", self._process.log.read_text())
        return int(found.group(1)) if found else None

    @property
    def pids(self) -> list[int]:
        """The echo process."""
        return self._process.pids

    def pause(self) -> None:
        """Nothing to do: without load it sleeps."""

    def resume(self) -> None:
        """Nothing to do: it was never paused."""

    def stop(self) -> None:
        """End it."""
        self._process.stop()


class PocketMQPeer:
    """`pocketmq up` in its own directory; on one core, where it is to be compared.

    On all cores the system moves it to the generator's again and again, which costs more than the
    second core gives.
    """

    name = "pocketmq"

    def __init__(
        self,
        directory: Path,
        cores: tuple[int, int] | None = None,
        *,
        pure: bool = False,
        sync_flush: bool = False,
        settings: Sequence[str] = (),
    ) -> None:
        core = cores[0] if cores else None
        self.load_core: int | None = cores[1] if cores else None
        shutil.rmtree(directory, ignore_errors=True)
        directory.mkdir(parents=True)
        self._directory = directory
        nameserver_port = free_ports(12)
        self.port = nameserver_port + 4
        command = [sys.executable, "-m", "pocketmq", "up", "--no-console"]
        command += ["--data", str(directory / "data")]
        command += ["--nameserver-port", str(nameserver_port), "--broker-port", str(self.port)]
        command += ["--set", "flushDiskType=SYNC_FLUSH"] if sync_flush else []
        for setting in settings:
            command += ["--set", setting]
        environment = {"POCKETMQ_PURE": "1"} if pure else {"POCKETMQ_PURE": ""}
        self._process = ServerProcess(
            "PocketMQ", command, directory / "pocketmq.log", environment=environment, core=core
        )

    def wait_for_first_send(self, poll_s: float = 0.05) -> None:
        """Return when a message to a topic that does not exist yet has been acknowledged."""
        self._process.wait_until(lambda: _accepts_send(self.port), START_TIMEOUT_S, poll_s)

    @property
    def pids(self) -> list[int]:
        """The process that `up` started, and its children."""
        return self._process.pids

    def pause(self) -> None:
        """Take it off the cores."""
        self._process.pause()

    def resume(self) -> None:
        """Put it back."""
        self._process.resume()

    def stop(self) -> None:
        """End it and delete its data."""
        self._process.stop()
        shutil.rmtree(self._directory, ignore_errors=True)


class ApachePeer:
    """Apache's NameServer and Broker with their stock settings, on all cores."""

    name = "apache"
    load_core: int | None = None

    def __init__(self, directory: Path, *, sync_flush: bool = False, binary: bool = False) -> None:
        shutil.rmtree(directory, ignore_errors=True)
        (directory / "conf").mkdir(parents=True)
        self._directory = directory
        nameserver_port = free_ports(12)
        self.port = nameserver_port + 4
        header = ("-Drocketmq.serialize.type=ROCKETMQ",) if binary else ()
        environment = {"ROCKETMQ_HOME": str(directory)}
        self._write_config(nameserver_port, sync_flush)
        self._nameserver = ServerProcess(
            "Apache NameServer",
            java_command(
                directory,
                "org.apache.rocketmq.namesrv.NamesrvStartup",
                directory / "namesrv.conf",
                ("-Xmx256m", *header),
            ),
            directory / "namesrv.log",
            environment=environment,
        )
        self._broker = ServerProcess(
            "Apache Broker",
            java_command(
                directory,
                "org.apache.rocketmq.broker.BrokerStartup",
                directory / "broker.conf",
                (*HEAP, *header),
            ),
            directory / "broker.log",
            environment=environment,
        )

    def _write_config(self, nameserver_port: int, sync_flush: bool) -> None:
        store = self._directory / "store"
        lines = [
            "brokerClusterName=DefaultCluster",
            "brokerName=broker-a",
            "brokerId=0",
            f"listenPort={self.port}",
            "brokerIP1=127.0.0.1",
            f"namesrvAddr=127.0.0.1:{nameserver_port}",
            f"storePathRootDir={store}",
            f"storePathCommitLog={store / 'commitlog'}",
            f"flushDiskType={'SYNC_FLUSH' if sync_flush else 'ASYNC_FLUSH'}",
        ]
        (self._directory / "broker.conf").write_text("\n".join(lines) + "\n")
        (self._directory / "namesrv.conf").write_text(f"listenPort={nameserver_port}\n")

    def wait_for_first_send(self) -> None:
        """Return when the broker has acknowledged a message."""
        self._broker.wait_until(lambda: _accepts_send(self.port), START_TIMEOUT_S)

    @property
    def pids(self) -> list[int]:
        """The broker; the NameServer has no part in sending or pulling."""
        return self._broker.pids

    def pause(self) -> None:
        """Take both off the cores, so that garbage collection and timers disturb nobody."""
        self._broker.pause()
        self._nameserver.pause()

    def resume(self) -> None:
        """Put them back."""
        self._nameserver.resume()
        self._broker.resume()

    def stop(self) -> None:
        """End both and delete their data."""
        self._broker.stop()
        self._nameserver.stop()
        shutil.rmtree(self._directory, ignore_errors=True)


def prepare_topics(peer: Peer) -> None:
    """Create the topics that the load uses."""
    with Remote(peer.port) as remote:
        remote.create_topic(TOPIC, QUEUES)
        remote.create_topic(PULL_TOPIC, QUEUES)


def _accepts_send(port: int) -> bool:
    try:
        with Remote(port) as remote:
            remote.send("bench_first", 0, b"first")
    except (OSError, Refusal):
        return False
    return True
