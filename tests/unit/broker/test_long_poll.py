"""Held pulls: what wakes them, what drops them, how many there may be."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest
from tests.support.waiting import until

from pocketmq.broker.services.long_poll import HeldPull, LongPollService
from pocketmq.clock import ManualClock
from pocketmq.message.scan import Filed


@dataclass(eq=False)
class Peer:
    """Stands for a connection."""

    is_open: bool = True


@dataclass
class Queues:
    """A service with a queue end it believes, and what it woke."""

    clock: ManualClock = field(default_factory=ManualClock)
    ends: dict[tuple[str, int], int] = field(default_factory=dict)
    woken: list[str] = field(default_factory=list)
    held_max: int = 100

    def __post_init__(self) -> None:
        self.service = LongPollService(
            self.held_max, self.clock, lambda topic, queue: self.ends.get((topic, queue), 0)
        )

    def hold(
        self,
        name: str,
        *,
        queue: int = 0,
        offset: int = 0,
        tags: frozenset[int] | None = None,
        timeout_ms: int = 60_000,
        peer: Peer | None = None,
    ) -> bool:
        connection: Any = peer or Peer()
        return self.service.hold(
            HeldPull(
                connection,
                ("T", queue),
                offset,
                tags,
                self.service.deadline(timeout_ms),
                lambda: self.woken.append(name),
            )
        )

    def arrive(self, *, queue: int = 0, offset: int = 0, tag: int = 0, topic: str = "T") -> None:
        filed: Any = (topic, queue, offset, 0, 100, tag, 0)
        arrivals: list[Filed] = [filed]
        self.service.arrived(arrivals)


@pytest.fixture
def queues() -> Queues:
    return Queues()


def test_an_arrival_wakes_the_pulls_of_its_queue_only(queues: Queues) -> None:
    assert queues.hold("mine") and queues.hold("also mine") and queues.hold("other", queue=1)
    queues.arrive(topic="U")
    assert queues.woken == []
    queues.arrive()
    assert (queues.woken, queues.service.count) == (["mine", "also mine"], 1)
    queues.arrive()
    assert len(queues.woken) == 2, "a pull is woken once"


def test_an_arrival_before_the_wanted_offset_wakes_nobody(queues: Queues) -> None:
    queues.hold("later", offset=7)
    queues.arrive(offset=6)
    assert queues.woken == []
    queues.arrive(offset=7)
    assert queues.woken == ["later"]


def test_an_arrival_wakes_by_tag(queues: Queues) -> None:
    queues.hold("a", tags=frozenset((1, 2)))
    queues.hold("b", tags=frozenset((3,)))
    queues.hold("all")
    queues.arrive(tag=2)
    assert queues.woken == ["a", "all"]
    queues.arrive(tag=3, offset=1)
    assert queues.woken == ["a", "all", "b"]


def test_a_pull_is_woken_when_its_time_is_over(queues: Queues) -> None:
    queues.hold("short", timeout_ms=1000)
    queues.hold("long", timeout_ms=4000)
    queues.clock.advance(ms=999)
    queues.service.sweep()
    assert queues.woken == []
    queues.clock.advance(ms=1)
    queues.service.sweep()
    assert (queues.woken, queues.service.count) == (["short"], 1)


def test_a_missed_arrival_is_noticed_every_five_seconds(queues: Queues) -> None:
    queues.hold("missed", offset=3)
    queues.hold("at the end", offset=4)
    queues.ends["T", 0] = 4
    queues.clock.advance(ms=4900)
    queues.service.sweep()
    assert queues.woken == []
    queues.clock.advance(ms=100)
    queues.service.sweep()
    assert queues.woken == ["missed"]
    queues.ends["T", 0] = 5
    queues.clock.advance(ms=4999)
    queues.service.sweep()
    assert queues.woken == ["missed"]
    queues.clock.advance(ms=1)
    queues.service.sweep()
    assert queues.woken == ["missed", "at the end"]


def test_more_than_the_bound_are_not_held() -> None:
    queues = Queues(held_max=2)
    assert [queues.hold(name) for name in "abc"] == [True, True, False]
    queues.arrive()
    assert (queues.woken, queues.service.count) == (["a", "b"], 0)
    assert queues.hold("d")


def test_pulls_of_closed_connections_are_dropped(queues: Queues) -> None:
    gone = Peer()
    queues.hold("gone", peer=gone)
    queues.hold("here")
    gone.is_open = False
    queues.service.sweep()
    assert (queues.woken, queues.service.count) == ([], 1)
    queues.hold("gone too", peer=gone)
    queues.arrive()
    assert (queues.woken, queues.service.count) == (["here"], 0)


def test_draining_answers_all_and_holds_no_more(queues: Queues) -> None:
    queues.hold("a")
    queues.hold("b", queue=1)
    queues.service.drain()
    assert (sorted(queues.woken), queues.service.count) == (["a", "b"], 0)
    assert not queues.hold("c")


def test_a_woken_pull_may_be_held_again_at_once(queues: Queues) -> None:
    connection: Any = Peer()

    def again() -> None:
        queues.woken.append("again")
        queues.hold("held again", offset=1)

    queues.service.hold(HeldPull(connection, ("T", 0), 0, None, 1e9, again))
    queues.arrive()
    assert (queues.woken, queues.service.count) == (["again"], 1)
    queues.arrive(offset=1)
    assert queues.woken == ["again", "held again"]


async def test_the_running_service_sweeps_and_forgets_when_stopped(queues: Queues) -> None:
    queues.hold("over", timeout_ms=0)
    queues.service.start()
    await until(lambda: queues.woken == ["over"])
    queues.hold("forgotten")
    queues.service.stop()
    assert (queues.woken, queues.service.count) == (["over"], 0)
