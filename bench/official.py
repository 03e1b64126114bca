"""The official clients at the SDK's work, in processes of their own, in front of the same broker.

Java's is `java/Load.java` with the client 5.3.3; C++'s is the PyPI package `rocketmq` 0.4.4 at work
in `official_cpp.py`. A client that cannot be had here is left out, and why is said instead.
"""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from collections.abc import Collection, Mapping
from functools import cache
from pathlib import Path
from typing import TypeAlias

from tests.support.clients.cache import PeerUnavailable, product, require_tools, run_build
from tests.support.clients.peers import JAVA_NEW, JAVA_PATIENCE, cpp_command, java_client

JAVA = "Java"
CPP = "C++"
SECONDS_MAX = 90
SOURCE = Path(__file__).parent / "java" / "Load.java"
CPP_PROGRAM = Path(__file__).parent / "official_cpp.py"

Told: TypeAlias = dict[str, float] | str
"""What a client did, by the names of the figures, or why it did nothing."""


@cache
def _java_command() -> list[str]:
    require_tools("java", "javac", "mvn")
    jars = java_client(JAVA_NEW)

    def build(place: Path) -> None:
        run_build(["javac", "-nowarn", "-d", place, "-cp", f"{jars}/*", SOURCE], place)

    classes = product(f"java-load-{JAVA_NEW}", [SOURCE], jars.name, build)
    return ["java", "-Xmx512m", JAVA_PATIENCE, "-Duser.home=.",
            "-Drocketmq.client.logUseSlf4j=true", "-cp",
            f"{classes}:{jars}/*", "Load"]  # fmt: skip


def _command(client: str) -> list[str]:
    if client == JAVA:
        return _java_command()
    return [*cpp_command()[:-1], str(CPP_PROGRAM)]  # with the package on its path


def told(client: str, name_server: str, way: str, topic: str, count: int) -> Told:
    """What a client does one way with so many messages: `async`, `sync` or `consume`."""
    try:
        command = [*_command(client), name_server, way, topic, str(count)]
    except PeerUnavailable as error:
        return str(error)
    with tempfile.TemporaryDirectory() as directory:
        # Both write logs where they are, or at home.
        environment = {**os.environ, "HOME": directory}
        try:
            done = subprocess.run(
                command,
                cwd=directory,
                env=environment,
                capture_output=True,
                text=True,
                timeout=SECONDS_MAX,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return f"not done with `{way}` in {SECONDS_MAX} s"
    if done.returncode != 0:
        lines = done.stderr.strip().splitlines() or ["no output"]
        return f"`{way}` ended with {done.returncode}: {lines[-1]}"
    figures: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return figures


def java_told(
    name_server: str, way: str, topic: str, count: int, cores: Collection[int]
) -> dict[str, Told]:
    """What Java does on this process's core, and then on all `cores`, which its threads are for."""
    found = {JAVA: told(JAVA, name_server, way, topic, count)}
    if not isinstance(found[JAVA], str) and len(cores) > 1:
        mine = os.sched_getaffinity(0)
        os.sched_setaffinity(0, cores)
        try:
            found[f"{JAVA} on all cores"] = told(JAVA, name_server, way, topic, count)
        finally:
            os.sched_setaffinity(0, mine)
    return found


def beside(clients: Mapping[str, Told], figure: str = "per_second", unit: str = "/s") -> str:
    """The clients' figures in words: `beside Java 31,000/s; without C++: not installed: mvn`."""
    measured, reasons = [], []
    for name, seen in clients.items():
        if isinstance(seen, str):
            reasons.append(f"without {name}: {seen.splitlines()[0]}")
        else:
            measured.append(f"{name} {seen[figure]:,.0f}{unit}")
    return "; ".join([*([f"beside {', '.join(measured)}"] if measured else []), *reasons])
