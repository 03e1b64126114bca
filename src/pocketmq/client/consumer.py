"""The consumer: a member of a group that handles the messages of its topics.

    async with Consumer("127.0.0.1:9876", group="billing", topics={"orders": "paid"}) as consumer:
        async for message in consumer:
            ...                                   # a finished body means consumed

    consumer = Consumer("127.0.0.1:9876", group="billing", topics="orders", handler=bill)
    await consumer.run()                          # until it is stopped or cancelled

A handler is async, or plain and then called on threads. When it returns, the message is consumed;
when it raises, the message is delivered again later, and at last goes to the dead letters.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterable
from datetime import timedelta
from pathlib import Path

from pocketmq.client.allocation import AllocationStrategy, strategy_of
from pocketmq.client.assigned import GroupSession
from pocketmq.client.codecs.registry import Codec, Codecs, codecs_of
from pocketmq.client.config import ClientConfig, NameServers, TlsConfig
from pocketmq.client.consuming import ConsumerOptions, RetryRules, StartFrom, start_ms, start_name
from pocketmq.client.explain import explain_consumer, explain_handling
from pocketmq.client.handled import HandledConsumer
from pocketmq.client.handling import Handler
from pocketmq.client.hooks import Hook, Hooks
from pocketmq.client.iteration import Messages
from pocketmq.client.messages import Delay, MessageQueue
from pocketmq.client.offsets import OffsetStore
from pocketmq.client.running import ConsumerPlan, RunningConsumer
from pocketmq.client.subscriptions import Topics, parse_topics, subscribe
from pocketmq.clock import Clock, SystemClock
from pocketmq.errors import ConfigError
from pocketmq.message.topics import group_problem, retry_topic, with_namespace
from pocketmq.security import Credentials


class Consumer(HandledConsumer[RunningConsumer]):
    """A member of a consumer group.

    `topics` is a topic, a list of them, or topics with a filter each: tags as `"paid || shipped"`,
    or `Sql("amount > 100")`. Members of a group must want the same.

    `handler` takes a message, or a list of up to `batch` messages of one queue when `batch` is more
    than 1. Without one, iterate over the consumer. `concurrency` handlers run at a time. `orderly`
    handles each queue's messages one after the other. `broadcast` lets every member have every
    message, without retries.

    `start_from` counts for a group without a position. `retry_in` and `max_attempts` are for
    messages whose handler fails; see `RetryIn`. `allocation` shares queues among the members; see
    `pocketmq.client.allocation`. `offsets` is a file or a store of your own for positions, instead
    of the brokers. `codec` decodes bodies for `message.value`: one for all topics, such as "json",
    or `Codecs`. Raise ConfigError or SubscriptionInvalid for what cannot work.

    >>> async def main() -> list[str]:
    ...     async with pocketmq.Producer(address, group="shop") as producer:
    ...         await producer.send_batch("pizzas", ["margherita", "funghi"])
    ...     kitchen = Consumer(address, group="kitchen", topics="pizzas", start_from="first")
    ...     async with kitchen:
    ...         return [message.text async for message in kitchen.messages(idle=0.5)]
    >>> asyncio.run(main())
    ['margherita', 'funghi']
    """

    def __init__(
        self,
        name_servers: NameServers | ClientConfig = "",
        *,
        group: str,
        topics: Topics = (),
        handler: Handler | None = None,
        orderly: bool = False,
        broadcast: bool = False,
        concurrency: int = 20,
        batch: int = 1,
        start_from: StartFrom = "last",
        retry_in: Delay | None = None,
        max_attempts: int | None = None,
        allocation: str | AllocationStrategy = "averagely",
        offsets: str | Path | OffsetStore | None = None,
        codec: Codecs | Codec | str | None = None,
        hooks: Iterable[Hook] = (),
        options: ConsumerOptions | None = None,
        credentials: Credentials | None = None,
        tls: ssl.SSLContext | TlsConfig | bool | None = None,
        namespace: str = "",
        instance: str = "",
        clock: Clock | None = None,
    ) -> None:
        self.client_config = ClientConfig.of(
            name_servers, credentials=credentials, tls=tls, namespace=namespace, instance=instance
        )
        options = options or ConsumerOptions()
        _check(options, group, concurrency, batch, start_from)
        rules = RetryRules(retry_in, max_attempts, options.ordered_retry_ms / 1000)
        rules.check()
        clock = clock or SystemClock()
        space = self.client_config.namespace
        self.group = group
        self._plan = ConsumerPlan(
            self.client_config,
            options,
            with_namespace(space, group),
            parse_topics(topics, space, clock.now_ms()),
            handler,
            orderly,
            broadcast,
            concurrency,
            batch,
            start_from,
            rules,
            strategy_of(allocation),
            offsets,
            Hooks(hooks),
            clock,
            codecs_of(codec),
        )
        super().__init__(self._plan)

    def _made(self) -> RunningConsumer:
        if not self._plan.subscriptions:
            raise ConfigError("no topic is given; pass topics= or call subscribe first")
        return RunningConsumer(self._plan)

    # -- receiving --------------------------------------------------------------------------

    def __aiter__(self) -> Messages:
        return self.messages()

    def messages(self, *, idle: float | None = None) -> Messages:
        """The messages, for `async for`. With `idle` the loop ends when none came for so long.

        Coming back for the next message, or leaving the loop, means that the last one is consumed;
        call its `retry` or `reject` if it is not. An exception that leaves the `async with` block
        means that it is not. Several tasks may iterate at a time.
        """
        return Messages(self._inbox(), idle)

    # -- looking ----------------------------------------------------------------------------

    @property
    def client_id(self) -> str:
        """What brokers know this consumer by."""
        return self._running().session.instance.client_id

    def topics(self) -> dict[str, str]:
        """The topics and the expressions they are filtered by."""
        return {name: item.expression for name, item in self._plan.subscriptions.items()}

    def assigned(self) -> list[MessageQueue]:
        """The queues this consumer has at the moment, without those of retries."""
        retries = retry_topic(self._plan.group)
        return [queue for queue in self._running().assigned.queues() if queue.topic != retries]

    def positions(self) -> dict[MessageQueue, int]:
        """The offset of the first message that is not consumed yet, for each assigned queue."""
        return self._running().assigned.commit_offsets()

    def lag(self) -> int:
        """How many messages the assigned queues hold beyond the positions, as last heard."""
        return sum(
            max(0, held.max_offset - held.commit_offset) for held in self._running().assigned.held()
        )

    def problems(self) -> dict[str, str]:
        """What keeps topics and queues from flowing: `topic` or `topic@broker:queue` -> why."""
        parts = self._running()
        found = dict(parts.rebalance.problems)
        for queue, problem in parts.assigned.problems().items():
            found[f"{queue.topic}@{queue.broker_name}:{queue.queue_id}"] = problem
        return found

    async def explain(self) -> str:
        """The consumer's state in plain words: servers, queues, positions, lag, handlers, problems,
        and what holds queues back."""
        parts = self._running()
        text = await explain_consumer(parts.instance, parts.member)
        problems = [f"{place}: {problem}" for place, problem in self.problems().items()]
        workers = parts.workers
        handling = explain_handling(workers.busy, workers.waiting, parts.assigned.held())
        return "\n".join([text, handling, *problems])

    @property
    def session(self) -> GroupSession:
        """The inner state, for tools that look on."""
        return self._running().session

    # -- changing ---------------------------------------------------------------------------

    async def subscribe(self, topic: str, expression: str = "*") -> None:
        """Consume one topic more, or filter one differently. All members of the group must."""
        name = with_namespace(self.client_config.namespace, topic)
        subscription = subscribe(name, expression, self._plan.clock.now_ms())
        self._plan.subscriptions[name] = subscription
        if self._parts is not None:
            await self._parts.subscribe(subscription)

    async def unsubscribe(self, topic: str) -> None:
        """Consume a topic no more."""
        name = with_namespace(self.client_config.namespace, topic)
        self._plan.subscriptions.pop(name, None)
        if self._parts is not None:
            await self._parts.unsubscribe(name)

    def pause(self, *topics: str, queues: Iterable[MessageQueue] = ()) -> None:
        """Pull no more of some topics or queues, or of anything. What is held is still handled."""
        self._each(self._running().assigned.pause, topics, queues)

    def resume(self, *topics: str, queues: Iterable[MessageQueue] = ()) -> None:
        """Pull again."""
        self._each(self._running().assigned.resume, topics, queues)

    def _each(
        self,
        act: Callable[[str, Iterable[MessageQueue]], None],
        topics: Iterable[str],
        queues: Iterable[MessageQueue],
    ) -> None:
        names = [with_namespace(self.client_config.namespace, topic) for topic in topics]
        chosen = list(queues)
        for name in names:
            act(name, ())
        if chosen or not names:
            act("", chosen)

    async def seek(self, queue: MessageQueue, offset: int) -> None:
        """Go on in a queue at an offset; what is held of it is dropped."""
        await self._running().assigned.seek({queue: offset})

    async def rewind(self, to: StartFrom | timedelta = "first", *topics: str) -> None:
        """Go on in this consumer's queues of some topics, or of all, at another place: at the
        first message still there, at the end, at a time, or so long ago."""
        assigned = self._running().assigned
        names = {with_namespace(self.client_config.namespace, topic) for topic in topics}
        chosen = [queue for queue in self.assigned() if not names or queue.topic in names]
        if isinstance(to, timedelta):
            to = self._plan.clock.now_ms() / 1000 - to.total_seconds()
        calls = self.session.instance.calls
        offsets: dict[MessageQueue, int] = {}
        for queue in chosen:
            address = assigned.address(queue)
            if to == "first":
                offsets[queue] = await calls.min_offset(address, queue)
            elif to == "last":
                offsets[queue] = await calls.max_offset(address, queue)
            else:
                offsets[queue] = await calls.offset_at(address, queue, start_ms(to))
        await assigned.seek(offsets)

    async def commit(self) -> None:
        """Commit the positions now. Raises when a broker does not take them."""
        await self._running().assigned.commit(wait=True)


def _check(
    options: ConsumerOptions, group: str, concurrency: int, batch: int, start_from: StartFrom
) -> None:
    """Raise ConfigError for what cannot work."""
    options.check()
    problem = group_problem(group)
    if problem is not None:
        raise ConfigError(problem)
    if concurrency < 1 or batch < 1:
        raise ConfigError("concurrency and batch must be 1 or more")
    start_name(start_from)
