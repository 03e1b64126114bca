"""Message trace: what became of a message, told by clients that trace and by the broker."""

import asyncio
import sys

import pocketmq
from pocketmq.admin import Admin

NAME_SERVER = sys.argv[1] if len(sys.argv) > 1 else "127.0.0.1:9876"


async def main() -> None:
    """Trace a parcel that is lifted at the second attempt, and ask for its life."""
    delivered = asyncio.Event()

    async def lift(message: pocketmq.ReceivedMessage) -> None:
        if message.attempt == 1:
            raise pocketmq.RetryIn(1)
        delivered.set()

    async with pocketmq.Producer(NAME_SERVER, group="post", hooks=[pocketmq.Trace()]) as producer:
        receipt = await producer.send("parcels", "a piano", keys="parcel-7")
    async with pocketmq.Consumer(
        NAME_SERVER, group="movers", topics="parcels", handler=lift, start_from="first",
        hooks=[pocketmq.Trace()],
    ):  # fmt: skip
        await delivered.wait()

    async with Admin(NAME_SERVER) as admin:
        while True:
            life = await admin.messages.trace(receipt.message_id)
            clients = [point for point in life if not point.by_broker]
            if clients and clients[-1].outcome == "success" and clients[-1].what == "handled":
                break
            await asyncio.sleep(0.2)  # clients write their traces a moment later
    for point in clients:
        print(f"{point.group}: {point.what} {point.outcome}".rstrip())
    places = [point.topic for point in life if point.by_broker and point.what == "sent"]
    print("the broker had it in", ", ".join(places))


asyncio.run(main())
