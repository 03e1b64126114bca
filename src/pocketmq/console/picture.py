"""What the cluster looks like: brokers, topics and groups, asked for rarely and kept shortly.

A list of a thousand topics is one request to each master, however many pages are turned.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass

from pocketmq.admin import Admin, Broker
from pocketmq.clock import Clock
from pocketmq.console.aged import Aged
from pocketmq.console.problems import not_found
from pocketmq.errors import BrokerRefused, NetError
from pocketmq.message.topics import (
    BUILT_IN_GROUPS,
    DEAD_LETTER_PREFIX,
    PERM_READ,
    PERM_WRITE,
    RETRY_PREFIX,
    is_system_group,
    is_system_topic,
)
from pocketmq.protocol.bodies.subscription_group import SubscriptionGroup, SubscriptionGroupTable
from pocketmq.protocol.bodies.topic_config import TopicConfig, TopicConfigTable
from pocketmq.protocol.codes import RequestCode

MESSAGE_TYPE = "message.type"
_SECONDS = 5.0
_KINDS = ("normal", "fifo", "delay", "transaction", "mixed")


@dataclass(frozen=True, slots=True)
class TopicFacts:
    """A topic as its masters have it."""

    name: str
    kind: str
    parts: tuple[tuple[Broker, TopicConfig], ...]

    @property
    def is_user(self) -> bool:
        """Whether people made it."""
        return self.kind not in ("retry", "dead_letter", "system")


@dataclass(frozen=True, slots=True)
class GroupFacts:
    """A group as its masters have it."""

    name: str
    kind: str
    parts: tuple[tuple[Broker, SubscriptionGroup], ...]


@dataclass(frozen=True, slots=True)
class Topics:
    """All topics by name, and how many there are of each kind."""

    by_name: dict[str, TopicFacts]
    kinds: dict[str, int]


class Picture:
    """Asks brokers for their tables."""

    def __init__(self, admin: Admin, clock: Clock) -> None:
        self._admin = admin
        self._brokers: Aged[list[Broker]] = Aged(clock, _SECONDS)
        self._topics: Aged[Topics] = Aged(clock, _SECONDS)
        self._groups: Aged[dict[str, GroupFacts]] = Aged(clock, _SECONDS)

    async def brokers(self) -> list[Broker]:
        """All brokers. Raise NameServersUnreachable."""
        return await self._brokers.get("", self._admin.clusters.brokers)

    async def masters(self) -> list[Broker]:
        """The brokers that take messages."""
        return [broker for broker in await self.brokers() if broker.is_master]

    async def broker(self, name: str, number: int) -> Broker:
        """One broker. Raise Problem (404)."""
        for broker in await self.brokers():
            if (broker.name, broker.id) == (name, number):
                return broker
        raise not_found("broker", f"{name}:{number}", "brokers are listed at /api/v1/brokers")

    async def topics(self) -> Topics:
        """All topics of all masters that answer."""
        return await self._topics.get("", self._find_topics)

    async def topic(self, name: str) -> TopicFacts:
        """One topic. Raise Problem (404)."""
        found = (await self.topics()).by_name.get(name)
        if found is None:
            self.forget()  # it may have been made a moment ago, by somebody else
            found = (await self.topics()).by_name.get(name)
        if found is None:
            raise not_found("topic", name, "topics that exist are listed at /api/v1/topics")
        return found

    async def groups(self) -> dict[str, GroupFacts]:
        """All groups of all masters that answer."""
        return await self._groups.get("", self._find_groups)

    async def group(self, name: str) -> GroupFacts:
        """One group. Raise Problem (404)."""
        found = (await self.groups()).get(name)
        if found is None:
            self.forget()
            found = (await self.groups()).get(name)
        if found is None:
            raise not_found("group", name, "groups that exist are listed at /api/v1/groups")
        return found

    def forget(self) -> None:
        """Ask anew: something was changed."""
        self._brokers.forget()
        self._topics.forget()
        self._groups.forget()

    async def close(self) -> None:
        """End what is being asked."""
        for aged in (self._brokers, self._topics, self._groups):
            await aged.close()

    async def _find_topics(self) -> Topics:
        own = _own_names(await self.brokers())
        parts: dict[str, list[tuple[Broker, TopicConfig]]] = {}
        for broker, body in await self._ask_masters(RequestCode.GET_ALL_TOPIC_CONFIG):
            for name, config in TopicConfigTable.from_json(body).topic_config_table.items():
                parts.setdefault(name, []).append((broker, config))
        by_name = {
            name: TopicFacts(name, kind_of_topic(name, found[0][1], own), tuple(found))
            for name, found in sorted(parts.items())
        }
        return Topics(by_name, dict(Counter(facts.kind for facts in by_name.values())))

    async def _find_groups(self) -> dict[str, GroupFacts]:
        parts: dict[str, list[tuple[Broker, SubscriptionGroup]]] = {}
        for broker, body in await self._ask_masters(RequestCode.GET_ALL_SUBSCRIPTIONGROUP_CONFIG):
            table = SubscriptionGroupTable.from_json(body).subscription_group_table
            for name, group in table.items():
                parts.setdefault(name, []).append((broker, group))
        return {
            name: GroupFacts(name, kind_of_group(name), tuple(found))
            for name, found in sorted(parts.items())
        }

    async def _ask_masters(self, code: int) -> list[tuple[Broker, bytes]]:
        """What the masters answer; those that do not are left out unless all are."""
        masters = await self.masters()
        calls = self._admin.calls
        answers = await asyncio.gather(
            *(calls.ask(broker.address, code) for broker in masters), return_exceptions=True
        )
        found: list[tuple[Broker, bytes]] = []
        for broker, answer in zip(masters, answers, strict=True):
            if isinstance(answer, BaseException):
                if not isinstance(answer, (NetError, BrokerRefused)) or len(masters) == 1:
                    raise answer
            else:
                found.append((broker, bytes(answer.body)))
        return found


def kind_of_topic(name: str, config: TopicConfig, own: frozenset[str]) -> str:
    """The kind that the console sorts topics by."""
    if name.startswith(RETRY_PREFIX):
        return "retry"
    if name.startswith(DEAD_LETTER_PREFIX):
        return "dead_letter"
    if is_system_topic(name) or name in own or name.removesuffix("_REPLY_TOPIC") in own:
        return "system"
    kind = config.attributes.get(MESSAGE_TYPE, "").lower()
    return kind if kind in _KINDS else "unspecified"


def kind_of_group(name: str) -> str:
    """`system` or `user`."""
    return "system" if is_system_group(name) or name in BUILT_IN_GROUPS else "user"


def permission_word(bits: int) -> str:
    """Permission bits as the API writes them."""
    both = bits & (PERM_READ | PERM_WRITE)
    return {PERM_READ | PERM_WRITE: "both", PERM_READ: "read", PERM_WRITE: "write"}.get(
        both, "none"
    )


PERMISSIONS = {"both": PERM_READ | PERM_WRITE, "read": PERM_READ, "write": PERM_WRITE, "none": 0}


def _own_names(brokers: list[Broker]) -> frozenset[str]:
    return frozenset({one.name for one in brokers} | {one.cluster for one in brokers})
