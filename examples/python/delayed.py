"""A message that consumers see only after one of the eighteen delay levels."""

import asyncio
import sys

import pocketmq

NAME_SERVER = sys.argv[1] if len(sys.argv) > 1 else "127.0.0.1:9876"


async def main() -> None:
    """Remind of an unpaid order after a second."""
    async with pocketmq.Producer(NAME_SERVER, group="shop") as producer:
        await producer.send("reminders", "now")
        # 1 to 18 for 1s 5s 10s 30s 1m 2m 3m 4m 5m 6m 7m 8m 9m 10m 20m 30m 1h 2h
        await producer.send("reminders", "later", delay_level=1)

    reminders = pocketmq.Consumer(
        NAME_SERVER, group="reminding", topics="reminders", start_from="first"
    )
    came: dict[str, str] = {}
    async with reminders as consumer:
        async for message in consumer:
            waited = (message.stored_at - message.born_at).total_seconds()
            came[message.text] = "at once" if waited < 0.8 else "after a second"
            if len(came) == 2:
                break
    print("now came", came["now"])
    print("later came", came["later"])


asyncio.run(main())
