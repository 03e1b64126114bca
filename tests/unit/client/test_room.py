"""Room for sends: bounded, fair, and never lost."""

from __future__ import annotations

import asyncio

import pytest

from pocketmq.client.room import Room
from pocketmq.errors import TooManyInFlight


def test_room_ends_by_count_and_by_bytes() -> None:
    room = Room(2, 100)
    assert room.take(60) and room.take(60)
    assert not room.take(1)
    room.give(60)
    assert room.take(10)
    room.give(60)
    room.give(10)
    assert room.take(1000), "one that is larger than all room gets in alone"
    assert not room.take(1)


async def test_those_who_wait_are_let_in_in_turn() -> None:
    room = Room(1, 100)
    order: list[int] = []
    assert room.take(1)

    async def enter(number: int) -> None:
        await room.take_when_open(1, 5)
        order.append(number)
        await asyncio.sleep(0)
        room.give(1)

    tasks = [asyncio.ensure_future(enter(number)) for number in range(10)]
    await asyncio.sleep(0)
    assert room.waiting == 10
    assert not room.take(1), "nobody passes the queue"
    room.give(1)
    assert not room.take(1)
    await asyncio.gather(*tasks)
    assert order == list(range(10))
    assert (room.count, room.bytes, room.waiting) == (0, 0, 0)


async def test_waiting_ends_with_an_error_that_says_what_to_do() -> None:
    room = Room(1, 100)
    room.take(7)
    with pytest.raises(TooManyInFlight, match=r"1 messages of 7 bytes .* raise in_flight_max"):
        await room.take_when_open(1, 0.01)
    assert room.waiting == 0
    room.give(7)
    assert room.take(1)


async def test_who_gives_up_passes_the_turn_on() -> None:
    room = Room(1, 100)
    room.take(1)
    first = asyncio.ensure_future(room.take_when_open(1, 5))
    second = asyncio.ensure_future(room.take_when_open(1, 5))
    await asyncio.sleep(0)
    room.give(1)
    first.cancel()
    await second
    assert room.count == 1
    with pytest.raises(asyncio.CancelledError):
        await first


async def test_awaiting_room_waits_without_taking_it() -> None:
    room = Room(1, 100)
    await room
    room.take(1)

    async def wait() -> None:
        await room

    waiting = [asyncio.ensure_future(wait()) for _ in range(3)]
    await asyncio.sleep(0)
    assert not any(task.done() for task in waiting)
    room.give(1)
    await asyncio.gather(*waiting)
    assert room.take(1)
