"""Who is connected: the members of consumer and producer groups, known by their heartbeats.

    group -> connection -> client (id, language, version, when it was last heard)
    group -> topic -> subscription, of the last heartbeat of any member
    group, topic -> subscription, of the last pop, which needs no heartbeat

A member is a connection: the same client id on another connection is a second member. A group
without members is forgotten with its subscriptions. Subscriptions of a group are replaced when a
newer version comes; topics that a heartbeat does not name are dropped for the whole group.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

from pocketmq.clock import Clock
from pocketmq.filtering import Subscription
from pocketmq.net import Connection

MEMBERS_MAX: Final = 200_000
POPPED_MAX: Final = 50_000
SUBSCRIPTIONS_PER_GROUP_MAX: Final = 20_000

BROADCASTING: Final = "BROADCASTING"


@dataclass(slots=True)
class Client:
    """One member of a group."""

    connection: Connection
    client_id: str
    language: int
    version: int
    last_seen_ms: int


@dataclass(slots=True)
class ConsumerGroup:
    """A consumer group that has members now. Only `ClientTable` changes it."""

    name: str
    consume_type: str = "CONSUME_PASSIVELY"
    message_model: str = "CLUSTERING"
    consume_from_where: str = "CONSUME_FROM_LAST_OFFSET"
    fingerprint: int | None = None
    members: dict[Connection, Client] = field(default_factory=dict)
    subscriptions: dict[str, Subscription] = field(default_factory=dict)

    @property
    def clients(self) -> list[Client]:
        """Its members."""
        return list(self.members.values())

    @property
    def client_ids(self) -> list[str]:
        """The ids of its members, each once, in order."""
        return list(dict.fromkeys(client.client_id for client in self.members.values()))

    @property
    def is_broadcasting(self) -> bool:
        """True when every member gets every message."""
        return self.message_model == BROADCASTING

    def client(self, client_id: str) -> Client | None:
        """The member with this id, the newest where several have it."""
        for client in reversed(self.members.values()):
            if client.client_id == client_id:
                return client
        return None


@dataclass(frozen=True, slots=True)
class Membership:
    """What a consumer says in a heartbeat about its group. `subscriptions` None: as before."""

    group: str
    consume_type: str
    message_model: str
    consume_from_where: str
    subscriptions: tuple[Subscription, ...] | None


GroupListener = Callable[[ConsumerGroup], None]


class ClientTable:
    """Registers, finds and forgets clients. Changed on the event loop only."""

    def __init__(self, clock: Clock, *, members_max: int = MEMBERS_MAX) -> None:
        self._clock = clock
        self._members_max = members_max
        self._member_count = 0
        self._consumers: dict[str, ConsumerGroup] = {}
        self._producers: dict[str, dict[Connection, Client]] = {}
        self._producers_by_id: dict[str, Client] = {}
        self._groups_of: dict[Connection, tuple[set[str], set[str]]] = {}
        self._listeners: list[GroupListener] = []
        self._popped: OrderedDict[tuple[str, str], tuple[Subscription, int]] = OrderedDict()

    def on_group_change(self, listener: GroupListener) -> None:
        """Call `listener` with a consumer group when a member or a topic came or went."""
        self._listeners.append(listener)

    # -- reading ----------------------------------------------------------------------------

    def consumer_group(self, group: str) -> ConsumerGroup | None:
        """The group, or None when no member is connected."""
        return self._consumers.get(group)

    def subscription(self, group: str, topic: str) -> Subscription | None:
        """What a group wants of a topic, or None when it is not subscribed."""
        found = self._consumers.get(group)
        known = None if found is None else found.subscriptions.get(topic)
        if known is None and (group, topic) in self._popped:
            return self._popped[group, topic][0]
        return known

    @property
    def consumer_groups(self) -> list[ConsumerGroup]:
        """All consumer groups that have members."""
        return list(self._consumers.values())

    def groups_subscribed_to(self, topic: str) -> list[str]:
        """The names of connected groups that want a topic."""
        found = [group.name for group in self._consumers.values() if topic in group.subscriptions]
        return found + [group for group, name in self._popped if name == topic]

    def producers(self, group: str) -> list[Client]:
        """The members of a producer group."""
        return list(self._producers.get(group, {}).values())

    def producer(self, client_id: str) -> Client | None:
        """The client with this id that belongs to a producer group, or None."""
        return self._producers_by_id.get(client_id)

    def producer_groups(self) -> Iterator[tuple[str, list[Client]]]:
        """Yield each producer group and its members."""
        for group, members in list(self._producers.items()):
            yield group, list(members.values())

    def __len__(self) -> int:
        """Connections that belong to a group."""
        return len(self._groups_of)

    # -- registering ------------------------------------------------------------------------

    def register_consumer(self, client: Client, membership: Membership) -> bool:
        """Make or renew a membership; True when a member or a topic came or went."""
        group = self._consumers.get(membership.group)
        if group is None:
            group = ConsumerGroup(membership.group)
        came = client.connection not in group.members
        if came and self._member_count >= self._members_max:
            return False
        self._consumers[group.name] = group
        group.consume_type = membership.consume_type
        group.message_model = membership.message_model
        group.consume_from_where = membership.consume_from_where
        group.members[client.connection] = client
        if came:
            self._member_count += 1
            self._joined(client.connection)[0].add(group.name)
        changed = came
        if membership.subscriptions is not None:
            changed = _merge(group.subscriptions, membership.subscriptions) or came
        if changed:
            self._tell(group)
        return changed

    def register_producer(self, client: Client, group: str) -> None:
        """Make or renew a membership."""
        members = self._producers.get(group, {})
        if client.connection not in members:
            if self._member_count >= self._members_max:
                return
            self._member_count += 1
            self._joined(client.connection)[1].add(group)
            self._producers[group] = members
        members[client.connection] = client
        self._producers_by_id[client.client_id] = client

    def set_fingerprint(self, group: str, fingerprint: int) -> None:
        """Remember the fingerprint of a group's latest second-form heartbeat."""
        found = self._consumers.get(group)
        if found is not None:
            found.fingerprint = fingerprint

    def popped(self, group: str, subscription: Subscription) -> None:
        """A group popped a topic: that subscribes it for a while, without a heartbeat."""
        key, now_ms = (group, subscription.topic), self._clock.now_ms()
        known = self._popped.get(key)
        if known is not None and known[0] is subscription and now_ms - known[1] < 1000:
            return
        self._popped[key] = (subscription, now_ms)
        self._popped.move_to_end(key)
        if len(self._popped) > POPPED_MAX:
            self._popped.popitem(last=False)

    def expire_popped(self, expiry_ms: int) -> None:
        """End subscriptions by pops not renewed for `expiry_ms`."""
        limit = self._clock.now_ms() - expiry_ms
        while self._popped and next(iter(self._popped.values()))[1] < limit:
            self._popped.popitem(last=False)

    # -- leaving ----------------------------------------------------------------------------

    def unregister_consumer(self, connection: Connection, group: str) -> None:
        """End a membership."""
        if self._leave_consumers(connection, group):
            self._settle(connection)

    def unregister_producer(self, connection: Connection, group: str) -> None:
        """End a membership."""
        if self._leave_producers(connection, group):
            self._settle(connection)

    def disconnected(self, connection: Connection) -> None:
        """End all memberships of a closed connection."""
        consumers, producers = self._groups_of.pop(connection, (set(), set()))
        for group in list(consumers):
            self._leave_consumers(connection, group)
        for group in list(producers):
            self._leave_producers(connection, group)

    def expire(self, expiry_ms: int) -> list[Connection]:
        """End memberships not renewed for `expiry_ms`; return the connections they were of."""
        limit = self._clock.now_ms() - expiry_ms
        late: dict[Connection, None] = {}
        tables = [group.members for group in self._consumers.values()]
        for members in (*tables, *self._producers.values()):
            for connection, client in members.items():
                if client.last_seen_ms < limit:
                    late[connection] = None
        for connection in late:
            self.disconnected(connection)
        return list(late)

    # -- inside -----------------------------------------------------------------------------

    def _joined(self, connection: Connection) -> tuple[set[str], set[str]]:
        return self._groups_of.setdefault(connection, (set(), set()))

    def _leave_consumers(self, connection: Connection, name: str) -> bool:
        group = self._consumers.get(name)
        if group is None or group.members.pop(connection, None) is None:
            return False
        self._member_count -= 1
        self._groups_of.get(connection, (set(), set()))[0].discard(name)
        if not group.members:
            del self._consumers[name]
        self._tell(group)
        return True

    def _leave_producers(self, connection: Connection, name: str) -> bool:
        members = self._producers.get(name)
        client = members.pop(connection, None) if members is not None else None
        if members is None or client is None:
            return False
        self._member_count -= 1
        left = self._groups_of.get(connection, (set(), set()))[1]
        left.discard(name)
        known = self._producers_by_id.get(client.client_id)
        if not left and known is not None and known.connection is connection:
            del self._producers_by_id[client.client_id]
        if not members:
            del self._producers[name]
        return True

    def _settle(self, connection: Connection) -> None:
        consumers, producers = self._groups_of[connection]
        if not consumers and not producers:
            del self._groups_of[connection]

    def _tell(self, group: ConsumerGroup) -> None:
        for listener in self._listeners:
            listener(group)


def _merge(known: dict[str, Subscription], stated: Iterable[Subscription]) -> bool:
    """Take over newer subscriptions, drop the topics not stated; True when topics differ now."""
    before = set(known)
    topics: set[str] = set()
    for subscription in stated:
        if len(topics) >= SUBSCRIPTIONS_PER_GROUP_MAX:
            break
        topic = subscription.topic
        topics.add(topic)
        old = known.get(topic)
        if old is None or subscription.version > old.version:
            known[topic] = subscription
    for topic in before - topics:
        del known[topic]
    return topics != before
