"""The pull consumer: asks for messages when and where its user wants them. Nothing is automatic.

async with PullConsumer("127.0.0.1:9876", group="audit") as consumer:
    for queue in await consumer.queues("orders"):
        offset = await consumer.committed(queue) or await consumer.min_offset(queue)
        batch = await consumer.pull(queue, offset)
        ...
        await consumer.commit(queue, batch.next_offset)
"""

from __future__ import annotations

import ssl
from datetime import datetime, timedelta
from types import TracebackType
from typing import NamedTuple

from pocketmq.client.assigned import present
from pocketmq.client.codecs.registry import Codec, Codecs, codecs_of
from pocketmq.client.config import ClientConfig, NameServers, TlsConfig
from pocketmq.client.consuming import start_ms
from pocketmq.client.explain import explain_puller
from pocketmq.client.instance import Instance
from pocketmq.client.messages import Delay, MessageQueue, ReceivedMessage
from pocketmq.client.outcomes import Reject, RetryIn, send_back_level
from pocketmq.client.pulling import pull
from pocketmq.client.subscriptions import subscribe, wanted
from pocketmq.clock import Clock, SystemClock
from pocketmq.errors import ClientClosed, ConfigError, NoRoute
from pocketmq.message.topics import group_problem, with_namespace
from pocketmq.security import Credentials


class PulledMessages(NamedTuple):
    """What one pull brought."""

    messages: list[ReceivedMessage]
    next_offset: int
    """Where to go on; beyond the last message if some were filtered out."""
    min_offset: int
    """The oldest message of the queue."""
    max_offset: int
    """The offset the next message of the queue will have."""


class PullConsumer:
    """Pulls from queues by hand. Raise ConfigError for settings that cannot work.

    >>> async def main() -> list[str]:
    ...     async with pocketmq.Producer(address, group="shop") as producer:
    ...         receipt = await producer.send("notes", "buy flour")
    ...     async with PullConsumer(address, group="audit") as consumer:
    ...         batch = await consumer.pull(receipt.queue, receipt.queue_offset)
    ...         await consumer.commit(receipt.queue, batch.next_offset)
    ...         return [message.text for message in batch.messages]
    >>> asyncio.run(main())
    ['buy flour']
    """

    def __init__(
        self,
        name_servers: NameServers | ClientConfig = "",
        *,
        group: str,
        codec: Codecs | Codec | str | None = None,
        credentials: Credentials | None = None,
        tls: ssl.SSLContext | TlsConfig | bool | None = None,
        namespace: str = "",
        instance: str = "",
        clock: Clock | None = None,
    ) -> None:
        self._config = ClientConfig.of(
            name_servers, credentials=credentials, tls=tls, namespace=namespace, instance=instance
        )
        problem = group_problem(group)
        if problem is not None:
            raise ConfigError(problem)
        self.group = group
        self._group = with_namespace(self._config.namespace, group)
        self._clock = clock or SystemClock()
        self._codecs = codecs_of(codec)
        self._instance: Instance | None = None

    async def start(self) -> None:
        """Get ready."""
        if self._instance is not None:
            raise ClientClosed("this consumer has started already")
        self._instance = Instance.obtain(self._config)

    async def stop(self) -> None:
        """Close what is open."""
        instance, self._instance = self._instance, None
        if instance is not None:
            await instance.release()

    async def __aenter__(self) -> PullConsumer:
        await self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.stop()

    def _running(self) -> Instance:
        if self._instance is None:
            raise ClientClosed("this consumer does not run; use `async with`, or start() first")
        return self._instance

    async def _address(self, queue: MessageQueue) -> str:
        route = await self._running().routes.get(queue.topic)
        address = route.address(queue.broker_name)
        if address is None:
            raise NoRoute(queue.topic, f"no broker is called {queue.broker_name}")
        return address

    async def explain(self) -> str:
        """The consumer's state in plain words: its servers, and where the topics it used are."""
        return explain_puller(self._running(), self.group)

    # -- queues and positions ---------------------------------------------------------------

    async def queues(self, topic: str) -> list[MessageQueue]:
        """All queues of a topic. Raise NoRoute when it does not exist."""
        name = with_namespace(self._config.namespace, topic)
        return list((await self._running().routes.get(name)).read_queues)

    async def min_offset(self, queue: MessageQueue) -> int:
        """The offset of the oldest message."""
        return await self._running().calls.min_offset(await self._address(queue), queue)

    async def max_offset(self, queue: MessageQueue) -> int:
        """The offset the next message will have."""
        return await self._running().calls.max_offset(await self._address(queue), queue)

    async def offset_at(self, queue: MessageQueue, when: datetime | float) -> int:
        """The offset of the first message stored at or after a time."""
        address = await self._address(queue)
        return await self._running().calls.offset_at(address, queue, start_ms(when))

    async def committed(self, queue: MessageQueue) -> int | None:
        """The group's position in a queue; None when it has none."""
        address = await self._address(queue)
        return await self._running().calls.consumer_offset(address, self._group, queue)

    async def commit(self, queue: MessageQueue, offset: int) -> None:
        """Set the group's position in a queue."""
        address = await self._address(queue)
        await self._running().calls.commit_offset(address, self._group, queue, offset, wait=True)

    # -- messages ---------------------------------------------------------------------------

    async def pull(
        self,
        queue: MessageQueue,
        offset: int,
        *,
        messages_max: int = 32,
        expression: str = "*",
        wait: float | timedelta = 0,
    ) -> PulledMessages:
        """The messages from an offset on; at most so many, and perhaps none.

        With `wait`, the broker waits so long for a message when there is none. An offset outside
        the queue brings nothing but a `next_offset` inside it.
        """
        seconds = wait.total_seconds() if isinstance(wait, timedelta) else wait
        subscription = subscribe(queue.topic, expression, self._clock.now_ms())
        found = await pull(
            self._running().calls,
            await self._address(queue),
            self._group,
            queue,
            offset,
            subscription,
            messages_max=messages_max,
            wait_ms=round(seconds * 1000),
        )
        messages, _ = wanted(found.messages, subscription)
        present(messages, queue.topic, self._config.namespace, self._codecs)
        return PulledMessages(messages, found.next_offset, found.min_offset, found.max_offset)

    async def retry(self, message: ReceivedMessage, in_: Delay | None = None) -> None:
        """Put a message into the group's retry topic, for a `Consumer` of this group to handle."""
        await self._send_back(message, RetryIn(in_))

    async def reject(self, message: ReceivedMessage) -> None:
        """Put a message into the group's dead letters."""
        await self._send_back(message, Reject())

    async def _send_back(self, message: ReceivedMessage, verdict: RetryIn | Reject) -> None:
        instance = self._running()
        address = await self._address(message.queue)
        # The broker keeps retries only of a group that it knows; a heartbeat would tell it, and so
        # does the first commit or pull.
        await instance.calls.send_back(
            address,
            self._group,
            message.log_offset,
            send_back_level(verdict, message.attempt, None),
            message_id=message.message_id,
            topic=message.topic,
        )
