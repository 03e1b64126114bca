"""A group is put back to a moment while it works, copied for another, and skips what it missed."""

import asyncio
import sys
import time

import pocketmq
from pocketmq.admin import Admin

NAME_SERVER = sys.argv[1] if len(sys.argv) > 1 else "127.0.0.1:9876"
TOPIC = "measurements"


async def main() -> None:
    """Read, read again from a moment on, let another group take over, and skip."""
    heard: asyncio.Queue[str] = asyncio.Queue()

    async def hear(message: pocketmq.ReceivedMessage) -> None:
        heard.put_nowait(message.text)

    async def next_ones(count: int) -> list[str]:
        return sorted([await heard.get() for _ in range(count)])

    def charts(group: str) -> pocketmq.Consumer:
        return pocketmq.Consumer(
            NAME_SERVER, group=group, topics=TOPIC, handler=hear, start_from="first"
        )

    async with (
        pocketmq.Producer(NAME_SERVER, group="sensors") as sensors,
        Admin(NAME_SERVER) as admin,
    ):
        await sensors.send(TOPIC, "1 before noon")
        await asyncio.sleep(0.1)
        noon_ms = int(time.time() * 1000)
        await sensors.send(TOPIC, "2 after noon")
        await sensors.send(TOPIC, "3 in the evening")

        async with charts("charts"):
            print("charts heard", await next_ones(3))
            await admin.offsets.reset("charts", TOPIC, noon_ms)
            print("charts heard again", await next_ones(2))

        await sensors.send(TOPIC, "4 at night")
        await admin.groups.create("reports")
        await admin.offsets.clone("charts", "reports", TOPIC)
        async with charts("reports"):
            print("reports heard", await next_ones(1))

        await admin.offsets.skip("charts", TOPIC)
        await sensors.send(TOPIC, "5 in the morning")
        async with charts("charts"):
            print("charts heard", await next_ones(1))


asyncio.run(main())
