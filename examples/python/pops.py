"""Popping: many workers on one queue, each message acknowledged by itself."""

import asyncio
import sys

import pocketmq

NAME_SERVER = sys.argv[1] if len(sys.argv) > 1 else "127.0.0.1:9876"


async def main() -> None:
    """Three workers share six jobs; one of them drops a job, which comes again."""
    async with pocketmq.Producer(NAME_SERVER, group="shop") as producer:
        for number in range(6):
            await producer.send("pop-jobs", f"job {number}")

    done: list[str] = []
    dropped: list[str] = []

    async def worker() -> None:
        async with pocketmq.PopConsumer(
            NAME_SERVER, group="poppers", topics="pop-jobs", start_from="first"
        ) as consumer:
            while len(done) < 6:
                for message in await consumer.receive(1, wait=1):
                    if not dropped:
                        dropped.append(message.text)
                        await consumer.change_invisible(message, 1)  # again, in a second
                    else:
                        done.append(message.text)
                        await consumer.ack(message)

    await asyncio.gather(worker(), worker(), worker())
    print("dropped once:", len(dropped), "of", len(done))
    print("done:", sorted(done))


asyncio.run(main())
