"""Bodies that are more than bytes: JSON for one topic, Java's own serialization for another."""

import asyncio
import sys

import pocketmq
from pocketmq.client.codecs import JavaLong, JavaObject

NAME_SERVER = sys.argv[1] if len(sys.argv) > 1 else "127.0.0.1:9876"
CODECS = pocketmq.Codecs({"json-orders": "json", "java-orders": "java"})


async def main() -> None:
    """Send a dict and a Java bean, and receive them as such."""
    async with pocketmq.Producer(NAME_SERVER, group="shop", codec=CODECS) as producer:
        await producer.send("json-orders", {"id": 7, "lines": ["pen", "ink"]})
        bean = JavaObject("com.acme.Order", {"id": JavaLong(7)}, serial_version_uid=42)
        await producer.send("java-orders", bean)
    async with pocketmq.Producer(NAME_SERVER, group="shop") as producer:
        await producer.send("json-orders", b"{broken")

    topics = ("json-orders", "java-orders")
    async with pocketmq.Consumer(
        NAME_SERVER, group="bodies", topics=topics, start_from="first", codec=CODECS
    ) as consumer:
        lines = []
        async for message in consumer.messages(idle=1):
            lines.append(f"{message.topic}: {message.value}")
            if message.decoded.problem:
                lines.append(f"{message.topic}: but {message.decoded.problem}")
    print("\n".join(sorted(lines)))


asyncio.run(main())
