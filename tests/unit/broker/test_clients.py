"""The table of clients: what real sockets do not reach."""

from __future__ import annotations

from typing import cast

from pocketmq.broker.state.clients import Client, ClientTable, ConsumerGroup, Membership
from pocketmq.clock import ManualClock
from pocketmq.filtering import Subscription, parse_subscription
from pocketmq.net import Connection


def client(name: str, clock: ManualClock) -> Client:
    """A client on a connection of its own; the table only tells connections apart."""
    return Client(cast("Connection", object()), name, 0, 479, clock.now_ms())


def member(*topics: str, version: int = 1, group: str = "g", tags: str = "*") -> Membership:
    subscriptions = tuple(parse_subscription(name, tags, "TAG", version) for name in topics)
    return Membership(group, "CONSUME_PASSIVELY", "CLUSTERING", "LAST", subscriptions)


def test_a_newer_expression_replaces_an_older_one_but_not_the_other_way() -> None:
    clock = ManualClock()
    table = ClientTable(clock)
    one = client("one", clock)
    assert table.register_consumer(one, member("T", version=5))
    assert not table.register_consumer(one, member("T", version=6, tags="A"))
    assert not table.register_consumer(one, member("T", version=4, tags="B"))
    known = table.subscription("g", "T")
    assert isinstance(known, Subscription)
    assert (known.expression, known.version) == ("A", 6)


def test_one_id_on_two_connections_is_two_members_and_one_name() -> None:
    clock = ManualClock()
    table = ClientTable(clock)
    old, new = client("same", clock), client("same", clock)
    table.register_consumer(old, member("T"))
    table.register_consumer(new, member("T"))
    group = table.consumer_group("g")
    assert group is not None
    assert (len(group.clients), group.client_ids) == (2, ["same"])
    assert group.client("same") is new
    table.disconnected(old.connection)
    assert group.client_ids == ["same"]


def test_a_group_without_members_is_forgotten_with_its_subscriptions() -> None:
    clock = ManualClock()
    table = ClientTable(clock)
    told: list[ConsumerGroup] = []
    table.on_group_change(told.append)
    one = client("one", clock)
    table.register_consumer(one, member("T"))
    table.register_producer(one, "p")
    table.unregister_consumer(one.connection, "g")
    assert table.consumer_group("g") is None
    assert table.subscription("g", "T") is None
    assert len(told) == 2
    assert len(table) == 1
    table.unregister_producer(one.connection, "p")
    assert len(table) == 0
    table.unregister_producer(one.connection, "p")


def test_only_the_silent_expire() -> None:
    clock = ManualClock()
    table = ClientTable(clock)
    silent, producing, alive = (client(name, clock) for name in ("a", "b", "c"))
    table.register_consumer(silent, member("T"))
    table.register_producer(producing, "p")
    table.register_consumer(alive, member("T"))
    clock.advance(seconds=120)
    assert table.expire(120_000) == []
    alive.last_seen_ms = clock.now_ms()
    clock.advance(ms=1)
    assert set(table.expire(120_000)) == {silent.connection, producing.connection}
    group = table.consumer_group("g")
    assert group is not None
    assert group.client_ids == ["c"]


def test_members_are_bounded() -> None:
    clock = ManualClock()
    table = ClientTable(clock, members_max=2)
    first, second, third = (client(name, clock) for name in "abc")
    assert table.register_consumer(first, member("T"))
    table.register_producer(second, "p")
    assert not table.register_consumer(third, member("T"))
    table.register_producer(third, "q")
    assert (table.consumer_groups[0].client_ids, table.producers("q")) == (["a"], [])
    table.disconnected(first.connection)
    assert table.register_consumer(third, member("T"))
