"""The popping consumer: brokers hand out messages one by one, to whoever of the group asks.

    async with PopConsumer("127.0.0.1:9876", group="billing", topics="orders") as consumer:
        for message in await consumer.receive(wait=10):
            ...
            await consumer.ack(message)

There are no queues to share, so any number of members can work on one queue. A message that was
handed out is hidden for `invisible` seconds; one that is not acknowledged by then comes again. With
a handler, or in an `async for` loop, messages are acknowledged when they are handled, and hidden
for longer while they are. Needs brokers from RocketMQ 5.0 on.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import ssl
from collections.abc import Iterable
from datetime import timedelta
from typing import Final, Literal

from pocketmq.client.codecs.registry import Codec, Codecs, codecs_of
from pocketmq.client.config import ClientConfig, NameServers, TlsConfig
from pocketmq.client.consuming import ConsumerOptions, RetryRules
from pocketmq.client.explain import counted, explain_consumer
from pocketmq.client.handled import HandledConsumer
from pocketmq.client.handling import Handler
from pocketmq.client.hooks import Hook, Hooks
from pocketmq.client.iteration import Messages
from pocketmq.client.messages import Delay, ReceivedMessage
from pocketmq.client.pop_running import POP_ATTEMPTS_MAX, PopPlan, RunningPops
from pocketmq.client.popped import PoppedQueue
from pocketmq.client.subscriptions import Topics, parse_topics
from pocketmq.clock import Clock, SystemClock
from pocketmq.errors import ClientError, ConfigError
from pocketmq.message.topics import group_problem, with_namespace
from pocketmq.security import Credentials

_log = logging.getLogger(__name__)

INVISIBLE_SECONDS: Final = 60.0
TURN_SECONDS: Final = 1.0


class PopConsumer(HandledConsumer[RunningPops]):
    """A member of a group whose messages are popped.

    `handler`, `concurrency`, `retry_in`, `max_attempts` and `hooks` are as for `Consumer`.
    `invisible` is how long a message stays hidden after it was handed out; `in_hand_max` how many
    may be in hand for each topic and broker. Raise ConfigError or SubscriptionInvalid for what
    cannot work.

    `orderly` keeps the order of each queue: while a member has messages of it, nobody gets more,
    and one that fails is tried again in its place. What has one `order_by` lies in one queue.

    >>> async def main() -> list[str]:
    ...     async with pocketmq.Producer(address, group="shop") as producer:
    ...         await producer.send("jobs", "wash up")
    ...     worker = PopConsumer(address, group="workers", topics="jobs", start_from="first")
    ...     async with worker:
    ...         messages = await worker.receive(wait=10)
    ...         for message in messages:
    ...             await worker.ack(message)
    ...         return [message.text for message in messages]
    >>> asyncio.run(main())
    ['wash up']
    """

    def __init__(
        self,
        name_servers: NameServers | ClientConfig = "",
        *,
        group: str,
        topics: Topics,
        handler: Handler | None = None,
        orderly: bool = False,
        concurrency: int = 20,
        invisible: float = INVISIBLE_SECONDS,
        in_hand_max: int = 96,
        start_from: Literal["first", "last"] = "last",
        retry_in: Delay | None = None,
        max_attempts: int = POP_ATTEMPTS_MAX,
        codec: Codecs | Codec | str | None = None,
        hooks: Iterable[Hook] = (),
        options: ConsumerOptions | None = None,
        credentials: Credentials | None = None,
        tls: ssl.SSLContext | TlsConfig | bool | None = None,
        namespace: str = "",
        instance: str = "",
        clock: Clock | None = None,
    ) -> None:
        config = ClientConfig.of(
            name_servers, credentials=credentials, tls=tls, namespace=namespace, instance=instance
        )
        problem = group_problem(group)
        if problem is not None:
            raise ConfigError(problem)
        if concurrency < 1 or in_hand_max < 1 or invisible < 1:
            raise ConfigError("concurrency, in_hand_max and invisible must be 1 or more")
        if start_from not in ("first", "last"):
            raise ConfigError("pops start from 'first' or 'last'")
        options = options or ConsumerOptions()
        options.check()
        rules = RetryRules(retry_in, max_attempts)
        rules.check()
        clock = clock or SystemClock()
        subscriptions = parse_topics(topics, config.namespace, clock.now_ms())
        if not subscriptions:
            raise ConfigError("no topic is given; pass topics=")
        self.group = group
        self._plan = PopPlan(
            config,
            options,
            with_namespace(config.namespace, group),
            subscriptions,
            handler,
            concurrency,
            round(invisible * 1000),
            in_hand_max,
            orderly,
            start_from == "first",
            rules,
            Hooks(hooks),
            codecs_of(codec),
            clock,
        )
        self._turns = itertools.count()
        super().__init__(self._plan)

    def _made(self) -> RunningPops:
        return RunningPops(self._plan)

    # -- messages ---------------------------------------------------------------------------

    def __aiter__(self) -> Messages:
        return self.messages()

    def messages(self, *, idle: float | None = None) -> Messages:
        """The messages, for `async for`; see `Consumer.messages`."""
        inbox = self._inbox()
        self._running().begin()
        return Messages(inbox, idle)

    async def receive(
        self, messages_max: int = 32, *, wait: float | timedelta = 15.0
    ) -> list[ReceivedMessage]:
        """Messages to handle and `ack`; an empty list when none came in time.

        Topics and brokers take turns. Nothing is acknowledged or hidden for longer by itself.
        """
        parts = self._running()
        if self._plan.handler is not None or parts.is_flowing:
            raise ConfigError("this consumer handles messages itself; receive() is for others")
        seconds = wait.total_seconds() if isinstance(wait, timedelta) else wait
        loop = asyncio.get_running_loop()
        deadline = loop.time() + seconds
        wait_seconds = 0.0
        while True:
            await parts.refresh()
            sources = parts.sources()
            for _ in sources:
                source = sources[next(self._turns) % len(sources)]
                source.forget_expired()
                share = max(0.0, deadline - loop.time())
                if len(sources) > 1:  # what waits elsewhere must not wait for long
                    share = min(share, wait_seconds)
                found = await parts.pop_once(source, messages_max, share)
                if found:
                    return found
            wait_seconds = TURN_SECONDS
            if loop.time() >= deadline:
                return []
            if not sources:
                await asyncio.sleep(min(0.5, max(0.0, deadline - loop.time())))

    async def ack(self, message: ReceivedMessage) -> None:
        """Say that a message is consumed. Raises what goes wrong; it then comes again."""
        await _source(message).acknowledge_now(message)

    async def change_invisible(self, message: ReceivedMessage, seconds: float | timedelta) -> None:
        """Hide a message for so long from now: more time to handle it, or a delay until the next
        attempt."""
        if isinstance(seconds, timedelta):
            seconds = seconds.total_seconds()
        await _source(message).hide(message, seconds)

    def receipt_handle(self, message: ReceivedMessage) -> str:
        """The handle that stands for a message in hand, as brokers read it."""
        return _source(message).receipt(message).handle

    # -- looking ----------------------------------------------------------------------------

    @property
    def client_id(self) -> str:
        """What brokers know this consumer by."""
        return self._running().instance.client_id

    async def explain(self) -> str:
        """The consumer's state in plain words: servers, topics, messages in hand."""
        parts = self._running()
        told = await explain_consumer(parts.instance, parts.member, owns_queues=False)
        return f"{told}\n{counted(self.in_hand, 'message')} handed out and not finished."

    @property
    def in_hand(self) -> int:
        """How many messages are handed out and not finished."""
        return sum(source.count for source in self._running().sources())


def _source(message: ReceivedMessage) -> PoppedQueue:
    source = message.context
    if not isinstance(source, PoppedQueue):
        raise ClientError("this message was not popped, so there is nothing to acknowledge")
    return source
