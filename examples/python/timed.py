"""Messages for a moment of your choice, and one that is taken back before its moment."""

import asyncio
import sys
import time
from datetime import datetime, timedelta, timezone

import pocketmq

NAME_SERVER = sys.argv[1] if len(sys.argv) > 1 else "127.0.0.1:9876"


async def main() -> None:
    """Send for in two seconds, for tomorrow, and change our mind."""
    async with pocketmq.Producer(NAME_SERVER, group="shop") as producer:
        sent = time.monotonic()
        await producer.send("meetings", "stand-up", delay=2)
        tomorrow = datetime.now(timezone.utc) + timedelta(days=1)
        review = await producer.send("meetings", "review", deliver_at=tomorrow)
        await producer.recall(review)
        print("the review is called off")

        async with pocketmq.Consumer(
            NAME_SERVER, group="people", topics="meetings", start_from="first"
        ) as consumer:
            async for message in consumer:
                print(message.text, "after", round(time.monotonic() - sent), "seconds")
                break


asyncio.run(main())
