"""Rules: which user may do what with which topic, group or cluster, and from where.

    rule = Rule("Topic:orders", ("Pub", "Sub"), "Allow")
    await admin.acls.save("User:alice", [rule])

A broker keeps one rule for each subject, kind and resource, so saving one replaces what was there.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from pocketmq.admin.access import Access, Told, label_of
from pocketmq.admin.clusters import Broker
from pocketmq.errors import ConfigError, MalformedBody
from pocketmq.protocol.bodies.fastjson import loads
from pocketmq.protocol.bodies.security import AclDocument, PolicyDocument, PolicyEntryDocument
from pocketmq.protocol.codes import RequestCode
from pocketmq.protocol.requests.admin import AclRequest, DeleteAclRequest, ListAclsRequest

ALLOW: Final = "Allow"
DENY: Final = "Deny"
DECISIONS: Final = (ALLOW, DENY)
ACTIONS: Final = ("All", "Pub", "Sub", "Create", "Update", "Delete", "Get", "List")
RESOURCES: Final = ("Topic", "Group", "Cluster")
EVERYTHING: Final = "*"
CUSTOM: Final = "Custom"
"""The kind of rule that people write; a broker looks at those of the kind Default behind them."""
USER_PREFIX: Final = "User:"
SOURCES_MAX: Final = 100
RESOURCE_CHARS_MAX: Final = 512


@dataclass(frozen=True, slots=True)
class Rule:
    """What may, or may not, be done to one resource; without sources, from anywhere."""

    resource: str
    actions: tuple[str, ...]
    decision: str
    sources: tuple[str, ...] = ()
    kind: str = CUSTOM


@dataclass(frozen=True, slots=True)
class PlacedRule:
    """A rule, the brokers that have exactly it, and others of their clusters that have not."""

    rule: Rule
    brokers: tuple[str, ...]
    lacking: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Acl:
    """All rules of a subject, such as `User:alice`."""

    subject: str
    rules: tuple[PlacedRule, ...]

    @property
    def same_everywhere(self) -> bool:
        """Whether all brokers have the same rules."""
        return not any(one.lacking for one in self.rules)


@dataclass(frozen=True, slots=True)
class AclList:
    """The rules of a cluster, by subject."""

    acls: tuple[Acl, ...]
    brokers: tuple[str, ...]
    """Brokers that told theirs."""
    problems: dict[str, str]
    """Brokers that did not, and why."""


def subject_of(name: str) -> str:
    """A subject as brokers write it; a bare name is a user's. Raise ConfigError for an odd one."""
    subject = name if name.startswith(USER_PREFIX) else USER_PREFIX + name
    if not subject.removeprefix(USER_PREFIX).strip():
        raise ConfigError("say whose rules are meant, such as alice or User:alice")
    return subject


def checked_rule(rule: Rule) -> Rule:
    """The rule with its words as brokers write them. Raise ConfigError for what none takes."""
    resource = _resource(rule.resource)
    wanted = [action for action in rule.actions if action]
    if not wanted:
        raise ConfigError(f"say what may be done: {', '.join(ACTIONS)}")
    actions = tuple(dict.fromkeys(_word(action, ACTIONS, "an action") for action in wanted))
    decision = _word(rule.decision, DECISIONS, "a decision")
    if len(rule.sources) > SOURCES_MAX:
        raise ConfigError(f"a rule may have {SOURCES_MAX} sources at most")
    for source in rule.sources:
        try:
            ipaddress.ip_network(source, strict=False)
        except ValueError:
            raise ConfigError(
                f"{source[:80]!r} is no address; write one such as 10.0.0.7, or many as 10.0.0.0/8"
            ) from None
    return Rule(resource, actions, decision, rule.sources, rule.kind)


class Acls:
    """What an operator does with rules.

    `cluster` and `broker` narrow which brokers are meant. What goes wrong is raised, as `Admin`
    says; AccessUnavailable where a broker keeps no rules, PartlyDone where only some took a change.
    """

    def __init__(self, access: Access) -> None:
        self._access = access

    async def all(
        self,
        subject: str = "",
        resource: str = "",
        *,
        cluster: str | None = None,
        broker: str | None = None,
    ) -> AclList:
        """All rules whose subject and resource contain these texts, and who lacks which."""
        return await self.among(await self._access.brokers(cluster, broker), subject, resource)

    async def among(
        self, brokers: Sequence[Broker], subject: str = "", resource: str = ""
    ) -> AclList:
        """The same of these brokers."""

        async def ask(one: Broker) -> dict[str, tuple[Rule, ...]]:
            request = ListAclsRequest(subject, resource)
            answer = await self._access.ask(one, RequestCode.AUTH_LIST_ACL, request)
            return _rules(label_of(one), bytes(answer.body))

        told = await self._access.told(brokers, ask)
        subjects = sorted({name for found in told.answers.values() for name in found})
        acls = tuple(Acl(name, _placed(name, told)) for name in subjects)
        return AclList(acls, tuple(told.answers), told.problems)

    async def find(
        self, subject: str, *, cluster: str | None = None, broker: str | None = None
    ) -> Acl | None:
        """The rules of one subject; None when it has none anywhere."""
        return (await self._look(subject, cluster, broker))[0]

    async def _look(
        self, subject: str, cluster: str | None, broker: str | None
    ) -> tuple[Acl | None, frozenset[str]]:
        """The rules of one subject, and the brokers that did not tell theirs.

        Whoever changes the rules asks those again, so that the change is not taken for done.
        """
        found = await self.all(subject, cluster=cluster, broker=broker)
        known = next((one for one in found.acls if one.subject == subject), None)
        return known, frozenset(found.problems)

    async def save(
        self,
        subject: str,
        rules: Sequence[Rule],
        *,
        cluster: str | None = None,
        broker: str | None = None,
    ) -> list[str]:
        """Add rules, each in place of the one for its resource; return the brokers that did.

        Raise ConfigError for a rule that no broker takes, BrokerRefused for an unknown user.
        """
        body = _document(subject, [checked_rule(one) for one in rules]).to_json()
        brokers = await self._access.brokers(cluster, broker)
        return await self._access.change(brokers, lambda one: self._update(one, subject, body))

    async def delete(
        self,
        subject: str,
        resource: str | None = None,
        *,
        cluster: str | None = None,
        broker: str | None = None,
    ) -> list[str]:
        """Delete the rules of a subject, or those for one resource; return the brokers that did.

        Raise ConfigError when there are none.
        """
        known, silent = await self._look(subject, cluster, broker)
        rules = [
            one for one in (known.rules if known else ()) if resource in (None, one.rule.resource)
        ]
        if not rules:
            what = f"no rule for {resource}" if resource else "no rules"
            raise ConfigError(f"{subject} has {what}; `acl list` shows those that are")
        labels = {label for one in rules for label in one.brokers} | silent
        brokers = [
            one for one in await self._access.brokers(cluster, broker) if label_of(one) in labels
        ]

        async def remove(one: Broker) -> None:
            if resource is None:
                await self._delete(one, DeleteAclRequest(subject))
                return
            kinds = {r.rule.kind for r in rules if label_of(one) in (*r.brokers, *silent)}
            for kind in sorted(kinds):
                await self._delete(one, DeleteAclRequest(subject, kind, resource))

        return await self._access.change(brokers, remove)

    async def sync(
        self, subject: str, source: str | None = None, *, cluster: str | None = None
    ) -> list[str]:
        """Make all brokers of a cluster have the rules that one has; return those that changed.

        Without a `source` that is the first of each cluster that has any. Raise ConfigError.
        """
        known, silent = await self._look(subject, cluster, None)
        if known is None:
            raise ConfigError(f"{subject} has no rules; `acl list` shows those that are")
        brokers = await self._access.brokers(cluster)
        having = {label for one in known.rules for label in one.brokers}
        models = {
            one.cluster: label_of(one)
            for one in reversed(brokers)
            if label_of(one) in having and source in (None, label_of(one))
        }
        if not models:
            raise ConfigError(f"{source} has no rules of {subject}; name a broker that has some")

        async def make(one: Broker) -> None:
            wanted = [r.rule for r in known.rules if models[one.cluster] in r.brokers]
            await self._update(one, subject, _document(subject, wanted).to_json())
            places = {(rule.kind, rule.resource) for rule in wanted}
            for extra in known.rules:
                place = (extra.rule.kind, extra.rule.resource)
                if label_of(one) in extra.brokers and place not in places:
                    await self._delete(one, DeleteAclRequest(subject, *place))

        def is_off(one: Broker) -> bool:
            label, model = label_of(one), models[one.cluster]
            return label in silent or any(
                (label in rule.brokers) != (model in rule.brokers) for rule in known.rules
            )

        return await self._access.change(
            [one for one in brokers if one.cluster in models and is_off(one)], make
        )

    async def _update(self, broker: Broker, subject: str, body: bytes) -> None:
        await self._access.ask(broker, RequestCode.AUTH_UPDATE_ACL, AclRequest(subject), body)

    async def _delete(self, broker: Broker, request: DeleteAclRequest) -> None:
        await self._access.ask(broker, RequestCode.AUTH_DELETE_ACL, request)


def _placed(subject: str, told: Told[dict[str, tuple[Rule, ...]]]) -> tuple[PlacedRule, ...]:
    holders: dict[Rule, list[str]] = {}
    for label, found in told.answers.items():
        for rule in found.get(subject, ()):
            holders.setdefault(rule, []).append(label)
    return tuple(
        PlacedRule(rule, tuple(have), told.lacking(have))
        for rule, have in sorted(holders.items(), key=lambda one: _place(one[0]))
    )


def _place(rule: Rule) -> tuple[str, str, tuple[str, ...]]:
    return rule.kind, rule.resource, rule.actions


def _rules(broker: str, body: bytes) -> dict[str, tuple[Rule, ...]]:
    """The rules in a broker's answer, which is empty when there are none."""
    tree = loads(body) if body else []
    if not isinstance(tree, list):
        raise MalformedBody(f"{broker} tells its rules as something that is no list")
    found: dict[str, tuple[Rule, ...]] = {}
    for one in map(AclDocument.from_tree, tree):
        if one.subject:
            found[one.subject] = tuple(
                Rule(
                    entry.resource or "",
                    tuple(entry.actions or ()),
                    entry.decision or "",
                    tuple(entry.source_ips or ()),
                    policy.policy_type or CUSTOM,
                )
                for policy in one.policies or ()
                for entry in policy.entries or ()
            )
    return found


def _document(subject: str, rules: Iterable[Rule]) -> AclDocument:
    by_kind: dict[str, list[PolicyEntryDocument]] = {}
    for one in rules:
        entry = PolicyEntryDocument(one.resource, one.actions, one.sources, one.decision)
        by_kind.setdefault(one.kind, []).append(entry)
    policies = tuple(PolicyDocument(kind, tuple(entries)) for kind, entries in by_kind.items())
    return AclDocument(subject, policies)


def _resource(text: str) -> str:
    if text == EVERYTHING:
        return text
    kind, colon, name = text.partition(":")
    if not colon or not name.strip() or len(text) > RESOURCE_CHARS_MAX:
        raise ConfigError(
            f"the resource {text[:80]!r} is none; write Topic:orders, Group:billing, Cluster:*, "
            "Topic:order* for all that begin so, or * for everything"
        )
    return f"{_word(kind, RESOURCES, 'a kind of resource')}:{name}"


def _word(given: str, known: tuple[str, ...], what: str) -> str:
    for word in known:
        if word.lower() == given.strip().lower():
            return word
    raise ConfigError(f"{given[:80]!r} is not {what}; there are {', '.join(known)}")
