"""A popping consumer while it runs: loops of pops, and the workers.

A loop pops whatever one broker has of a topic. To handle messages in order there is a loop for each
queue: it pops again when all that it got is acknowledged. Other members may take the next turn.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from pocketmq.client.assigned import GroupSession, present
from pocketmq.client.bell import Bell
from pocketmq.client.codecs.registry import Codecs
from pocketmq.client.config import ClientConfig
from pocketmq.client.consuming import FROM_FIRST, FROM_LAST, ConsumerOptions, RetryRules
from pocketmq.client.handling import Ending, Handler
from pocketmq.client.hooks import Hooks
from pocketmq.client.instance import Instance
from pocketmq.client.iteration import Inbox
from pocketmq.client.messages import MessageQueue, ReceivedMessage
from pocketmq.client.outcomes import Verdict
from pocketmq.client.pop_calls import ANY_QUEUE, POP_MESSAGES_MAX, pop
from pocketmq.client.popped import PoppedQueue
from pocketmq.client.process_queue import ProcessQueue
from pocketmq.client.pulling import BACKOFF_SECONDS
from pocketmq.client.routes import Route
from pocketmq.client.subscriptions import subscription_data, wanted
from pocketmq.client.workers import Workers
from pocketmq.clock import Clock
from pocketmq.errors import NoRoute, PocketMQError
from pocketmq.filtering.subscriptions import Subscription
from pocketmq.protocol.bodies.heartbeat import CLUSTERING, POP, ConsumerData
from pocketmq.protocol.bodies.running import ConsumeDirectlyResult, ConsumerRunning, PoppingQueue

_log = logging.getLogger(__name__)

POP_ATTEMPTS_MAX: Final = 17
REFRESH_SECONDS: Final = 5.0
RENEWALS_PER_TIME: Final = 6
FULL_SECONDS: Final = 0.2


@dataclass(slots=True)
class PopPlan:
    """What a popping consumer was told when it was made."""

    client_config: ClientConfig
    options: ConsumerOptions
    group: str
    subscriptions: dict[str, Subscription]
    handler: Handler | None
    concurrency: int
    invisible_ms: int
    in_hand_max: int
    orderly: bool
    from_first: bool
    rules: RetryRules
    hooks: Hooks
    codecs: Codecs | None
    clock: Clock


class PopEnding(Ending):
    """What happens to popped messages after the handler."""

    def give_back(self, held: ProcessQueue, message: ReceivedMessage, verdict: Verdict) -> None:
        """Let a message come again later."""
        assert isinstance(held, PoppedQueue) and verdict is not None
        limit = self.rules.attempts_max or POP_ATTEMPTS_MAX
        held.spawn(held.give_back(message, verdict, limit))


class RunningPops:
    """The parts of one popping consumer between its start and its stop."""

    def __init__(self, plan: PopPlan) -> None:
        self.plan = plan
        instance = Instance.obtain(plan.client_config, consumer_group=plan.group)
        self.instance = instance
        self._sources: dict[MessageQueue, PoppedQueue] = {}
        self._loops: dict[MessageQueue, asyncio.Task[None]] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._changed = Bell()
        self.is_flowing = False
        session = GroupSession(instance, plan.group, plan.options, plan.subscriptions)
        self.ending = PopEnding(
            session,
            plan.rules,
            plan.hooks,
            plan.clock,
            offer_again=self._offer,
            sent_back=self._nothing,
        )
        self.workers = Workers(
            plan.handler,
            self.ending,
            plan.options,
            orderly=plan.orderly,
            concurrency=plan.concurrency,
        )
        self.member = PopMember(self)
        self._hooks_started = False

    @property
    def inbox(self) -> Inbox | None:
        """Where messages wait for loops, when there is no handler."""
        return self.workers.inbox

    def _nothing(self) -> None:
        """Messages that come again are popped like any others."""

    def _offer(self, held: ProcessQueue, messages: Sequence[ReceivedMessage]) -> None:
        self.workers.offer(held, messages)

    def sources(self) -> list[PoppedQueue]:
        """One for each topic and broker, or one for each queue."""
        return list(self._sources.values())

    # -- starting and stopping --------------------------------------------------------------

    async def start(self) -> None:
        """Join the group, so that its brokers know; with a handler, begin to pop."""
        for topic in self.plan.subscriptions:
            self.instance.routes.listen(topic, self._route_changed)
        self.instance.add_consumer(self.member)
        self._hooks_started = True
        await self.plan.hooks.start(self.instance)
        await self.refresh()
        await self.instance.heartbeats.tell_all()
        if self.plan.handler is not None:
            self.begin()

    def begin(self) -> None:
        """Pop from now on."""
        if not self.is_flowing:
            self.is_flowing = True
            self._sources.clear()
            self._tasks = [
                asyncio.ensure_future(self._follow_routes()),
                asyncio.ensure_future(self._renew()),
            ]

    async def stop(self) -> None:
        """Pop no more, finish what is in hand, acknowledge it, say goodbye."""
        await self._stop(self.plan.options.stop_timeout_ms / 1000)

    async def abandon(self) -> None:
        """Let go of what a start that failed has taken."""
        await self._stop(0.0)

    async def _stop(self, seconds: float) -> None:
        for topic in self.plan.subscriptions:
            self.instance.routes.unlisten(topic, self._route_changed)
        renewing = self._tasks[1:]
        await _end([*self._tasks[:1], *self._loops.values()])
        await self.workers.stop(seconds)
        await _end(renewing)
        await self.ending.settle(seconds)
        for source in self.sources():
            await source.settle(seconds)
        if self._hooks_started:
            await self.plan.hooks.stop()
        await self.instance.remove_consumer(self.member)
        await self.instance.release(consumer_group=self.plan.group)

    # -- where to pop -----------------------------------------------------------------------

    def _route_changed(self, route: Route) -> None:
        self._changed.ring()

    async def refresh(self) -> None:
        """See to it that there is a source for whatever is to be popped."""
        for topic, subscription in self.plan.subscriptions.items():
            try:
                route = await self.instance.routes.get(topic)
            except NoRoute as error:
                _log.debug("%s", error)
                continue
            for queue in self._popped(route):
                address = route.master(queue.broker_name)
                known = self._sources.get(queue)
                if address is None or (known is not None and known.address == address):
                    continue
                self._sources[queue] = PoppedQueue(
                    self.instance.calls,
                    self.plan.group,
                    subscription,
                    queue.broker_name,
                    address,
                    1 if queue.queue_id != ANY_QUEUE else self.plan.in_hand_max,
                    queue.queue_id,
                )

    def _popped(self, route: Route) -> set[MessageQueue]:
        """What of a topic is popped by itself: a broker's part of it, or in order a queue."""
        if self.plan.orderly and (self.is_flowing or self.plan.handler is not None):
            return set(route.read_queues)
        brokers = {queue.broker_name for queue in route.read_queues}
        return {MessageQueue(route.topic, name, ANY_QUEUE) for name in brokers}

    async def _follow_routes(self) -> None:
        while True:
            try:
                await self.refresh()
            except PocketMQError as error:
                _log.warning("routes not refreshed group=%s: %s", self.plan.group, error)
            for key, source in self._sources.items():
                running = self._loops.get(key)
                if running is None or running.done():
                    self._loops[key] = asyncio.ensure_future(self._pop_on(key, source))
            await self._changed.wait(REFRESH_SECONDS)

    # -- popping ----------------------------------------------------------------------------

    async def _pop_on(self, key: MessageQueue, source: PoppedQueue) -> None:
        """Pop from one source for as long as it is in use."""
        plan = self.plan
        failures = 0
        while self._sources.get(key) is source:
            await source.wait_for_room()
            if plan.orderly:
                await source.acknowledged()  # the broker gives nothing more before
            room = plan.in_hand_max - source.count
            try:
                wait = plan.options.poll_timeout_ms / 1000
                messages = await self.pop_once(source, min(room, POP_MESSAGES_MAX), wait)
            except PocketMQError as error:
                if not failures:
                    _log.warning("pop failed group=%s %s: %s", plan.group, source.queue, error)
                await asyncio.sleep(BACKOFF_SECONDS[min(failures, len(BACKOFF_SECONDS) - 1)])
                failures += 1
                continue
            failures = 0
            if messages:
                self.workers.offer(source, messages)

    async def pop_once(
        self, source: PoppedQueue, messages_max: int, wait_seconds: float
    ) -> list[ReceivedMessage]:
        """The messages of one pop, in hand now."""
        plan = self.plan
        loop = asyncio.get_running_loop()
        began = loop.time()
        popped = await pop(
            self.instance.calls,
            source.address,
            source.queue.broker_name,
            plan.group,
            source.subscription,
            messages_max=messages_max,
            invisible_ms=plan.invisible_ms,
            wait_ms=round(wait_seconds * 1000),
            now_ms=plan.clock.now_ms(),
            from_first=plan.from_first,
            queue_id=source.queue.queue_id,
            ordered=plan.orderly,
        )
        if popped.is_full or (not popped.messages and loop.time() - began < FULL_SECONDS):
            await asyncio.sleep(min(FULL_SECONDS, wait_seconds))
        source.take(popped, began)
        messages, others = wanted(popped.messages, source.subscription)
        source.finish_all(others)  # tags that only look alike are nothing to us
        for message in messages:
            space = plan.client_config.namespace
            present([message], message.stored_topic, space, plan.codecs)
        return messages

    async def _renew(self) -> None:
        """Hide for longer what is still being handled."""
        interval = self.plan.invisible_ms / 1000 / RENEWALS_PER_TIME
        while True:
            await asyncio.sleep(interval)
            for source in self.sources():
                source.renew(self.plan.invisible_ms)


class PopMember:
    """A popping consumer, as its instance sees it."""

    def __init__(self, parts: RunningPops) -> None:
        self._parts = parts
        self.group = parts.plan.group

    def topics(self) -> Iterable[str]:
        """The topics whose routes are to be kept fresh."""
        return list(self._parts.plan.subscriptions)

    def consumer_data(self) -> ConsumerData | None:
        """What heartbeats say about it."""
        plan = self._parts.plan
        subscriptions = tuple(map(subscription_data, plan.subscriptions.values()))
        start = FROM_FIRST if plan.from_first else FROM_LAST
        return ConsumerData(plan.group, POP, CLUSTERING, start, subscriptions)

    def rebalance_soon(self) -> None:
        """Members come and go; nobody owns a queue, so nothing changes."""

    def reset_offsets(self, topic: str, offsets: dict[MessageQueue, int]) -> None:
        """Brokers keep the positions of pops themselves."""

    def offsets(self, topic: str) -> dict[MessageQueue, int]:
        """Brokers know better."""
        return {}

    def running(self) -> ConsumerRunning:
        """What this consumer is doing."""
        plan = self._parts.plan
        return ConsumerRunning(
            properties={"PROP_CONSUME_TYPE": POP, "PROP_CLIENT_VERSION": "V5_3_3"},
            subscription_set=tuple(map(subscription_data, plan.subscriptions.values())),
            mq_pop_table={
                source.queue: PoppingQueue(wait_ack_count=source.count)
                for source in self._parts.sources()
            },
        )

    async def consume_directly(
        self, message: ReceivedMessage, broker_name: str
    ) -> ConsumeDirectlyResult:
        """Not offered for pops."""
        return ConsumeDirectlyResult(
            consume_result="CR_THROW_EXCEPTION", remark="a popping consumer fetches by itself"
        )


async def _end(tasks: Iterable[asyncio.Task[None]]) -> None:
    ending = list(tasks)
    for task in ending:
        task.cancel()
    if ending:
        await asyncio.wait(ending)
