"""Fetches and builds every official client and server, so that no test has to wait for one.

    python -m tests.support.clients.all

Maven has one local repository, so what comes by it comes one after the other; the rest meanwhile.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from tests.compat import test_bodies
from tests.support import apache
from tests.support.clients import peers
from tests.support.clients.cache import PeerUnavailable

BY_MAVEN: dict[str, Callable[[], object]] = {
    f"Java client {peers.JAVA_NEW}": lambda: peers.java_command(peers.JAVA_NEW),
    f"Java client {peers.JAVA_OLD}": lambda: peers.java_command(peers.JAVA_OLD),
    f"Apache's servers {apache.VERSION}": lambda: apache.jars(apache.VERSION),
    f"Apache's servers {apache.OLD_VERSION}": lambda: apache.jars(apache.OLD_VERSION),
    "Java's bodies": test_bodies.classes,
}
OTHERS: dict[str, Callable[[], object]] = {
    "Go client": peers.go_command,
    "Node client": peers.node_command,
    "C++ client": peers.cpp_command,
}


def fetch(made_by: dict[str, Callable[[], object]]) -> list[str]:
    """Have these ready, one after the other; return what could not be had, and why."""
    missing = []
    for name, make in made_by.items():
        began = time.monotonic()
        try:
            make()
        except PeerUnavailable as error:
            missing.append(f"{name}: {error}")
        else:
            print(f"{name}: ready after {time.monotonic() - began:.0f} s", flush=True)
    return missing


def main() -> None:
    """Have all of them ready; in CI a missing one is an error."""
    ways = [BY_MAVEN, *({name: make} for name, make in OTHERS.items())]
    with ThreadPoolExecutor(len(ways)) as pool:
        missing = [line for lines in pool.map(fetch, ways) for line in lines]
    for line in missing:
        print(line)
    if missing and os.environ.get("CI") == "true":
        sys.exit("CI must have every peer")


if __name__ == "__main__":
    main()
