"""What a client did, in numbers, in log lines and in its own words."""

import asyncio
import logging
import sys

import pocketmq

NAME_SERVER = sys.argv[1] if len(sys.argv) > 1 else "127.0.0.1:9876"


async def main() -> None:
    """Watch a producer. Trace() writes Apache's message trace; OpenTelemetry() spans."""
    logging.basicConfig(level=logging.INFO, stream=sys.stderr)
    statistics = pocketmq.Statistics()
    hooks = [statistics, pocketmq.LogMessages(), pocketmq.Trace()]
    async with pocketmq.Producer(NAME_SERVER, group="shop", hooks=hooks) as producer:
        for number in range(10):
            await producer.send("watched-orders", f"order {number}")
        numbers = statistics.topics["watched-orders"]
        print(numbers.sent, "sent,", numbers.send_failures, "failed")
        print((await producer.explain()).splitlines()[-1])


asyncio.run(main())
