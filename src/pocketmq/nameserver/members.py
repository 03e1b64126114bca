"""Who is there: brokers by name, their replicas by address, and which cluster they form.

    cluster "DefaultCluster"  ->  broker names
    broker  "broker-a"        ->  id 0 at 10.0.0.1:10911, id 1 at 10.0.0.2:10911
    replica (cluster, address) ->  when it was last heard of, on which connection

A replica is known by its cluster and address, as in RocketMQ. A broker name exists as long as it
has a replica, and a cluster as long as it has a broker.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from pocketmq.net import Address, Connection
from pocketmq.protocol.bodies.route import MASTER_ID, BrokerData
from pocketmq.protocol.bodies.versions import DataVersion


class Place(NamedTuple):
    """Where a replica is; its identity."""

    cluster: str
    address: str


@dataclass(slots=True)
class Replica:
    """One registered broker process, as it last described itself."""

    place: Place
    broker_name: str
    broker_id: int
    ha_address: str
    data_version: DataVersion
    timeout_ms: int
    last_seen_ms: int
    connection: Connection | None = None
    filter_servers: tuple[str, ...] = ()
    follows_client: bool = False
    """True when clients are told the host they used themselves, instead of the registered one."""
    fingerprint: object = None
    """Equal when a later registration says nothing new."""

    def address_for(self, host: str | None) -> str:
        """The address to tell somebody who reached this machine as `host`."""
        return self._for(self.place.address, host)

    def ha_address_for(self, host: str | None) -> str:
        """The same for the replication address."""
        return self._for(self.ha_address, host)

    def _for(self, address: str, host: str | None) -> str:
        if not self.follows_client or host is None:
            return address
        return str(Address(host, Address.parse(address).port))


@dataclass(slots=True)
class Broker:
    """A broker name; its replicas by id, 0 being the master."""

    cluster: str
    name: str
    acting_master: bool = False
    zone: str | None = None
    replicas: dict[int, Replica] = field(default_factory=dict)

    @property
    def smallest_id(self) -> int | None:
        """The id that leads while there is no master; None when nobody is there."""
        return min(self.replicas, default=None)

    @property
    def has_master(self) -> bool:
        """True while the master is registered."""
        return MASTER_ID in self.replicas

    def described(self, host: str | None) -> BrokerData:
        """What is told to somebody who reached this machine as `host`."""
        addresses = {number: self.replicas[number].address_for(host) for number in self.replicas}
        return BrokerData(self.cluster, self.name, addresses, self.acting_master, self.zone)


class MemberTable:
    """All brokers that are registered. Changed on the event loop only."""

    def __init__(self) -> None:
        self._brokers: dict[str, Broker] = {}
        self._replicas: dict[Place, Replica] = {}
        self._clusters: dict[str, dict[str, None]] = {}
        self._connected: dict[Connection, set[Place]] = {}

    def __len__(self) -> int:
        return len(self._replicas)

    @property
    def brokers(self) -> Iterator[Broker]:
        """All brokers."""
        return iter(self._brokers.values())

    @property
    def replicas(self) -> Iterator[Replica]:
        """All replicas."""
        return iter(self._replicas.values())

    @property
    def clusters(self) -> dict[str, tuple[str, ...]]:
        """The broker names of each cluster."""
        return {cluster: tuple(names) for cluster, names in self._clusters.items()}

    def broker(self, name: str) -> Broker | None:
        """A broker by name."""
        return self._brokers.get(name)

    def replica(self, place: Place) -> Replica | None:
        """A replica by cluster and address."""
        return self._replicas.get(place)

    def names_in(self, cluster: str) -> tuple[str, ...]:
        """The broker names of a cluster."""
        return tuple(self._clusters.get(cluster, ()))

    def at(self, connection: Connection) -> list[Replica]:
        """The replicas whose last registration came on this connection."""
        places = self._connected.get(connection, set())
        return [self._replicas[place] for place in places]

    def put(self, replica: Replica) -> Broker:
        """Add a replica, or replace what is known of it. Another with its id or place goes."""
        place, name = replica.place, replica.broker_name
        for former in (self._replicas.get(place), self._rival(replica)):
            if former is not None and former is not replica:
                self._drop(former)
        broker = self._brokers.setdefault(name, Broker(place.cluster, name))
        broker.replicas[replica.broker_id] = replica
        self._clusters.setdefault(place.cluster, {})[name] = None
        self._replicas[place] = replica
        if replica.connection is not None:
            self._connected.setdefault(replica.connection, set()).add(place)
        return broker

    def remove(self, replica: Replica) -> Broker:
        """Forget a replica. Return its broker, which is forgotten too when it was the last one."""
        self._drop(replica)
        broker = self._brokers[replica.broker_name]
        if not broker.replicas:
            del self._brokers[broker.name]
            for cluster in {broker.cluster, replica.place.cluster}:
                names = self._clusters.get(cluster, {})
                names.pop(broker.name, None)
                if not names:
                    self._clusters.pop(cluster, None)
        return broker

    def _rival(self, replica: Replica) -> Replica | None:
        broker = self._brokers.get(replica.broker_name)
        return None if broker is None else broker.replicas.get(replica.broker_id)

    def _drop(self, replica: Replica) -> None:
        if self._replicas.get(replica.place) is replica:
            del self._replicas[replica.place]
        broker = self._brokers[replica.broker_name]
        if broker.replicas.get(replica.broker_id) is replica:
            del broker.replicas[replica.broker_id]
        places = self._connected.get(replica.connection) if replica.connection else None
        if places is not None and replica.connection is not None:
            places.discard(replica.place)
            if not places:
                del self._connected[replica.connection]
