"""Which entry decides, as a table and against a slow and plain second opinion."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pocketmq.security.acls import (
    Acl,
    Action,
    Decision,
    Entry,
    Need,
    Policy,
    PolicyType,
    Resource,
    ResourceType,
    allows,
    decide,
    parse_resource,
)

HERE = "10.1.2.3"
PUB = frozenset((Action.PUB,))


def entry(
    resource: str, *actions: Action, decision: str = "Allow", sources: tuple[str, ...] = ()
) -> Entry:
    found = parse_resource(resource)
    assert found is not None
    return Entry(found, actions or (Action.PUB,), sources, Decision(decision))


def deny(resource: str, *actions: Action, sources: tuple[str, ...] = ()) -> Entry:
    return entry(resource, *actions, decision="Deny", sources=sources)


def acl(*custom: Entry, default: tuple[Entry, ...] = ()) -> Acl:
    policies = (Policy(PolicyType.DEFAULT, default), Policy(PolicyType.CUSTOM, custom))
    return Acl("User:a", tuple(policy for policy in policies if policy.entries))


def topic(name: str, actions: frozenset[Action] = PUB) -> Need:
    return Need(ResourceType.TOPIC, name, actions)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Topic:a", "Topic:a"),
        ("topic:A", "Topic:A"),
        ("GROUP:g*", "Group:g*"),
        ("Topic:*", "Topic:*"),
        ("*", "*"),
        ("Any:x", "*"),
        ("Topic:a:b", "Topic:a:b"),
        ("Topic:a*b*", "Topic:a*"),
        ("Cluster:c", "Cluster:c"),
        ("Thing:x", None),
        ("", None),
        ("orders", None),
    ],
)
def test_resources_are_read_as_rocketmq_reads_them(text: str, shown: str | None) -> None:
    resource = parse_resource(text)
    assert (None if resource is None else str(resource)) == shown


@pytest.mark.parametrize(
    ("entries", "name", "expected"),
    [
        ((entry("Topic:t"),), "t", True),
        ((entry("Topic:t"),), "t2", False),
        ((entry("Group:t"),), "t", False),
        ((entry("Topic:t*"),), "t2", True),
        ((entry("Topic:*"),), "anything", True),
        ((entry("*"),), "anything", True),
        ((entry("Topic:t", Action.SUB),), "t", False),
        ((entry("Topic:t", Action.ALL),), "t", True),
        ((entry("Topic:*"), deny("Topic:t")), "t", False),
        ((deny("Topic:*"), entry("Topic:t")), "t", True),
        ((entry("Topic:t*"), deny("Topic:to*")), "top", False),
        ((deny("Topic:t*"), entry("Topic:to*")), "top", True),
        ((entry("*"), deny("Topic:*")), "t", False),
        ((deny("*"), entry("Topic:*")), "t", True),
        ((deny("Topic:t"), entry("Topic:t")), "t", True),
        ((deny("Topic:t", Action.SUB), entry("Topic:*")), "t", True),
        ((deny("Topic:t", sources=("10.0.0.0/8",)), entry("Topic:*")), "t", False),
        ((deny("Topic:t", sources=("11.0.0.0/8",)), entry("Topic:*")), "t", True),
        ((), "t", False),
    ],
)
def test_the_most_precise_entry_decides(
    entries: tuple[Entry, ...], name: str, expected: bool
) -> None:
    need = topic(name)
    assert allows(decide(acl(*entries), need, HERE)) is expected
    assert allows(decide(acl(*reversed(entries)), need, HERE)) is expected


def test_the_custom_policy_is_asked_first() -> None:
    found = acl(entry("Topic:*"), default=(deny("Topic:t"),))
    assert allows(decide(found, topic("t"), HERE))
    found = acl(entry("Topic:other"), default=(entry("Topic:t"),))
    assert allows(decide(found, topic("t"), HERE))
    assert decide(None, topic("t"), HERE) is None


def test_any_one_of_the_actions_is_enough() -> None:
    found = acl(entry("Topic:t", Action.GET))
    assert allows(decide(found, topic("t", frozenset((Action.SUB, Action.GET))), HERE))
    assert not allows(decide(found, topic("t", frozenset((Action.SUB,))), HERE))


def test_entries_take_the_place_of_those_about_the_same_resource() -> None:
    found = acl(entry("Topic:a"), entry("Topic:b"))
    changed = found.with_policies((Policy(PolicyType.CUSTOM, (deny("Topic:a"),)),))
    assert [str(e.resource) for e in changed.policies[0].entries] == ["Topic:a", "Topic:b"]
    assert changed.policies[0].entries[0].decision is Decision.DENY
    assert changed.entry_count == 2
    resource = changed.policies[0].entries[1].resource
    assert changed.without(PolicyType.DEFAULT, resource) == changed
    assert changed.without(PolicyType.CUSTOM, resource).entry_count == 1


_NAMES = st.text("ab", max_size=3)
_RESOURCES = st.builds(
    lambda kind, name, star: f"{kind}:{name}{star}",
    st.sampled_from(["Topic", "Group"]),
    _NAMES,
    st.sampled_from(["", "*"]),
) | st.just("*")
_ENTRIES = st.builds(
    lambda resource, action, decision, source: Entry(resource, (action,), source, decision),
    _RESOURCES.map(parse_resource).filter(lambda found: found is not None),
    st.sampled_from([Action.PUB, Action.SUB, Action.ALL]),
    st.sampled_from(Decision),
    st.sampled_from([(), ("10.0.0.0/8",), ("11.0.0.0/8",)]),
)


def _second_opinion(entries: list[Entry], name: str) -> bool:
    """Try what is most precise first, and Allow before Deny."""
    wanted = [("Topic", name, "")]
    wanted += [("Topic", name[:size], "*") for size in range(len(name), -1, -1)]
    wanted.append(("", "", "*"))
    for kind, beginning, star in wanted:
        text = f"{kind}:{beginning}{star}" if kind else "*"
        for decision in Decision:
            for one in entries:
                matches = str(one.resource) == text and one.decision is decision
                if matches and one.actions[0] is not Action.SUB and one.sources != ("11.0.0.0/8",):
                    return decision is Decision.ALLOW
    return False


@given(st.lists(_ENTRIES, max_size=6), _NAMES)
def test_the_decision_is_that_of_a_plain_search(entries: list[Entry], name: str) -> None:
    assert allows(decide(acl(*entries), topic(name), HERE)) is _second_opinion(entries, name)


@given(_RESOURCES)
def test_a_resource_is_written_as_it_is_read(text: str) -> None:
    resource = parse_resource(text)
    assert isinstance(resource, Resource)
    assert parse_resource(str(resource)) == resource
