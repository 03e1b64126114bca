"""What a consumer holds of a queue: positions to commit, limits, waking."""

from __future__ import annotations

import asyncio

from hypothesis import given
from hypothesis import strategies as st
from tests.support.received import received

from pocketmq.client.messages import MessageQueue
from pocketmq.client.outcomes import Reject, RetryIn
from pocketmq.client.process_queue import ProcessQueue, QueueLimits
from pocketmq.filtering.subscriptions import Subscription

QUEUE = MessageQueue("T", "b", 0)


def held(offset: int = 0, **limits: int) -> ProcessQueue:
    return ProcessQueue(QUEUE, Subscription("T"), offset, QueueLimits(**limits))


def test_the_first_unfinished_message_is_committed() -> None:
    queue = held(5)
    assert queue.commit_offset == 5
    messages = [received(offset) for offset in (5, 6, 8)]
    queue.add(messages, 10)
    queue.finish(messages[1])
    assert (queue.commit_offset, queue.count) == (5, 2)
    queue.finish(messages[0])
    assert (queue.commit_offset, queue.span) == (8, 0)
    queue.finish(messages[2])
    assert (queue.commit_offset, queue.count, queue.bytes) == (10, 0, 0)


def test_what_was_filtered_out_counts_as_consumed() -> None:
    queue = held(5)
    queue.add([], 25)
    assert queue.commit_offset == queue.pulled_to == 25


@given(
    sizes=st.lists(st.integers(0, 9), max_size=30),
    order=st.randoms(use_true_random=False),
    finished=st.integers(0, 30),
)
def test_nothing_unfinished_is_ever_passed(sizes: list[int], order: object, finished: int) -> None:
    queue = held(0)
    messages = [received(offset, b"x" * size) for offset, size in enumerate(sizes)]
    for at in range(0, len(messages), 4):
        part = messages[at : at + 4]
        queue.add(part, at + len(part))
    shuffled = list(messages)
    order.shuffle(shuffled)  # type: ignore[attr-defined]
    for message in shuffled[:finished]:
        queue.finish(message)
        queue.finish(message)  # twice is as good as once
    left = shuffled[finished:]
    assert queue.commit_offset == min((m.queue_offset for m in left), default=len(messages))
    assert queue.bytes == sum(len(m.raw_body) for m in left)
    assert queue.count == len(left)


def test_a_queue_is_full_by_count_by_bytes_and_by_span() -> None:
    for limits in ({"messages_max": 3}, {"bytes_max": 30}, {"span_max": 1}):
        queue = held(**limits)
        messages = [received(offset, b"x" * 10) for offset in range(3)]
        queue.add(messages[:1], 1)
        assert not queue.is_full()
        queue.add(messages[1:], 3)
        assert queue.is_full()
        queue.finish_all(messages[:2])
        assert not queue.is_full()


async def test_whoever_waits_for_room_wakes_when_there_is_some() -> None:
    queue = held(messages_max=1)
    (message,) = [received(0)]
    queue.add([message], 1)
    waiting = [asyncio.ensure_future(queue.wait_for_room()) for _ in range(2)]
    await asyncio.sleep(0)
    waiting[0].cancel()
    await asyncio.wait(waiting[:1])
    queue.finish(message)
    await waiting[1]
    queue.pause()
    waiter = asyncio.ensure_future(queue.wait_for_room())
    await asyncio.sleep(0)
    assert not waiter.done()
    queue.resume()
    await waiter
    queue.pause()
    waiter = asyncio.ensure_future(queue.wait_for_room())
    await asyncio.sleep(0)
    queue.drop()
    await waiter


def test_a_message_can_ask_for_its_fate() -> None:
    queue = held()
    one, two, three = (received(offset) for offset in range(3))
    queue.add([one, two, three], 3)
    one.retry(in_=5)
    two.reject()
    verdict = queue.take_verdict(one)
    assert isinstance(verdict, RetryIn) and verdict.seconds == 5
    assert isinstance(queue.verdict_for(two), Reject)
    assert isinstance(queue.take_verdict(two), Reject)
    assert queue.take_verdict(three) is queue.take_verdict(two) is None
