"""Sharing queues: what each strategy gives each member, and that nothing is lost or given twice."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pocketmq.client.allocation import (
    AllocationStrategy,
    Averagely,
    ByCircle,
    ByConfig,
    ConsistentHash,
    MachineRoom,
    MachineRoomNearby,
    allocate,
    java_order,
    java_text,
    md5_start,
    sort_queues,
    strategy_of,
)
from pocketmq.errors import ConfigError
from pocketmq.protocol.bodies.queues import MessageQueue


def queues(count: int, broker: str = "b") -> list[MessageQueue]:
    return [MessageQueue("T", broker, number) for number in range(count)]


def shares(
    strategy: AllocationStrategy, members: list[str], given: list[MessageQueue]
) -> list[list[int]]:
    return [[q.queue_id for q in allocate(strategy, m, given, members)] for m in members]


@pytest.mark.parametrize(
    ("count", "members", "expected"),
    [
        (8, 3, [[0, 1, 2], [3, 4, 5], [6, 7]]),
        (8, 2, [[0, 1, 2, 3], [4, 5, 6, 7]]),
        (2, 3, [[0], [1], []]),
        (0, 2, [[], []]),
    ],
)
def test_averagely_gives_neighbours(count: int, members: int, expected: list[list[int]]) -> None:
    names = [f"c{number}" for number in range(members)]
    assert shares(Averagely(), names, queues(count)) == expected


def test_by_circle_deals_one_by_one() -> None:
    assert shares(ByCircle(), ["a", "b", "c"], queues(8)) == [[0, 3, 6], [1, 4, 7], [2, 5]]


def test_consistent_hash_hashes_as_java_does() -> None:
    # printf c-0 | md5sum
    assert md5_start("c-0") == 0x63E3DC58
    assert md5_start(java_text(MessageQueue("T", "b", 3))) == 0x19E13E53
    assert java_text(MessageQueue("T", "b", 3)) == "MessageQueue [topic=T, brokerName=b, queueId=3]"


def test_consistent_hash_moves_few_queues_when_a_member_leaves() -> None:
    given = queues(100)
    members = [f"client-{number}" for number in range(5)]
    before = {q: m for m in members for q in allocate(ConsistentHash(), m, given, members)}
    after = {q: m for m in members[1:] for q in allocate(ConsistentHash(), m, given, members[1:])}
    assert len(before) == len(after) == 100
    moved = [queue for queue in given if before[queue] != after[queue]]
    assert all(before[queue] == members[0] for queue in moved)


def test_by_config_gives_what_was_given() -> None:
    strategy = ByConfig([MessageQueue("T", "b", 3), MessageQueue("U", "b", 1)])
    assert shares(strategy, ["a", "b"], queues(4)) == [[3], [3]]


def test_machine_room_takes_only_brokers_of_its_rooms() -> None:
    given = [*queues(3, "east@b1"), *queues(2, "west@b1"), *queues(2, "b2")]
    strategy = MachineRoom({"east"})
    assert shares(strategy, ["a", "b"], given) == [[0, 2], [1]]


def test_nearby_members_take_their_own_room_and_share_empty_ones() -> None:
    given = [*queues(2, "east-1"), *queues(4, "west-1"), *queues(3, "north-1")]
    strategy = MachineRoomNearby(
        lambda broker: broker.split("-")[0], lambda client: client.split("@")[0]
    )
    members = ["east@1", "west@1", "west@2"]
    found = {m: allocate(strategy, m, given, members) for m in members}
    assert [(q.broker_name, q.queue_id) for q in found["east@1"]] == [
        ("east-1", 0),
        ("east-1", 1),
        ("north-1", 0),
    ]
    assert sorted(q for part in found.values() for q in part) == sorted(given)
    assert strategy.name == "MACHINE_ROOM_NEARBY-AVG"


def test_nearby_wants_a_room_for_everyone() -> None:
    strategy = MachineRoomNearby(lambda _: "", lambda _: "east")
    with pytest.raises(ConfigError, match="no machine room"):
        allocate(strategy, "a", queues(1), ["a"])


@given(
    count=st.integers(0, 40),
    members=st.lists(st.text("ab1#@", min_size=1), min_size=1, max_size=9, unique=True),
    strategy=st.sampled_from([Averagely(), ByCircle(), ConsistentHash()]),
)
def test_every_queue_goes_to_exactly_one_member(
    count: int, members: list[str], strategy: AllocationStrategy
) -> None:
    given_queues = [*queues(count, "b1"), *queues(count // 2, "b2")]
    found = [
        queue for m in members for queue in allocate(strategy, m, reversed(given_queues), members)
    ]
    assert sorted(found) == sorted(given_queues)


def test_who_is_not_in_the_group_gets_nothing() -> None:
    assert allocate(Averagely(), "stranger", queues(4), ["a", "b"]) == []


def test_texts_are_sorted_by_utf_16_units() -> None:
    # U+FF61 comes after the surrogates of U+1F600 in Java, before it in Python.
    assert sorted(["\uff61", "\U0001f600", "a"], key=java_order) == ["a", "\U0001f600", "\uff61"]
    shuffled = [MessageQueue("T", "b", 10), MessageQueue("T", "b", 9), MessageQueue("T", "a", 11)]
    assert [q.queue_id for q in sort_queues(shuffled)] == [11, 9, 10]


def test_strategies_have_names() -> None:
    assert strategy_of("averagely").name == strategy_of("AVG").name == "AVG"
    assert strategy_of("CONSISTENT_HASH").name == "CONSISTENT_HASH"
    with pytest.raises(ConfigError, match="say averagely"):
        strategy_of("fair")
    with pytest.raises(ConfigError, match="virtual_nodes"):
        ConsistentHash(0)
