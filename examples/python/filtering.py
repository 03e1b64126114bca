"""Consumers that want some of a topic's messages: by tag, or by SQL over the properties."""

import asyncio
import sys

import pocketmq

NAME_SERVER = sys.argv[1] if len(sys.argv) > 1 else "127.0.0.1:9876"
ORDERS = [("pen", "paid", 2), ("ink", "shipped", 5), ("desk", "paid", 900), ("lamp", "lost", 40)]


async def consumed(group: str, wanted: str | pocketmq.Sql) -> list[str]:
    """The texts that a consumer with this filter gets."""
    async with pocketmq.Consumer(
        NAME_SERVER, group=group, topics={"filtered-orders": wanted}, start_from="first"
    ) as consumer:
        return sorted([message.text async for message in consumer.messages(idle=1)])


async def main() -> None:
    """Send four orders and filter them in two ways."""
    async with pocketmq.Producer(NAME_SERVER, group="shop") as producer:
        for name, tag, price in ORDERS:
            await producer.send("filtered-orders", name, tag=tag, properties={"price": str(price)})
    print("paid or shipped:", await consumed("by-tag", "paid || shipped"))
    print("worth a look:", await consumed("by-sql", pocketmq.Sql("price > 30 AND TAGS <> 'lost'")))


asyncio.run(main())
