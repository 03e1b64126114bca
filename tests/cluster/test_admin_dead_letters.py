"""Dead letters through `pocketmq.admin`: listed, looked at and given back."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

import pocketmq
from pocketmq.admin import Admin
from pocketmq.errors import BrokerRefused, NoRoute
from pocketmq.testing import LocalBroker
from pocketmq.testing.faults import Fault


@pytest.fixture
async def admin(rocketmq: LocalBroker) -> AsyncIterator[Admin]:
    async with Admin(rocketmq.address) as opened:
        yield opened


async def _give_up_on(rocketmq: LocalBroker, *bodies: str) -> None:
    """Let the group `billing` reject messages of `orders`, and leave."""

    async def refuse(message: pocketmq.ReceivedMessage) -> pocketmq.Reject:
        return pocketmq.Reject()

    async with pocketmq.Consumer(
        rocketmq.address, group="billing", topics="orders", handler=refuse, start_from="first"
    ):
        for body in bodies:
            rocketmq.send("orders", body, tag="new", keys=body)
        await rocketmq.settle()


async def test_dead_letters_are_listed_and_given_back_to_their_group_alone(
    admin: Admin, rocketmq: LocalBroker
) -> None:
    rocketmq.topic("orders", queues=2)
    assert await admin.dead_letters.queues() == []
    await _give_up_on(rocketmq, "1", "2", "3")
    (queue,) = await admin.dead_letters.queues()
    assert (queue.group, queue.topic) == ("billing", "%DLQ%billing")
    assert (queue.messages, queue.waiting) == (3, 3)
    letters = [one async for one in admin.dead_letters.messages("billing")]
    assert sorted(one.message.text for one in letters) == ["1", "2", "3"]
    assert {one.origin_topic for one in letters} == {"orders"}
    progress: list[tuple[int, int]] = []
    result = await admin.dead_letters.redrive(
        "billing", on_progress=lambda done, total: progress.append((done, total))
    )
    assert (result.given_back, result.targets) == (3, {"%RETRY%billing": 3})
    assert progress[-1] == (3, 3)
    queue = await admin.dead_letters.queue("billing")
    assert (queue.messages, queue.waiting) == (3, 0)
    assert [one async for one in admin.dead_letters.messages("billing")] == []
    all_of_them = admin.dead_letters.messages("billing", everything=True)
    assert [one.given_back async for one in all_of_them] == [True] * 3
    seen: list[tuple[str, str, str]] = []

    async def accept(message: pocketmq.ReceivedMessage) -> None:
        seen.append((message.topic, message.text, message.message_id))

    async with pocketmq.Consumer(
        rocketmq.address, group="billing", topics="orders", handler=accept
    ):
        await rocketmq.settle()
    assert sorted(seen) == sorted(("orders", x.message.text, x.message_id) for x in letters)
    assert len(rocketmq.messages("orders")) == 3


async def test_a_second_redrive_gives_back_only_what_is_new(
    admin: Admin, rocketmq: LocalBroker
) -> None:
    rocketmq.topic("orders", queues=1)
    await _give_up_on(rocketmq, "1")
    assert (await admin.dead_letters.redrive("billing", dry_run=True)).given_back == 1
    assert (await admin.dead_letters.redrive("billing", to="topic")).targets == {"orders": 1}
    rocketmq.assert_sent("orders", "1", count=2)
    assert (await admin.dead_letters.redrive("billing")).given_back == 0
    assert (await admin.dead_letters.redrive("billing", everything=True)).given_back == 1


async def test_chosen_dead_letters_are_given_back_and_the_others_wait(
    admin: Admin, rocketmq: LocalBroker
) -> None:
    rocketmq.topic("orders", queues=1)
    rocketmq.topic("inspection", queues=1)
    await _give_up_on(rocketmq, "1", "2")
    letters = [one async for one in admin.dead_letters.messages("billing")]
    chosen = next(one for one in letters if one.message.text == "2")
    result = await admin.dead_letters.redrive("billing", to="inspection", ids=[chosen.message_id])
    assert (result.looked_at, result.given_back) == (2, 1)
    (message,) = rocketmq.assert_sent("inspection", "2", count=1)
    assert message.tag == "new"
    assert (await admin.dead_letters.queue("billing")).waiting == 2
    at = chosen.message.store_timestamp_ms
    late = await admin.dead_letters.redrive("billing", begin_ms=at + 60_000, dry_run=True)
    assert late.given_back == 0


async def test_what_was_given_back_before_an_error_is_remembered(
    admin: Admin, rocketmq: LocalBroker
) -> None:
    rocketmq.topic("orders", queues=1)
    await _give_up_on(rocketmq, "1", "2", "3")
    faults: list[Fault] = []

    def refuse_after_one(done: int, total: int) -> None:
        if not faults:
            faults.append(rocketmq.faults.refuse("SEND_MESSAGE_V2", remark="not today"))
            faults[0].__enter__()

    with pytest.raises(BrokerRefused, match="not today"):
        await admin.dead_letters.redrive("billing", on_progress=refuse_after_one)
    faults[0].__exit__(None, None, None)
    assert (await admin.dead_letters.queue("billing")).waiting == 2
    assert (await admin.dead_letters.redrive("billing")).given_back == 2


async def test_a_group_without_dead_letters_and_a_target_that_is_not_there(
    admin: Admin, rocketmq: LocalBroker
) -> None:
    with pytest.raises(NoRoute, match="%DLQ%billing"):
        await admin.dead_letters.redrive("billing")
    rocketmq.topic("orders", queues=1)
    await _give_up_on(rocketmq, "1")
    with pytest.raises(NoRoute, match="create it with `topic create nowhere`"):
        await admin.dead_letters.redrive("billing", to="nowhere")
