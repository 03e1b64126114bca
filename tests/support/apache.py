"""Apache RocketMQ's own name server and broker, fetched by Maven and run on free ports."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path

from tests.support.clients.cache import product, require_tools
from tests.support.clients.peers import JAVA_FLAGS, fetch_jars
from tests.support.clients.servers import (
    ServerProcess,
    broker_conf,
    free_port,
    wait_registered,
    write_conf,
)

VERSION = "5.3.3"
OLD_VERSION = "4.9.7"
"""The last 4.9 whose servers are on Maven Central."""
POM = Path(__file__).resolve().parents[1] / "compat" / "apache" / "pom.xml"
# On a busy machine it would refuse requests that have waited for a fifth of a second.
PATIENCE = {
    f"waitTimeMillsIn{queue}Queue": 20_000
    for queue in ("Send", "Pull", "LitePull", "Heartbeat", "Transaction", "Ack", "AdminBroker")
} | {"osPageCacheBusyTimeOutMills": 20_000}
MODULE_FLAGS = (
    "--add-exports=java.base/jdk.internal.ref=ALL-UNNAMED",
    "--add-exports=java.base/sun.nio.ch=ALL-UNNAMED",
    "--add-opens=java.base/java.nio=ALL-UNNAMED",
    "--add-opens=java.base/sun.nio.ch=ALL-UNNAMED",
    "--add-opens=java.base/java.lang=ALL-UNNAMED",
)


@cache
def jars(version: str = VERSION) -> Path:
    """The directory of the server's jars. Raise PeerUnavailable when it cannot be had."""
    require_tools("java", "mvn")
    place = product(
        f"apache-{version}", [POM], version, lambda p: fetch_jars(POM, version, p / "lib")
    )
    return place / "lib"


def _java(home: Path, heap: str, main: str, conf: Path, version: str) -> list[str]:
    (home / "conf").mkdir(parents=True, exist_ok=True)
    for part in ("namesrv", "broker"):  # 4.9 does not start without them
        (home / "conf" / f"logback_{part}.xml").write_text("<configuration/>", encoding="utf-8")
    # Without this the server makes itself a TLS certificate, which takes seconds.
    flags = [*JAVA_FLAGS[1:], "-Dtls.server.mode=disabled"]
    return ["java", f"-Xms{heap}", f"-Xmx{heap}", *flags,
            f"-Duser.home={home}", *MODULE_FLAGS, "-cp", f"{home / 'conf'}:{jars(version)}/*", main,
            "-c", str(conf)]  # fmt: skip


class ApacheNameServer:
    """`NamesrvStartup` on a free port."""

    def __init__(self, home: Path, version: str = VERSION) -> None:
        port = free_port()
        self.address = f"127.0.0.1:{port}"
        conf = write_conf(home / "namesrv.conf", {"listenPort": port})
        self.process = ServerProcess(
            "apache-namesrv",
            _java(home, "256m", "org.apache.rocketmq.namesrv.NamesrvStartup", conf, version),
            home,
            {"ROCKETMQ_HOME": str(home)},
        )


class ApacheBroker:
    """`BrokerStartup` on a free port, with a data directory that may already hold messages."""

    def __init__(
        self,
        home: Path,
        name_server: str,
        data: Path,
        version: str = VERSION,
        /,
        **settings: object,
    ) -> None:
        conf, self.address = broker_conf(home, name_server, data, **PATIENCE, **settings)
        self.process = ServerProcess(
            "apache-broker",
            _java(home, "512m", "org.apache.rocketmq.broker.BrokerStartup", conf, version),
            home,
            {"ROCKETMQ_HOME": str(home), "NAMESRV_ADDR": name_server},
        )


class ApacheCluster:
    """An Apache name server and broker; only the broker is restarted."""

    def __init__(self, home: Path, version: str = VERSION, /, **settings: object) -> None:
        self._name_server = ApacheNameServer(home / "namesrv", str(version))
        self.name_server = self._name_server.address
        self.data = home / "data"
        self._broker = ApacheBroker(
            home / "broker", self.name_server, self.data, version, **settings
        )
        self.broker = self._broker.address

    def start(self) -> None:
        """Start what does not run, and wait until the broker is registered."""
        if not self._name_server.process.is_running:
            self._name_server.process.start()
        self._broker.process.start()
        wait_registered(
            self.name_server, self.broker, self._name_server.process, self._broker.process
        )

    def stop(self) -> None:
        """Stop the broker with SIGTERM; the name server goes on."""
        self._broker.process.stop()

    def kill(self) -> None:
        """Stop the broker with SIGKILL."""
        self._broker.process.kill()

    def close(self) -> None:
        """End both, at once: nobody wants their data, and a clean stop takes up to a minute."""
        self._broker.process.kill()
        self._name_server.process.kill()


def wanted() -> bool:
    """Whether the suite runs against Apache, to prove the drivers and scenarios themselves."""
    return os.environ.get("POCKETMQ_INTEROP_TARGET", "pocketmq") == "apache"
