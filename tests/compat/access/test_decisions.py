"""The same users with the same policies may do the same in front of Apache and of us."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from tests.compat.access.guarded import ROOT, Guarded
from tests.support.access import entry

from pocketmq.security import Credentials

DENIED, ALLOWED = 16, 0
TOPIC, GROUP = "decide_orders", "decide_group"
SEND = {
    "producerGroup": "p",
    "topic": TOPIC,
    "defaultTopic": "TBW102",
    "defaultTopicQueueNums": "4",
    "queueId": "0",
    "sysFlag": "0",
    "bornTimestamp": "1700000000000",
    "flag": "0",
    "properties": "KEYS\x01k\x02",
    "reconsumeTimes": "0",
    "unitMode": "false",
}
QUEUE = {"topic": TOPIC, "queueId": "0", "committed": "true"}
OFFSET = {"consumerGroup": GROUP, "topic": TOPIC, "queueId": "0"}

Entries = tuple[dict[str, Any], ...]


def deny(resource: str, *actions: str, sources: tuple[str, ...] = ()) -> dict[str, Any]:
    return entry(resource, *actions, sources=sources, decision="Deny")


SENDS: dict[str, tuple[Entries, int]] = {
    "nothing": ((), DENIED),
    "the topic": ((entry(f"Topic:{TOPIC}", "Pub"),), ALLOWED),
    "another topic": ((entry("Topic:other", "Pub"),), DENIED),
    "another action": ((entry(f"Topic:{TOPIC}", "Sub", "Get", "List"),), DENIED),
    "every action": ((entry(f"Topic:{TOPIC}", "All"),), ALLOWED),
    "a beginning": ((entry("Topic:decide*", "Pub"),), ALLOWED),
    "every topic": ((entry("Topic:*", "Pub"),), ALLOWED),
    "everything": ((entry("*", "All"),), ALLOWED),
    "a group of that name": ((entry(f"Group:{TOPIC}", "Pub"),), DENIED),
    "here": ((entry(f"Topic:{TOPIC}", "Pub", sources=["127.0.0.0/8"]),), ALLOWED),
    "exactly here": ((entry(f"Topic:{TOPIC}", "Pub", sources=["10.0.0.1", "127.0.0.1"]),), ALLOWED),
    "elsewhere": ((entry(f"Topic:{TOPIC}", "Pub", sources=["10.0.0.0/8"]),), DENIED),
    "denied": ((deny(f"Topic:{TOPIC}", "Pub"),), DENIED),
    "denied by kind": ((entry("*", "All"), deny("Topic:*", "Pub")), DENIED),
    "another action denied": ((entry("Topic:*", "Pub"), deny(f"Topic:{TOPIC}", "Sub")), ALLOWED),
    "denied elsewhere": (
        (entry("Topic:*", "Pub"), deny(f"Topic:{TOPIC}", "Pub", sources=("10.0.0.0/8",))),
        ALLOWED,
    ),
    "a tie": ((deny(f"Topic:{TOPIC}", "Pub"), entry(f"Topic:{TOPIC}", "Pub")), ALLOWED),
}


@pytest.fixture(scope="module")
def users(both: dict[str, Guarded]) -> Credentials:
    """A user of both clusters without policies, and the topic."""
    user = Credentials("dora", "dora-secret")
    for cluster in both.values():
        cluster.create_topic(TOPIC)
        cluster.create_user(user)
    return user


def outcome(cluster: Guarded, user: Credentials, entries: Entries, code: int, **fields: str) -> int:
    """What a request of a user with these policies is answered."""
    if entries:
        cluster.allow(user, *entries)
    try:
        return cluster.code_of(user, code, b"body" if code in (10, 310) else b"", **fields)
    finally:
        if entries:
            cluster.forget(user)


@pytest.mark.parametrize("case", SENDS)
def test_a_send_is_let_through_or_not(
    case: str, both: dict[str, Guarded], users: Credentials
) -> None:
    entries, expected = SENDS[case]
    said = {kind: outcome(one, users, entries, 10, **SEND) for kind, one in both.items()}
    assert said == {"apache": expected, "pocketmq": expected}


REQUESTS: dict[str, tuple[int, dict[str, str], tuple[str, ...]]] = {
    "send in short": (310, dict(zip("abcdefghijk", SEND.values(), strict=False)), ("Topic:Pub",)),
    "offset of a queue": (30, QUEUE, ("Topic:Get",)),
    "offset by time": (29, {**QUEUE, "timestamp": "0"}, ("Topic:Get",)),
    "offset of a group": (14, OFFSET, ("Topic:Sub", "Group:Sub")),
    "offset of a group, looked at": (14, OFFSET, ("Topic:Get", "Group:Get")),
    "commit": (15, {**OFFSET, "commitOffset": "0"}, ("Topic:Sub", "Group:Sub")),
    "commit as an operator": (
        15,
        {**OFFSET, "commitOffset": "0"},
        ("Topic:Update", "Group:Update"),
    ),
    "figures of a topic": (202, {"topic": TOPIC}, ("Topic:Get",)),
    "groups of a topic": (300, {"topic": TOPIC}, ("Topic:Get",)),
    "settings of a topic": (351, {"topic": TOPIC}, ("Topic:Get",)),
    "figures of a group": (
        208,
        {"consumerGroup": GROUP, "topic": TOPIC},
        ("Topic:Get", "Group:Get"),
    ),
    "topics of a group": (343, {"group": GROUP}, ("Group:Get",)),
    "producers": (328, {}, ("Cluster:Get",)),
    "users": (3005, {}, ("Cluster:Get",)),
    "policies": (3010, {}, ("Cluster:Get",)),
    "settings": (26, {}, ()),
    "figures": (28, {}, ()),
    "topics": (21, {}, ()),
}
NAMES = {"Topic": TOPIC, "Group": GROUP, "Cluster": "InteropCluster"}


@pytest.mark.parametrize("case", REQUESTS)
def test_a_request_needs_all_of_its_permissions(
    case: str, both: dict[str, Guarded], users: Credentials
) -> None:
    code, fields, needed = REQUESTS[case]
    said: dict[str, list[bool]] = {}
    for kind, cluster in both.items():
        said[kind] = []
        for size in range(len(needed) + 1):
            for some in itertools.combinations(needed, size):
                pairs = (one.split(":") for one in some)
                entries = tuple(entry(f"{kind_}:{NAMES[kind_]}", act) for kind_, act in pairs)
                answered = outcome(cluster, users, entries, code, **fields)
                said[kind].append(answered != DENIED)
    assert said["pocketmq"] == [*[False] * (2 ** len(needed) - 1), True]
    assert said["pocketmq"] == said["apache"]


@pytest.mark.parametrize(
    "by",
    [None, Credentials("nobody", "x"), Credentials("root", "wrong")],
    ids=["unsigned", "a stranger", "a wrong secret"],
)
def test_whoever_does_not_sign_gets_nowhere(
    by: Credentials | None, both: dict[str, Guarded]
) -> None:
    for code in (10, 30, 26, 28, 21, 34, 3005, 12345):
        said = {kind: one.code_of(by, code, **QUEUE) for kind, one in both.items()}
        assert said == {"apache": DENIED, "pocketmq": DENIED}, code


def test_a_super_user_may_do_everything(both: dict[str, Guarded], users: Credentials) -> None:
    for code, fields, _ in REQUESTS.values():
        said = {kind: outcome(one, ROOT, (), code, **fields) for kind, one in both.items()}
        assert said["apache"] == said["pocketmq"] != DENIED, code


# Apache's comparison of entries does what its documentation does not say: a shorter beginning goes
# before a longer one, and of a name and a beginning of it the one that was added last decides.
PRECISER_HERE: dict[str, tuple[Entries, int]] = {
    "a longer beginning": (
        (entry("Topic:dec*", "Pub"), deny("Topic:decide*", "Pub")),
        DENIED,
    ),
    "a name before every name": (
        (deny(f"Topic:{TOPIC}", "Pub"), entry("Topic:*", "Pub")),
        DENIED,
    ),
    "a name before a beginning": (
        (deny(f"Topic:{TOPIC}", "Pub"), entry("Topic:decide*", "Pub")),
        DENIED,
    ),
}


@pytest.mark.parametrize("case", PRECISER_HERE)
def test_the_most_precise_entry_decides_here(
    case: str, both: dict[str, Guarded], users: Credentials
) -> None:
    entries, expected = PRECISER_HERE[case]
    assert outcome(both["pocketmq"], users, entries, 10, **SEND) == expected
    assert outcome(both["apache"], users, entries, 10, **SEND) == ALLOWED
