"""Routes: what brokers register and clients ask for.

The rules that RocketMQ's brokers rely on are kept:

- The master's topics count; without a master, those of the smallest replica that can act as one.
- A replica with an id that is taken by another address wins only with a state as new as its.
- An unknown replica that names a single topic is refused: it is telling a change to somebody who
  has not heard the whole.
- While an acting master leads, nothing may be written.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from typing import Final, NamedTuple

from pocketmq.clock import Clock
from pocketmq.errors import Refused
from pocketmq.message.topics import PERM_WRITE
from pocketmq.nameserver.config import LimitsConfig, LivenessConfig
from pocketmq.nameserver.live_settings import LiveSettings
from pocketmq.nameserver.members import Broker, MemberTable, Place, Replica
from pocketmq.nameserver.topic_table import TopicTable
from pocketmq.net import Connection
from pocketmq.protocol.bodies.registration import Registration
from pocketmq.protocol.bodies.route import MASTER_ID, BrokerData, QueueData, TopicRoute
from pocketmq.protocol.bodies.topic_config import TopicConfigTable
from pocketmq.protocol.codes import ResponseCode
from pocketmq.protocol.requests.routes import (
    MinBrokerIdChangeRequest,
    RegisterBrokerReply,
    RegisterBrokerRequest,
)

_log = logging.getLogger(__name__)

# Replicas of a broker find each other by this topic, so it never shows an acting master.
_MEMBER_TOPIC_PREFIX: Final = "rmq_sys_SYNC_BROKER_MEMBER_"


class Origin(NamedTuple):
    """What a registration tells beside its header and body."""

    connection: Connection | None = None
    zone: str | None = None
    follows_client: bool = False
    host: str | None = None
    """The host by which the registering broker reached this machine."""


class Notice(NamedTuple):
    """A broker's smallest id has changed; these addresses are told."""

    targets: tuple[str, ...]
    change: MinBrokerIdChangeRequest


class RouteTable:
    """Registers brokers and finds routes. Changed on the event loop only."""

    def __init__(
        self,
        settings: LiveSettings,
        liveness: LivenessConfig,
        limits: LimitsConfig,
        clock: Clock,
        notify: Callable[[Notice], None],
    ) -> None:
        self._settings = settings
        self._liveness = liveness
        self._limits = limits
        self._clock = clock
        self._notify = notify
        self.members = MemberTable()
        self.topics = TopicTable()

    # -- brokers come -----------------------------------------------------------------------

    def hear_again(
        self, request: RegisterBrokerRequest, digest: bytes, origin: Origin
    ) -> RegisterBrokerReply | None:
        """The answer to a registration that says what is known already; None when it does not.

        Brokers repeat their registration every 30 seconds, and reading ten thousand topics takes a
        tenth of a second, so a body with the digest of the one before is not read.
        """
        replica = self.members.replica(Place(request.cluster_name, request.broker_addr))
        if replica is None or replica.fingerprint != self._fingerprint(request, digest, origin):
            return None
        replica.last_seen_ms = self._now_ms()
        broker = self.members.broker(replica.broker_name)
        assert broker is not None, "a replica without a broker"
        return self._reply(request, broker, origin)

    def register(
        self,
        request: RegisterBrokerRequest,
        registration: Registration,
        origin: Origin,
        digest: bytes = b"",
    ) -> RegisterBrokerReply:
        """Take a broker's registration. Raise Refused."""
        broker = self.members.broker(request.broker_name)
        known = {} if broker is None else broker.replicas
        table = registration.topics
        place = Place(request.cluster_name, request.broker_addr)
        taken = known.get(request.broker_id)
        first = taken is None
        if taken is not None and _outdated(place, table, taken):
            self._ignore(request, place, taken)
            return RegisterBrokerReply()
        if first and len(table.topic_config_table) == 1:
            raise Refused(
                ResponseCode.SYSTEM_ERROR,
                f"{request.broker_name} is not registered and names a single topic; "
                "register with all topics first",
            )
        self._check_room(place, table)
        smallest_before = min(known, default=0)
        former = self.members.replica(place)
        if former is not None and former.broker_name != request.broker_name:
            self.unregister(place, f"it calls itself {request.broker_name} now")
            former = None
        changed = first or former is None or former.data_version != table.data_version
        replica = self._replica(request, registration, origin)
        broker = self.members.put(replica)
        broker.acting_master = bool(request.enable_acting_master)
        broker.zone = origin.zone
        if former is None:
            _log.info(
                "broker registered name=%s id=%d address=%s cluster=%s topics=%d",
                *(request.broker_name, request.broker_id, place.address, place.cluster),
                len(table.topic_config_table),
            )
        leads = request.broker_id == MASTER_ID or (
            request.enable_acting_master is not None and broker.smallest_id == request.broker_id
        )
        if leads:
            wipe = request.broker_id != MASTER_ID and broker.acting_master
            self._take_topics(broker.name, table, changed, wipe)
        if request.broker_id < smallest_before:
            others = [item for number, item in broker.replicas.items() if item is not replica]
            self._announce(broker, others, None, request.ha_server_addr)
        replica.fingerprint = self._fingerprint(request, digest, origin)
        return self._reply(request, broker, origin)

    def _ignore(self, request: RegisterBrokerRequest, place: Place, taken: Replica) -> None:
        _log.warning(
            "registration ignored, an address with a newer state has this id name=%s id=%d "
            "address=%s holder=%s",
            *(request.broker_name, request.broker_id, place.address, taken.place.address),
        )
        stale = self.members.replica(place)
        if stale is not None:
            self.members.remove(stale)

    def _check_room(self, place: Place, table: TopicConfigTable) -> None:
        limits = self._limits
        if self.members.replica(place) is None and len(self.members) >= limits.brokers_max:
            raise Refused(
                ResponseCode.SYSTEM_ERROR,
                f"{limits.brokers_max} brokers are registered; raise limits.brokers_max",
            )
        fresh = sum(topic not in self.topics for topic in table.topic_config_table)
        if fresh and len(self.topics) + fresh > limits.topics_max:
            raise Refused(
                ResponseCode.SYSTEM_ERROR,
                f"{len(self.topics)} topics are known and {fresh} more are too many; "
                "raise limits.topics_max",
            )

    def _replica(
        self, request: RegisterBrokerRequest, registration: Registration, origin: Origin
    ) -> Replica:
        timeout_ms = request.heartbeat_timeout_millis
        return Replica(
            Place(request.cluster_name, request.broker_addr),
            request.broker_name,
            request.broker_id,
            request.ha_server_addr,
            registration.topics.data_version,
            self._liveness.timeout_ms if timeout_ms is None else timeout_ms,
            self._now_ms(),
            origin.connection,
            registration.filter_server_list,
            origin.follows_client,
        )

    def _take_topics(
        self, broker: str, table: TopicConfigTable, changed: bool, wipe_write: bool
    ) -> None:
        mappings = table.topic_queue_mapping_info_map
        configs = table.topic_config_table
        if self._settings.routing.delete_unregistered_topics and not mappings:
            for topic in self.topics.topics_of(broker):
                if topic not in configs:
                    self.topics.remove(topic, (broker,))
        for topic, config in configs.items():
            if changed or not self.topics.is_at(topic, broker):
                perm = config.perm & ~PERM_WRITE if wipe_write else config.perm
                queues = QueueData(
                    broker,
                    config.read_queue_nums,
                    config.write_queue_nums,
                    perm,
                    config.topic_sys_flag,
                )
                self.topics.put(topic, queues)
        if changed:
            for mapping in mappings.values():
                self.topics.put_mapping(mapping)

    def _fingerprint(self, request: RegisterBrokerRequest, digest: bytes, origin: Origin) -> object:
        return request._replace(body_crc32=0), digest, origin, self.topics.removals

    def _reply(
        self, request: RegisterBrokerRequest, broker: Broker, origin: Origin
    ) -> RegisterBrokerReply:
        master = broker.replicas.get(MASTER_ID)
        if request.broker_id == MASTER_ID or master is None:
            return RegisterBrokerReply()
        return RegisterBrokerReply(
            master.ha_address_for(origin.host), master.address_for(origin.host)
        )

    # -- brokers are heard of, and go -------------------------------------------------------

    def touch(self, place: Place) -> None:
        """A replica has been heard of."""
        replica = self.members.replica(place)
        if replica is not None:
            replica.last_seen_ms = self._now_ms()

    def unregister(self, place: Place, reason: str) -> None:
        """Forget a replica and, with the last one of its name, what that broker offers."""
        replica = self.members.replica(place)
        if replica is None:
            return
        broker = self.members.broker(replica.broker_name)
        was_smallest = broker is not None and broker.smallest_id == replica.broker_id
        broker = self.members.remove(replica)
        _log.info(
            "broker gone name=%s id=%d address=%s reason=%s",
            *(broker.name, replica.broker_id, place.address, reason),
        )
        if not broker.replicas:
            self.topics.remove_broker(broker.name)
            return
        if broker.acting_master:
            if not broker.has_master:
                self.topics.wipe_write(broker.name)
            if was_smallest:
                self._announce(broker, list(broker.replicas.values()), place.address, None)

    def disconnected(self, connection: Connection) -> None:
        """A connection is closed: forget at once the replicas that registered on it."""
        for replica in self.members.at(connection):
            self.unregister(replica.place, "its connection closed")

    def expire(self) -> int:
        """Forget the replicas that were silent for too long; how many these are."""
        now_ms = self._now_ms()
        silent = [r for r in self.members.replicas if r.last_seen_ms + r.timeout_ms < now_ms]
        for replica in silent:
            self.unregister(replica.place, f"silent for {replica.timeout_ms} ms")
            if replica.connection is not None:
                replica.connection.close("the broker was silent for too long")
        return len(silent)

    def _announce(
        self, broker: Broker, targets: list[Replica], gone: str | None, ha_address: str | None
    ) -> None:
        smallest = broker.smallest_id
        if not self._settings.routing.notify_min_broker_id or smallest is None or not targets:
            return
        change = MinBrokerIdChangeRequest(
            smallest, broker.name, broker.replicas[smallest].place.address, gone, ha_address
        )
        self._notify(Notice(tuple(target.place.address for target in targets), change))

    def _now_ms(self) -> int:
        return int(self._clock.monotonic() * 1000)

    # -- routes -----------------------------------------------------------------------------

    def route(self, topic: str, host: str | None = None) -> TopicRoute | None:
        """Where a topic is, for somebody who reached this machine as `host`; None: nowhere."""
        queues = self.topics.queues(topic)
        found = [self.members.broker(item.broker_name) for item in queues]
        brokers = [broker for broker in found if broker is not None]
        if not brokers:
            return None
        described = [broker.described(host) for broker in brokers]
        if self._settings.routing.acting_master and not topic.startswith(_MEMBER_TOPIC_PREFIX):
            writable = {item.broker_name: bool(item.perm & PERM_WRITE) for item in queues}
            described = [
                data if writable[data.broker_name] else _with_acting_master(data)
                for data in described
            ]
        filter_servers = {
            replica.address_for(host): replica.filter_servers
            for broker in brokers
            for replica in broker.replicas.values()
            if replica.filter_servers
        }
        mappings = self.topics.mappings(topic)
        return TopicRoute(queues, tuple(described), filter_servers, None, mappings)


def _outdated(place: Place, table: TopicConfigTable, holder: Replica) -> bool:
    """True when the holder of an id lives elsewhere and has a newer state than who asks for it."""
    newer = holder.data_version.state_version > table.data_version.state_version
    return newer and holder.place.address != place.address


def _with_acting_master(data: BrokerData) -> BrokerData:
    addresses = dict(data.broker_addrs)
    if not data.enable_acting_master or not addresses or MASTER_ID in addresses:
        return data
    addresses[MASTER_ID] = addresses.pop(min(addresses))
    return replace(data, broker_addrs=addresses)
