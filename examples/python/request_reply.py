"""A question through the broker, and the answer back to whoever asked."""

import asyncio
import sys

import pocketmq

NAME_SERVER = sys.argv[1] if len(sys.argv) > 1 else "127.0.0.1:9876"


async def main() -> None:
    """Ask a price service."""
    async with pocketmq.Producer(NAME_SERVER, group="price-service") as replier:

        async def answer(message: pocketmq.ReceivedMessage) -> None:
            await replier.reply(message, f"{message.text} costs 3 euros")

        async with (
            pocketmq.Producer(NAME_SERVER, group="asker") as asker,
            pocketmq.Consumer(
                NAME_SERVER, group="prices", topics="questions", handler=answer, start_from="first"
            ),
        ):
            reply = await asker.request("questions", "a pen", timeout=10)
            print(reply.text)


asyncio.run(main())
