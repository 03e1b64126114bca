"""A handler that fails, the retries that follow, and where a hopeless message ends."""

import asyncio
import sys

import pocketmq

NAME_SERVER = sys.argv[1] if len(sys.argv) > 1 else "127.0.0.1:9876"


async def main() -> None:
    """Handle one payment at the second attempt and give one up."""
    attempts: list[str] = []
    settled = asyncio.Event()

    async def pay(message: pocketmq.ReceivedMessage) -> None:
        attempts.append(f"{message.text} #{message.attempt}")
        if message.text == "forged":
            raise pocketmq.Reject("no retry will make it true")  # to the dead letters at once
        if message.attempt == 1:
            raise pocketmq.RetryIn(1)  # any other exception: again after 10 s, 30 s, 1 min ...
        settled.set()

    async with pocketmq.Producer(NAME_SERVER, group="shop") as producer:
        await producer.send("payments", "forged")
        await producer.send("payments", "honest")
    async with pocketmq.Consumer(
        NAME_SERVER, group="payers", topics="payments", handler=pay, start_from="first"
    ):
        await settled.wait()
    print(sorted(attempts))

    async with pocketmq.Consumer(
        NAME_SERVER, group="morgue", topics="%DLQ%payers", start_from="first"
    ) as consumer:
        async for message in consumer.messages(idle=2):
            print("dead letter:", message.text)


asyncio.run(main())
