"""A message that is sent if, and only if, work in a database succeeds."""

import asyncio
import sqlite3
import sys

import pocketmq

NAME_SERVER = sys.argv[1] if len(sys.argv) > 1 else "127.0.0.1:9876"
database = sqlite3.connect(":memory:")
database.execute("CREATE TABLE orders (name TEXT UNIQUE, message_id TEXT)")


async def main() -> None:
    """Place an order twice; the database refuses the second."""
    producer = pocketmq.Producer(NAME_SERVER, group="shop-transactions")

    @producer.check
    def was_committed(message: pocketmq.ReceivedMessage) -> bool:
        """The broker asks this when it has heard nothing: the answer is in the database."""
        query = "SELECT 1 FROM orders WHERE message_id = ?"
        return database.execute(query, (message.message_id,)).fetchone() is not None

    async with producer:
        for attempt in ("first", "second"):
            try:
                async with producer.transaction("placed-orders", attempt) as transaction:
                    row = ("desk", transaction.message_id)
                    with database:
                        database.execute("INSERT INTO orders VALUES (?, ?)", row)
            except sqlite3.IntegrityError:
                print(f"the {attempt} order was there already")
            print(f"the {attempt} message: {transaction.outcome}")

    async with pocketmq.Consumer(
        NAME_SERVER, group="billing", topics="placed-orders", start_from="first"
    ) as consumer:
        print("billing sees", [message.text async for message in consumer.messages(idle=1)])


asyncio.run(main())
