"""Every member of a broadcasting group gets every message."""

import asyncio
import sys
import tempfile

import pocketmq

NAME_SERVER = sys.argv[1] if len(sys.argv) > 1 else "127.0.0.1:9876"


async def main() -> None:
    """Tell two caches that a price has changed."""
    seen: dict[str, list[str]] = {"cache 1": [], "cache 2": []}
    everywhere = asyncio.Event()

    directory = tempfile.mkdtemp()  # where each member keeps its positions; yours lasts longer

    def cache(name: str) -> pocketmq.Consumer:
        async def forget(message: pocketmq.ReceivedMessage) -> None:
            seen[name].append(message.text)
            if all("ink" in texts for texts in seen.values()):
                everywhere.set()

        return pocketmq.Consumer(
            NAME_SERVER, group="caches", topics="price-changes", broadcast=True, handler=forget,
            start_from="first", offsets=f"{directory}/{name}.json",
        )  # fmt: skip

    async with pocketmq.Producer(NAME_SERVER, group="shop") as producer:
        await producer.send("price-changes", "pen")
        async with cache("cache 1"), cache("cache 2"):
            await producer.send("price-changes", "ink")
            await everywhere.wait()
    for name, texts in seen.items():
        print(name, "heard of", sorted(texts))


asyncio.run(main())
