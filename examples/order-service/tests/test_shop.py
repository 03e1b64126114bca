"""The shop against a real broker. Minutes and hours pass in milliseconds."""

import asyncio
import sqlite3

import pytest

from order_service.orders import Orders
from order_service.shop import Shop


class Bank:
    """Charges cards, or fails so many times before."""

    def __init__(self):
        self.charged = []
        self.failures_left = 0

    async def charge(self, order_id, amount):
        if self.failures_left:
            self.failures_left -= 1
            raise ConnectionError("the bank is down")
        self.charged.append((order_id, amount))


@pytest.fixture
def bank():
    return Bank()


@pytest.fixture
def orders():
    table = Orders()
    yield table
    table.close()


@pytest.fixture
async def shop(rocketmq, orders, bank):
    for topic in ("orders", "reminders", "invoices"):
        rocketmq.topic(topic, queues=2)
    async with Shop(rocketmq.address, orders, bank.charge) as running:
        yield running


async def test_an_order_is_billed(rocketmq, shop, orders, bank):
    await shop.place("42", 1500)
    await rocketmq.settle()
    assert bank.charged == [("42", 1500)]
    assert orders.state("42") == "paid"
    rocketmq.assert_consumed("orders", {"id": "42", "amount": 1500}, by="billing")
    rocketmq.assert_sent("invoices", key="42", count=1)


async def test_billing_is_tried_again_until_the_bank_is_back(rocketmq, shop, orders, bank):
    bank.failures_left = 3
    await shop.place("42", 1500)
    await rocketmq.clock.advance(seconds=60)
    assert orders.state("42") == "new"
    with pytest.raises(AssertionError, match="failed 3 times; its next try is due in"):
        rocketmq.assert_consumed("orders", by="billing")
    await rocketmq.clock.advance(minutes=5)
    assert orders.state("42") == "paid"
    rocketmq.assert_consumed("orders", by="billing")


async def test_an_unpaid_order_is_cancelled_after_half_an_hour(rocketmq, shop, orders, bank):
    bank.failures_left = 100
    await shop.place("42", 1500)
    await rocketmq.clock.advance(minutes=29)
    assert orders.state("42") == "new"
    await rocketmq.clock.advance(minutes=2)
    assert orders.state("42") == "cancelled"
    assert bank.charged == []


async def test_an_order_that_cannot_be_stored_is_not_announced(rocketmq, shop, orders):
    await shop.place("42", 1500)
    with pytest.raises(sqlite3.IntegrityError):
        await shop.place("42", 9900)
    await rocketmq.settle()
    rocketmq.assert_sent("orders", key="42", count=1)


async def test_an_order_stored_just_before_a_crash_is_announced_all_the_same(rocketmq, shop, bank):
    with rocketmq.faults.lose("end transaction") as commit:
        placing = asyncio.create_task(shop.place("42", 1500))
        await commit.met()
        placing.cancel()
        await rocketmq.settle()
        assert rocketmq.messages("orders") == []
    await rocketmq.clock.advance(minutes=1)
    rocketmq.assert_consumed("orders", key="42", by="billing", count=1)
    assert bank.charged == [("42", 1500)]


async def test_nobody_is_charged_twice(rocketmq, shop, bank):
    with rocketmq.faults.duplicate_delivery("billing"):
        await shop.place("42", 1500)
        await shop.place("43", 2000)
        await rocketmq.settle()
    assert sorted(bank.charged) == [("42", 1500), ("43", 2000)]
