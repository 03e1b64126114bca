"""Many small messages in one request: gathered by hand, or by the producer."""

import asyncio
import sys

import pocketmq

NAME_SERVER = sys.argv[1] if len(sys.argv) > 1 else "127.0.0.1:9876"


async def main() -> None:
    """Send a hundred readings at once, then a hundred as they come."""
    async with pocketmq.Producer(NAME_SERVER, group="sensors") as producer:
        readings = [pocketmq.Message("readings", f"{n} degrees") for n in range(100)]
        receipts = await producer.send_batch("readings", readings)
        print(len(receipts), "messages in one batch, each with an id of its own")

    options = pocketmq.ProducerOptions(batching=pocketmq.Batching(linger_ms=5))
    async with pocketmq.Producer(NAME_SERVER, group="sensors", options=options) as producer:
        for n in range(100):
            # Waits only while too many are unanswered; what comes close together leaves together.
            await producer.send_soon("readings", f"{n} degrees")

    async with pocketmq.Consumer(
        NAME_SERVER, group="weather", topics="readings", start_from="first"
    ) as consumer:
        count = 0
        async for _ in consumer.messages(idle=1):
            count += 1
    print(count, "messages consumed")


asyncio.run(main())
