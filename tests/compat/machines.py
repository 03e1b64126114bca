"""Servers of both kinds that tests put in place of each other, each started when it is wanted."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.support import apache
from tests.support.apache import ApacheBroker, ApacheNameServer
from tests.support.clients import raw
from tests.support.clients.driver import Driver
from tests.support.clients.peers import PEERS
from tests.support.clients.servers import (
    PocketBroker,
    PocketNameServer,
    ServerProcess,
    wait_registered,
)

JAVA = PEERS[0]
# What a test proves of an exchange can be proved of the test by exchanging Apache for itself.
EXCHANGES = [("pocketmq", "apache"), ("apache", "pocketmq")]
if apache.wanted():
    EXCHANGES = [("apache", "apache")]

Broker = PocketBroker | ApacheBroker
NameServer = PocketNameServer | ApacheNameServer
BROKERS: dict[str, Callable[..., Broker]] = {"pocketmq": PocketBroker, "apache": ApacheBroker}
NAME_SERVERS: dict[str, Callable[[Path], NameServer]] = {
    "pocketmq": PocketNameServer,
    "apache": ApacheNameServer,
}
STOPS: dict[str, Callable[[ServerProcess], object]] = {
    "clean-stop": ServerProcess.stop,
    "kill-9": ServerProcess.kill,
}


class Machines:
    """One name server of each kind and a Java client at each; brokers come and go."""

    def __init__(self, home: Path, exits: ExitStack) -> None:
        self._home = home
        self._exits = exits
        self._name_servers: dict[str, NameServer] = {}
        self._java: dict[str, Driver] = {}
        self._directories = itertools.count(1)

    def name_server(self, kind: str) -> str:
        """The address of the running name server of a kind."""
        if kind not in self._name_servers:
            server = NAME_SERVERS[kind](self.directory(f"{kind}-namesrv"))
            self._exits.callback(server.process.kill)
            server.process.start()
            raw.wait_until(lambda: raw.cluster(server.address) != "", 60, f"the {kind} name server")
            self._name_servers[kind] = server
        return self._name_servers[kind].address

    def java(self, kind: str) -> Driver:
        """A driver of the newest Java client at the name server of a kind."""
        if kind not in self._java:
            command = JAVA.command(self.name_server(kind))
            self._java[kind] = Driver(f"java-at-{kind}", command, self.directory("java"))
            self._exits.callback(self._java[kind].close)
        return self._java[kind]

    @contextmanager
    def broker(
        self, kind: str, name_server: str, data: Path, port: int, **settings: object
    ) -> Iterator[Broker]:
        """A running broker that the name server knows; it is killed if the test leaves it running.

        Its name is the data directory's, so that directories keep to themselves.
        """
        address = self.name_server(name_server)
        server = BROKERS[kind](
            self.directory(f"{kind}-broker"),
            address,
            data,
            **{"brokerName": data.parent.name, "listenPort": port, **settings},
        )
        server.process.start()
        try:
            wait_registered(address, server.address, server.process)
            yield server
        finally:
            server.process.kill()

    def directory(self, stem: str) -> Path:
        """A new directory."""
        return self._home / f"{next(self._directories)}-{stem}"
