"""Send three messages and consume them, with asyncio."""

import asyncio
import sys

import pocketmq

NAME_SERVER = sys.argv[1] if len(sys.argv) > 1 else "127.0.0.1:9876"


async def main() -> None:
    """Be a shop, then its billing."""
    async with pocketmq.Producer(NAME_SERVER, group="shop") as producer:
        for number in (1, 2, 3):
            receipt = await producer.send("hello-orders", f"order {number}", keys=str(number))
            print(f"sent order {number}: {receipt.status.value}")

    billing = pocketmq.Consumer(
        NAME_SERVER, group="billing", topics="hello-orders", start_from="first"
    )
    async with billing as consumer:
        texts = [message.text async for message in consumer.messages(idle=1)]
    print("consumed", sorted(texts))


asyncio.run(main())
