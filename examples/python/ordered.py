"""Messages with one key stay in order, on their way in and out."""

import asyncio
import sys
from collections import defaultdict

import pocketmq

NAME_SERVER = sys.argv[1] if len(sys.argv) > 1 else "127.0.0.1:9876"
STEPS = ("created", "paid", "shipped")


async def main() -> None:
    """Send the steps of two orders, interleaved, and see them per order."""
    async with pocketmq.Producer(NAME_SERVER, group="shop") as producer:
        for step in STEPS:
            for order in ("A", "B"):
                # The same key goes to the same queue.
                await producer.send("steps", step, order_by=order, keys=order)

    seen: dict[str, list[str]] = defaultdict(list)
    everything = asyncio.Event()

    async def handle(message: pocketmq.ReceivedMessage) -> None:
        if message.text == "paid" and message.attempt == 1:
            # Later messages of this queue wait until this one works.
            raise ConnectionError("the bank does not answer")
        seen[message.order_by].append(message.text)
        if sum(map(len, seen.values())) == 2 * len(STEPS):
            everything.set()

    async with pocketmq.Consumer(
        NAME_SERVER, group="tracking", topics="steps", start_from="first", orderly=True,
        handler=handle,
    ):  # fmt: skip
        await everything.wait()
    for order in ("A", "B"):
        print(f"order {order}:", " -> ".join(seen[order]))


asyncio.run(main())
