"""Access control lists: what is allowed or denied to a subject, and which entry decides.

    Acl           all policies of one subject, such as `User:alice`
      Policy      Custom, which is asked first, or Default
        Entry     a resource, actions, sources, and Allow or Deny

A resource is written `Topic:orders`, `Topic:ord*`, `Topic:*` or `*`, where the first word may be
Cluster, Namespace, Topic, Group or Any. Of the entries that match a request the most precise one
decides: a whole name before a beginning of it, a longer beginning before a shorter one, both before
every name of a kind, and that before `*`. Between equally precise entries Allow comes first, as in
Apache RocketMQ. Without any entry that matches nothing is allowed.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import Enum
from typing import NamedTuple

from pocketmq.security.sources import is_within
from pocketmq.security.users import named


class ResourceType(Enum):
    """What can be protected."""

    ANY = "Any"
    CLUSTER = "Cluster"
    NAMESPACE = "Namespace"
    TOPIC = "Topic"
    GROUP = "Group"


class Action(Enum):
    """What can be done. `ALL` stands for all others in an entry."""

    ALL = "All"
    ANY = "Any"
    PUB = "Pub"
    SUB = "Sub"
    CREATE = "Create"
    UPDATE = "Update"
    DELETE = "Delete"
    GET = "Get"
    LIST = "List"


class PolicyType(Enum):
    """Which policy is asked first: Custom, then Default."""

    CUSTOM = "Custom"
    DEFAULT = "Default"


class Decision(Enum):
    """What an entry says."""

    ALLOW = "Allow"
    DENY = "Deny"


class Pattern(Enum):
    """How much of a name a resource fixes; smaller is more precise."""

    LITERAL = 0
    PREFIX = 1
    EVERY = 2


class Need(NamedTuple):
    """What a request needs: any one of these actions on one resource."""

    type: ResourceType
    name: str
    actions: frozenset[Action]

    def __str__(self) -> str:
        return f"{self.type.value}:{self.name}"


@dataclass(frozen=True, slots=True)
class Resource:
    """What an entry is about."""

    type: ResourceType
    name: str
    pattern: Pattern

    def __str__(self) -> str:
        if self.type is ResourceType.ANY:
            return "*"
        star = "" if self.pattern is Pattern.LITERAL else "*"
        return f"{self.type.value}:{self.name}{star}"

    def matches(self, need: Need) -> bool:
        """Whether it is about what a request needs."""
        if self.type is not need.type:
            return self.type is ResourceType.ANY
        if self.pattern is Pattern.LITERAL:
            return need.name == self.name
        return need.name.startswith(self.name)

    @property
    def precision(self) -> tuple[bool, int, int]:
        """Sorts the most precise first."""
        return self.type is ResourceType.ANY, self.pattern.value, -len(self.name)


def parse_resource(text: str) -> Resource | None:
    """The resource that is written so, or None when it names none."""
    kind_text, _, name = text.partition(":")
    if text == "*" or kind_text.lower() == "any":
        return Resource(ResourceType.ANY, "", Pattern.EVERY)
    kind = named(ResourceType, kind_text)
    if kind is None:
        return None
    if name == "*":
        return Resource(kind, "", Pattern.EVERY)
    if name.endswith("*"):
        return Resource(kind, name.partition("*")[0], Pattern.PREFIX)
    return Resource(kind, name, Pattern.LITERAL)


@dataclass(frozen=True, slots=True)
class Entry:
    """What is decided about one resource. No sources mean any."""

    resource: Resource
    actions: tuple[Action, ...]
    sources: tuple[str, ...]
    decision: Decision

    def matches(self, need: Need, host: str) -> bool:
        """Whether it has a say in what a request from `host` needs."""
        return (
            self.resource.matches(need)
            and (Action.ALL in self.actions or not need.actions.isdisjoint(self.actions))
            and is_within(host, self.sources)
        )


@dataclass(frozen=True, slots=True)
class Policy:
    """Entries of one type; at most one a resource, unless they were made together."""

    type: PolicyType
    entries: tuple[Entry, ...]

    def with_entries(self, entries: Iterable[Entry]) -> Policy:
        """The same, where each of these takes the place of the first about its resource."""
        result = list(self.entries)
        for entry in entries:
            place = next((i for i, e in enumerate(result) if e.resource == entry.resource), None)
            if place is None:
                result.append(entry)
            else:
                result[place] = entry
        return replace(self, entries=tuple(result))

    def without(self, resource: Resource) -> Policy:
        """The same without the first entry about a resource."""
        place = next((i for i, e in enumerate(self.entries) if e.resource == resource), None)
        if place is None:
            return self
        return replace(self, entries=self.entries[:place] + self.entries[place + 1 :])


@dataclass(frozen=True, slots=True)
class Acl:
    """All policies of one subject; at most one of each type."""

    subject: str
    policies: tuple[Policy, ...]

    @property
    def entry_count(self) -> int:
        """How many entries all policies have."""
        return sum(len(policy.entries) for policy in self.policies)

    def with_policies(self, policies: Iterable[Policy]) -> Acl:
        """The same, changed by new or changed entries."""
        result = list(self.policies)
        for policy in policies:
            place = next((i for i, p in enumerate(result) if p.type is policy.type), None)
            if place is None:
                result.append(policy)
            else:
                result[place] = result[place].with_entries(policy.entries)
        return replace(self, policies=tuple(result))

    def without(self, type_: PolicyType, resource: Resource) -> Acl:
        """The same without an entry; a policy without entries goes."""
        changed = (p.without(resource) if p.type is type_ else p for p in self.policies)
        return replace(self, policies=tuple(policy for policy in changed if policy.entries))


def decide(acl: Acl | None, need: Need, host: str) -> Entry | None:
    """The entry that decides, or None when none matches, which means no."""
    if acl is None:
        return None
    for type_ in PolicyType:
        matching = [
            entry
            for policy in acl.policies
            if policy.type is type_
            for entry in policy.entries
            if entry.matches(need, host)
        ]
        if matching:
            return min(matching, key=_rank)
    return None


def allows(entry: Entry | None) -> bool:
    """Whether what was decided is yes."""
    return entry is not None and entry.decision is Decision.ALLOW


def _rank(entry: Entry) -> tuple[tuple[bool, int, int], bool]:
    return entry.resource.precision, entry.decision is Decision.DENY
