"""The official clients: how each is fetched, built and started, and what it can do."""

from __future__ import annotations

import shutil
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from tests.support.clients.cache import one_at_a_time, product, require_tools, run_build

DRIVERS = Path(__file__).resolve().parents[2] / "compat" / "drivers"
JAVA_NEW = "5.3.3"
JAVA_OLD = "4.9.8"
JAVA_FLAGS = ["-Xmx256m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC"]
# A client whose first look for queues found none looks again after 20 seconds; here after 2.
JAVA_PATIENCE = "-Drocketmq.client.rebalance.waitInterval=2000"


@dataclass(frozen=True, slots=True)
class Peer:
    """An official client and what its public interface offers."""

    name: str
    send_modes: tuple[str, ...] = ("sync", "async", "oneway", "batch")
    can_pull: bool = True
    can_query: bool = False
    has_lite_pull: bool = False
    commits_at_shutdown: bool = True

    def command(self, name_server: str) -> list[str]:
        """What starts its driver, built first if need be. Raise PeerUnavailable if it can't be."""
        if self.name.startswith("java-"):
            return [*java_command(self.name.removeprefix("java-")), name_server]
        others = {"go": go_command, "node": node_command, "cpp": cpp_command}
        return [*others[self.name](), name_server]


PEERS = (
    Peer(f"java-{JAVA_NEW}", can_query=True, has_lite_pull=True),
    Peer(f"java-{JAVA_OLD}", can_query=True, has_lite_pull=True),
    Peer("go"),
    # This client answers every send through a promise and has no pull consumer.
    Peer("node", send_modes=("sync", "async"), can_pull=False),
    # Of a batch this client makes one message, in front of an Apache broker too.
    # At its end it may leave out what it read in the last seconds.
    Peer("cpp", send_modes=("sync", "async", "oneway"), commits_at_shutdown=False),
)


@cache
def java_command(version: str) -> list[str]:
    """The Java driver, compiled against one version of the client."""
    require_tools("java", "javac", "mvn")
    directory = DRIVERS / "java"
    sources = [*directory.glob("*.java"), *(directory / f"client{version[0]}").glob("*.java")]
    jars = java_client(version)

    def build(place: Path) -> None:
        run_build(["javac", "-nowarn", "-d", place, "-cp", f"{jars}/*", *sources], place)

    classes = product(f"java-driver-{version}", sources, jars.name, build)
    # Java asks the system, not HOME, for the home directory; a driver runs in one of its own.
    return ["java", *JAVA_FLAGS, JAVA_PATIENCE, "-Duser.home=.",
            "-Drocketmq.client.logUseSlf4j=true", "-cp",
            f"{classes}:{jars}/*", "Driver"]  # fmt: skip


def java_client(version: str) -> Path:
    """The jars of one version of the Java client and of all it needs."""
    pom = DRIVERS / "java" / "pom.xml"

    def fetch(place: Path) -> None:
        fetch_jars(pom, version, place)

    return product(f"java-driver-jars-{version}", [pom], version, fetch)


def fetch_jars(pom: Path, version: str, target: Path) -> None:
    """Copy the jars that `pom` names, and all they need, to `target`."""
    with one_at_a_time("maven"):  # its local repository is not made for two
        run_build(
            ["mvn", "-q", "-B", "-f", pom, f"-Drocketmq.version={version}",
             "dependency:copy-dependencies", f"-DoutputDirectory={target}"],
            pom.parent,
        )  # fmt: skip


@cache
def go_command() -> list[str]:
    """The Go driver."""
    require_tools("go")
    directory = DRIVERS / "go"
    sources = [*directory.glob("*.go"), directory / "go.mod", directory / "go.sum"]

    def build(place: Path) -> None:
        run_build(
            ["go", "build", "-mod=readonly", "-o", place / "driver", "."],
            directory,
            {"GOTOOLCHAIN": "local", "CGO_ENABLED": "0"},
        )

    return [str(product("go-driver", sources, "", build) / "driver")]


@cache
def node_command() -> list[str]:
    """The Node driver."""
    require_tools("node", "npm")
    directory = DRIVERS / "node"
    sources = [directory / name for name in ("driver.js", "package.json", "package-lock.json")]

    def build(place: Path) -> None:
        for source in sources:
            shutil.copy(source, place)
        run_build(["npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts"], place)

    return ["node", str(product("node-driver", sources, "", build) / "driver.js")]


@cache
def cpp_command() -> list[str]:
    """The driver of the native C++ client, with its package in a directory of its own."""
    directory = DRIVERS / "cpp"
    requirements = directory / "requirements.txt"

    def build(place: Path) -> None:
        packages = place / "packages"
        pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
        run_build([*pip, "--no-deps", "--target", packages, "-r", requirements], place)
        on_path = {"PYTHONPATH": str(packages)}
        run_build([sys.executable, "-c", "import rocketmq.client"], place, on_path)

    place = product("cpp-driver", [requirements], sys.version, build)
    return ["env", f"PYTHONPATH={place / 'packages'}", sys.executable, str(directory / "driver.py")]
