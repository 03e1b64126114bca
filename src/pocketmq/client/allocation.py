"""Who of a group gets which queue. Every member computes it alone, from the same two lists.

So members agree only when they sort alike and use the same strategy. Java clients sort texts by
UTF-16 units and queues by topic, broker name and number; we do the same, so that members written
in either language share a topic without gap or overlap.

    AVG                    neighbours: of 8 queues the first of 3 members gets 0 1 2
    AVG_BY_CIRCLE          dealt like cards: it gets 0 3 6
    CONSISTENT_HASH        few queues move when a member comes or goes
    CONFIG                 exactly the queues that were given
    MACHINE_ROOM           only brokers named `room@name` of certain rooms
    MACHINE_ROOM_NEARBY    queues of a room go to members of that room, if there are any
"""

from __future__ import annotations

import hashlib
from bisect import bisect_left
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Final, Protocol

from pocketmq.errors import ConfigError
from pocketmq.protocol.bodies.queues import MessageQueue

Queues = list[MessageQueue]

VIRTUAL_NODES: Final = 10


class AllocationStrategy(Protocol):
    """Shares queues among the members of a group."""

    @property
    def name(self) -> str:
        """What Apache calls it; shown to operators."""
        ...

    def allocate(
        self, client_id: str, queues: Sequence[MessageQueue], client_ids: Sequence[str]
    ) -> Queues:
        """The queues of the member `client_id`. Both lists come sorted; the member is in one."""
        ...


def allocate(
    strategy: AllocationStrategy,
    client_id: str,
    queues: Iterable[MessageQueue],
    client_ids: Iterable[str],
) -> Queues:
    """The queues of one member: none when it is not (yet) in the group's list."""
    members = sorted(set(client_ids), key=java_order)
    if client_id not in members:
        return []
    return strategy.allocate(client_id, sort_queues(queues), members)


def java_order(text: str) -> str:
    """A key that sorts texts as Java's `compareTo` does."""
    # Among ASCII texts both orders are the same, and so they are up to U+D7FF.
    return text if text.isascii() else _units(text)


def _units(text: str) -> str:
    """One character for each UTF-16 unit."""
    encoded = text.encode("utf-16-be", "surrogatepass")
    return "".join(chr(encoded[at] << 8 | encoded[at + 1]) for at in range(0, len(encoded), 2))


def sort_queues(queues: Iterable[MessageQueue]) -> Queues:
    """Queues in the order all members agree on."""
    return sorted(
        set(queues),
        key=lambda queue: (java_order(queue.topic), java_order(queue.broker_name), queue.queue_id),
    )


class Averagely:
    """Each member gets neighbouring queues; the first ones get one more when it does not add up."""

    name = "AVG"

    def allocate(
        self, client_id: str, queues: Sequence[MessageQueue], client_ids: Sequence[str]
    ) -> Queues:
        """The member's stretch of the list."""
        at = client_ids.index(client_id)
        each, more = divmod(len(queues), len(client_ids))
        start = at * each + min(at, more)
        return list(queues[start : start + each + (at < more)])


class ByCircle:
    """Queues are dealt one by one, round and round."""

    name = "AVG_BY_CIRCLE"

    def allocate(
        self, client_id: str, queues: Sequence[MessageQueue], client_ids: Sequence[str]
    ) -> Queues:
        """Every n-th queue."""
        return list(queues[client_ids.index(client_id) :: len(client_ids)])


class ConsistentHash:
    """Members and queues lie on a ring; a queue goes to the next member clockwise."""

    name = "CONSISTENT_HASH"

    def __init__(
        self,
        virtual_nodes: int = VIRTUAL_NODES,
        hash_of: Callable[[str], int] | None = None,
    ) -> None:
        if virtual_nodes < 1:
            raise ConfigError(f"virtual_nodes is {virtual_nodes}; take 1 or more")
        self._virtual_nodes = virtual_nodes
        self._hash_of = hash_of or md5_start

    def allocate(
        self, client_id: str, queues: Sequence[MessageQueue], client_ids: Sequence[str]
    ) -> Queues:
        """The queues that lie before one of the member's places on the ring."""
        ring: dict[int, str] = {}
        for member in client_ids:
            for node in range(self._virtual_nodes):
                ring[self._hash_of(f"{member}-{node}")] = member
        places = sorted(ring)
        found = []
        for queue in queues:
            at = bisect_left(places, self._hash_of(java_text(queue)))
            if ring[places[at % len(places)]] == client_id:
                found.append(queue)
        return found


def md5_start(text: str) -> int:
    """The first four bytes of the MD5 of a text, as Java clients hash."""
    digest = hashlib.md5(text.encode(), usedforsecurity=False).digest()
    return int.from_bytes(digest[:4], "big")


def java_text(queue: MessageQueue) -> str:
    """A queue as Java clients print it, which is what they hash."""
    return (
        f"MessageQueue [topic={queue.topic}, brokerName={queue.broker_name}, "
        f"queueId={queue.queue_id}]"
    )


class ByConfig:
    """The queues that were given, whatever the other members do."""

    name = "CONFIG"

    def __init__(self, queues: Iterable[MessageQueue]) -> None:
        self._queues = sort_queues(queues)

    def allocate(
        self, client_id: str, queues: Sequence[MessageQueue], client_ids: Sequence[str]
    ) -> Queues:
        """Those of the given queues that belong to the topic in question."""
        topics = {queue.topic for queue in queues}
        return [queue for queue in self._queues if queue.topic in topics]


class MachineRoom:
    """Only queues of brokers named `room@name` whose room is one of those given."""

    name = "MACHINE_ROOM"

    def __init__(self, rooms: Collection[str]) -> None:
        self._rooms = frozenset(rooms)

    def allocate(
        self, client_id: str, queues: Sequence[MessageQueue], client_ids: Sequence[str]
    ) -> Queues:
        """A stretch of those queues; what does not add up is dealt from their end."""
        near = [queue for queue in queues if self._is_near(queue.broker_name)]
        at = client_ids.index(client_id)
        each, more = divmod(len(near), len(client_ids))
        found = near[at * each : (at + 1) * each]
        if at < more:
            found.append(near[at + each * len(client_ids)])
        return found

    def _is_near(self, broker_name: str) -> bool:
        # Java drops empty parts at the end, so `room@name@` counts and `room@` does not.
        parts = broker_name.rstrip("@").split("@")
        return len(parts) == 2 and parts[0] in self._rooms


class MachineRoomNearby:
    """Members take the queues of their own room; rooms without members are shared by all.

    `room_of_broker` and `room_of_client` name the room of a broker name and of a client id.
    `inner` shares out the queues of one room.
    """

    def __init__(
        self,
        room_of_broker: Callable[[str], str],
        room_of_client: Callable[[str], str],
        inner: AllocationStrategy | None = None,
    ) -> None:
        self._room_of_broker = room_of_broker
        self._room_of_client = room_of_client
        self._inner = inner or Averagely()

    @property
    def name(self) -> str:
        """Apache's name, which includes that of the inner strategy."""
        return f"MACHINE_ROOM_NEARBY-{self._inner.name}"

    def allocate(
        self, client_id: str, queues: Sequence[MessageQueue], client_ids: Sequence[str]
    ) -> Queues:
        """Own room first, then a share of every room where nobody is."""
        members: dict[str, list[str]] = {}
        for member in client_ids:
            members.setdefault(_named(self._room_of_client(member), member), []).append(member)
        rooms: dict[str, Queues] = {}
        for queue in queues:
            room = _named(self._room_of_broker(queue.broker_name), queue.broker_name)
            rooms.setdefault(room, []).append(queue)
        own = self._room_of_client(client_id)
        found: Queues = []
        if own in rooms:
            found += self._inner.allocate(client_id, rooms.pop(own), members[own])
        for room in sorted(rooms, key=java_order):
            if room not in members:
                found += self._inner.allocate(client_id, rooms[room], client_ids)
        return found


def _named(room: str, whose: str) -> str:
    if not room:
        raise ConfigError(f"{whose} is in no machine room; let room_of_... name one for all")
    return room


_BY_NAME: Final[dict[str, Callable[[], AllocationStrategy]]] = {
    "averagely": Averagely,
    "circle": ByCircle,
    "consistent_hash": ConsistentHash,
    Averagely.name: Averagely,
    ByCircle.name: ByCircle,
    ConsistentHash.name: ConsistentHash,
}


def strategy_of(given: str | AllocationStrategy) -> AllocationStrategy:
    """A strategy, or the one with this name. Raise ConfigError.

    >>> strategy_of("circle").name
    'AVG_BY_CIRCLE'
    """
    if not isinstance(given, str):
        return given
    make = _BY_NAME.get(given) or _BY_NAME.get(given.lower())
    if make is None:
        raise ConfigError(
            f"allocation {given!r} is unknown; say averagely, circle or consistent_hash, or give "
            "ByConfig(...), MachineRoom(...) or MachineRoomNearby(...)"
        )
    return make()
