"""The shop: takes orders, bills them, cancels those that nobody pays."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack

import pocketmq
from order_service.orders import Orders

ORDERS, REMINDERS, INVOICES = "orders", "reminders", "invoices"
PAY_WITHIN_SECONDS = 30 * 60

Charge = Callable[[str, int], Awaitable[None]]
"""Charges a card: order id and amount. Raises when the bank cannot be reached."""


class Shop:
    """Use it with `async with`. Only the address of the name server says where RocketMQ is."""

    def __init__(self, name_server: str, orders: Orders, charge: Charge) -> None:
        self._orders = orders
        self._charge = charge
        self._producer = pocketmq.Producer(name_server, group="shop")
        self._producer.check(lambda message: orders.was_announced_by(message.message_id))
        self._billing = pocketmq.Consumer(
            name_server, group="billing", topics=ORDERS, handler=self._bill, start_from="first"
        )
        self._reminding = pocketmq.Consumer(
            name_server,
            group="reminding",
            topics=REMINDERS,
            handler=self._cancel_unpaid,
            start_from="first",
        )
        self._running = AsyncExitStack()

    async def __aenter__(self) -> Shop:
        for part in (self._producer, self._billing, self._reminding):
            await self._running.enter_async_context(part)
        return self

    async def __aexit__(self, *raised: object) -> None:
        await self._running.aclose()

    async def place(self, order_id: str, amount: int) -> None:
        """Store an order and announce it: both happen, or neither does."""
        body = json.dumps({"id": order_id, "amount": amount}).encode()
        async with self._producer.transaction(ORDERS, body, keys=order_id) as transaction:
            self._orders.insert(order_id, amount, announced_by=transaction.message_id)
        await self._producer.send(REMINDERS, order_id.encode(), delay=PAY_WITHIN_SECONDS)

    async def _bill(self, message: pocketmq.ReceivedMessage) -> None:
        order = json.loads(message.body)
        if self._orders.state(order["id"]) != "new":
            return  # RocketMQ delivers at least once, so a message may come again
        await self._charge(order["id"], order["amount"])
        if self._orders.change(order["id"], "paid"):
            await self._producer.send(INVOICES, message.body, keys=order["id"])

    async def _cancel_unpaid(self, message: pocketmq.ReceivedMessage) -> None:
        self._orders.change(message.text, "cancelled")
