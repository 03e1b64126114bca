"""The table of locked queues."""

from __future__ import annotations

from pocketmq.broker.state.locks import LockTable
from pocketmq.clock import ManualClock
from pocketmq.protocol.bodies.queues import MessageQueue

ONE, TWO, THREE = (MessageQueue("T", "b", number) for number in range(3))


def test_a_queue_belongs_to_one_client_of_a_group() -> None:
    table = LockTable(60_000, ManualClock())
    assert table.lock("g", "x", (ONE, TWO)) == [ONE, TWO]
    assert table.lock("g", "y", (TWO, THREE)) == [THREE]
    assert table.lock("other", "y", (ONE,)) == [ONE]
    assert table.holder("g", ONE) == "x"


def test_only_its_holder_ends_a_lease() -> None:
    table = LockTable(60_000, ManualClock())
    table.lock("g", "x", (ONE,))
    table.unlock("g", "y", (ONE,))
    assert table.holder("g", ONE) == "x"
    table.unlock("g", "x", (ONE, TWO))
    assert table.lock("g", "y", (ONE,)) == [ONE]
    assert len(table) == 1


def test_a_lease_ends_unless_it_is_renewed() -> None:
    clock = ManualClock()
    table = LockTable(60_000, clock)
    table.lock("g", "x", (ONE, TWO))
    clock.advance(seconds=50)
    table.lock("g", "x", (ONE,))
    clock.advance(seconds=11)
    assert table.any_unexpired("g")
    assert table.lock("g", "y", (ONE, TWO)) == [TWO]
    clock.advance(seconds=61)
    assert not table.any_unexpired("g")
    assert table.holder("g", TWO) is None


def test_expired_leases_are_forgotten() -> None:
    clock = ManualClock()
    table = LockTable(60_000, clock)
    table.lock("g", "x", (ONE, TWO))
    clock.advance(seconds=30)
    table.lock("h", "x", (ONE,))
    clock.advance(seconds=31)
    assert table.expire() == 2
    assert len(table) == 1


def test_the_number_of_leases_is_bounded() -> None:
    table = LockTable(60_000, ManualClock(), locks_max=2)
    assert table.lock("g", "x", (ONE, TWO, THREE)) == [ONE, TWO]
    assert table.lock("h", "x", (ONE,)) == []
    assert not table.any_unexpired("h")
