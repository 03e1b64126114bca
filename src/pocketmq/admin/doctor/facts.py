"""What a doctor looks at: facts about a cluster, collected once, judged by pure functions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from pocketmq.protocol.bodies.heartbeat import BROADCASTING

Queue = tuple[str, str, int]
"""Topic, broker name, queue id."""


@dataclass(frozen=True, slots=True)
class NameServerFacts:
    """One name server: the brokers and topics it knows, or why it does not tell."""

    address: str
    problem: str = ""
    brokers: Mapping[str, str] = field(default_factory=dict)
    """`cluster/name/id` -> address."""
    topics: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class BrokerFacts:
    """One broker, under the address that clients are told."""

    cluster: str
    name: str
    id: int
    address: str
    problem: str = ""
    """Why it does not answer; then nothing else is known."""
    took_ms: int = 0
    now_ms: int | None = None
    """What its clock said, to the second."""
    asked_ms: int = 0
    """What ours said then."""
    runtime: Mapping[str, str] = field(default_factory=dict)
    config: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_master(self) -> bool:
        """Whether it takes messages."""
        return self.id == 0

    @property
    def version(self) -> str:
        """Its release; empty when it does not tell."""
        return self.runtime.get("brokerVersionDesc", "")

    def figure(self, name: str) -> float | None:
        """A figure or setting that is a number; of several, as rates have, the first."""
        text = self.runtime.get(name) or self.config.get(name) or ""
        first = text.split(" ")[0]
        try:
            return float(first)
        except ValueError:
            return None

    def is_on(self, name: str) -> bool:
        """Whether a setting is true. One that the broker does not have is off."""
        return self.config.get(name, "").lower() == "true"


@dataclass(frozen=True, slots=True)
class TopicPart:
    """What one broker offers of a topic."""

    broker: str
    read_queues: int
    write_queues: int
    permission: int


@dataclass(frozen=True, slots=True)
class TopicFacts:
    """A topic; without parts no broker has it."""

    name: str
    parts: tuple[TopicPart, ...] = ()


@dataclass(frozen=True, slots=True)
class Position:
    """How far a group is in a queue: the end, the first not consumed, the first not fetched."""

    end: int
    consumed: int
    fetched: int

    @property
    def lag(self) -> int:
        """How many messages wait."""
        return max(self.end - self.consumed, 0)


@dataclass(frozen=True, slots=True)
class MemberFacts:
    """A connected consumer. `wants`: topic -> expression; None when it did not tell."""

    client_id: str
    address: str
    language: str
    version: int
    wants: Mapping[str, str] | None = None
    queues: frozenset[Queue] | None = None
    problem: str = ""


@dataclass(frozen=True, slots=True)
class GroupFacts:
    """A group: members, what the brokers take for its subscriptions, positions at two moments."""

    name: str
    members: tuple[MemberFacts, ...] = ()
    subscriptions: Mapping[str, str] = field(default_factory=dict)
    """Topic -> expression, `SQL …` for those that are SQL."""
    model: str = ""
    consume_type: str = ""
    before: Mapping[Queue, Position] = field(default_factory=dict)
    after: Mapping[Queue, Position] = field(default_factory=dict)
    waiting_ms: Mapping[Queue, int] = field(default_factory=dict)
    """For how long the next message of a queue has been waiting, of queues that stand still."""

    @property
    def is_broadcast(self) -> bool:
        """Whether its members keep their own positions."""
        return self.model == BROADCASTING

    def lag(self, positions: Mapping[Queue, Position], topic: str) -> int:
        """How many messages of a topic wait."""
        return sum(one.lag for queue, one in positions.items() if queue[0] == topic)


@dataclass(frozen=True, slots=True)
class DeadLetterFacts:
    """The dead letters of a group at two moments; `newest_ms`: when the last one came."""

    group: str
    before: int
    after: int
    newest_ms: int


@dataclass(frozen=True, slots=True)
class AccessGap:
    """A user, or a rule of one, that the brokers of a cluster do not know alike."""

    user: str
    resource: str = ""
    """What the rule is about; empty when it is about the user."""
    lacking: tuple[str, ...] = ()
    different: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ClusterFacts:
    """Everything."""

    now_ms: int
    asked_through: str = ""
    """The host that the name servers were reached by."""
    apart_seconds: float = 0.0
    """How far apart the two samples are."""
    name_servers: tuple[NameServerFacts, ...] = ()
    brokers: tuple[BrokerFacts, ...] = ()
    topics: tuple[TopicFacts, ...] = ()
    groups: tuple[GroupFacts, ...] = ()
    dead_letters: tuple[DeadLetterFacts, ...] = ()
    gaps: tuple[AccessGap, ...] = ()
    missing: tuple[str, ...] = ()
    """What could not be looked at, in sentences."""

    @property
    def answering(self) -> tuple[BrokerFacts, ...]:
        """The brokers that answer."""
        return tuple(broker for broker in self.brokers if not broker.problem)
