"""A consumer while it runs: its parts, built, started and stopped in order.

rebalance -> assigned queues -> pullers -> workers -> ending -> assigned queues
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pocketmq.client.allocation import AllocationStrategy
from pocketmq.client.assigned import AssignedQueues, GroupSession
from pocketmq.client.codecs.registry import Codecs
from pocketmq.client.config import ClientConfig
from pocketmq.client.consuming import ConsumerOptions, RetryRules, StartFrom
from pocketmq.client.handling import Ending, Handler, is_async
from pocketmq.client.hooks import Hooks
from pocketmq.client.instance import Instance
from pocketmq.client.iteration import Inbox
from pocketmq.client.locks import QueueLocks
from pocketmq.client.member import GroupMember
from pocketmq.client.messages import ReceivedMessage
from pocketmq.client.offsets import FileOffsets, OffsetStore, RemoteOffsets, offsets_file
from pocketmq.client.orderly import ThreadCalls
from pocketmq.client.outcomes import Verdict, verdict_of
from pocketmq.client.process_queue import ProcessQueue
from pocketmq.client.rebalance import Rebalance
from pocketmq.client.subscriptions import subscription_data
from pocketmq.client.unique_keys import local_host
from pocketmq.client.workers import Workers
from pocketmq.clock import Clock
from pocketmq.errors import NetError, NoRoute, PocketMQError
from pocketmq.filtering.subscriptions import Subscription, parse_subscription
from pocketmq.message.topics import retry_topic

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class ConsumerPlan:
    """What a consumer was told when it was made."""

    client_config: ClientConfig
    options: ConsumerOptions
    group: str
    """As on the wire, namespace included."""
    subscriptions: dict[str, Subscription]
    """Full topic name -> what is wanted of it."""
    handler: Handler | None
    orderly: bool
    broadcast: bool
    concurrency: int
    batch: int
    start_from: StartFrom
    rules: RetryRules
    strategy: AllocationStrategy
    store: str | Path | OffsetStore | None
    hooks: Hooks
    clock: Clock
    codecs: Codecs | None


class RunningConsumer:
    """The parts of one consumer between its start and its stop."""

    def __init__(self, plan: ConsumerPlan) -> None:
        self.plan = plan
        self.instance = Instance.obtain(plan.client_config, consumer_group=plan.group)
        self.session = GroupSession(
            self.instance,
            plan.group,
            plan.options,
            dict(plan.subscriptions),
            plan.start_from,
            broadcast=plan.broadcast,
            ordered=plan.orderly,
            started_ms=plan.clock.now_ms(),
            codecs=plan.codecs,
        )
        if not plan.broadcast:
            retries = parse_subscription(retry_topic(plan.group), "*", version=plan.clock.now_ms())
            self.session.subscriptions[retries.topic] = retries
        self.ending = Ending(
            self.session,
            plan.rules,
            plan.hooks,
            plan.clock,
            offer_again=self._offer,
            sent_back=self._sent_back,
        )
        self.assigned = AssignedQueues(
            self.session,
            self._offset_store(),
            self._offer,
            locks=self._locks if plan.orderly and not plan.broadcast else None,
            dropped=self._dropped,
            idle=self._idle,
        )
        self.workers = Workers(
            plan.handler,
            self.ending,
            plan.options,
            orderly=plan.orderly,
            locks=self.assigned.locks,
            concurrency=plan.concurrency,
            batch=plan.batch,
        )
        self.rebalance = Rebalance(self.session, plan.strategy, self.assigned.update)
        self.member = GroupMember(
            self.session,
            self.assigned,
            self.rebalance,
            plan.clock,
            consume_one=self._consume_one if plan.handler is not None else None,
            concurrency=plan.concurrency,
        )
        self._commits: asyncio.Task[None] | None = None
        self._learning: asyncio.Task[None] | None = None
        self._stopping: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._hooks_started = False

    @property
    def inbox(self) -> Inbox | None:
        """Where messages wait for loops, when there is no handler."""
        return self.workers.inbox

    # -- building ---------------------------------------------------------------------------

    def _offset_store(self) -> OffsetStore:
        plan = self.plan
        if plan.store is None and not plan.broadcast:
            return RemoteOffsets(self.instance.calls, plan.group, self.session.address_of)
        if isinstance(plan.store, (str, Path)):
            return FileOffsets(plan.store)
        if plan.store is not None:
            return plan.store
        # The made-up instance names of other clients would hide the file from the next start.
        config = plan.client_config
        name = f"{config.advertise_host or local_host()}@{config.instance}"
        return FileOffsets(offsets_file(name, plan.group))

    def _locks(self, assigned: AssignedQueues) -> QueueLocks:
        config = self.plan.options
        return QueueLocks(
            self.instance.calls,
            self.plan.group,
            self.instance.client_id,
            self.session.address_of,
            assigned.held,
            interval_ms=config.lock_interval_ms,
            lease_ms=config.lock_lease_ms,
        )

    # -- flow -------------------------------------------------------------------------------

    def _offer(self, held: ProcessQueue, messages: Sequence[ReceivedMessage]) -> None:
        self.workers.offer(held, messages)

    def _dropped(self, held: ProcessQueue) -> None:
        self.workers.dropped(held)

    def _idle(self, held: ProcessQueue) -> asyncio.Future[None] | None:
        return self.workers.idle(held)

    async def _consume_one(self, message: ReceivedMessage) -> Verdict:
        """Call the handler with one message that is in no queue of ours."""
        handler = self.plan.handler
        assert handler is not None
        held = ProcessQueue(
            message.queue,
            parse_subscription(message.stored_topic, "*"),
            message.queue_offset,
            self.plan.options.limits(1, ordered=False),
        )
        held.add([message], message.queue_offset + 1)
        message.codecs = self.plan.codecs
        item = message if self.plan.batch == 1 else [message]
        if is_async(handler):
            verdict = verdict_of(await handler(item))
        else:
            calls = ThreadCalls(handler, concurrency=1, group=self.plan.group)
            try:
                verdict = await calls(held, item)
            finally:
                await calls.stop(self.plan.options.stop_timeout_ms / 1000)
        return held.take_verdict(message) or verdict

    def _sent_back(self) -> None:
        """A message waits in the retry topic now: see to it that somebody consumes that."""
        topic = retry_topic(self.plan.group)
        known = self.instance.routes.known(topic) is not None
        if not known and (self._learning is None or self._learning.done()):
            self._learning = asyncio.ensure_future(self._learn(topic))

    async def _learn(self, topic: str) -> None:
        """Ask for a new topic's route until there is one."""
        pause = 0.1
        while True:
            try:
                await self.instance.routes.refresh(topic)
            except PocketMQError as error:
                _log.debug("no route yet topic=%s: %s", topic, error)
            else:
                self.rebalance.soon()
                return
            await asyncio.sleep(pause)
            pause = min(pause * 2, 5.0)

    # -- starting ---------------------------------------------------------------------------

    async def start(self) -> None:
        """Join the group."""
        session = self.session
        for topic in self.plan.subscriptions:
            try:
                await self.instance.routes.get(topic)
            except NoRoute as error:
                _log.warning("%s; looking for it until it exists", error)
                self.rebalance.problems[topic] = str(error)  # so it is not logged once more
        await self._check_filters()
        self._hooks_started = True
        await self.plan.hooks.start(self.instance)
        self.instance.add_consumer(self.member)
        await self.instance.heartbeats.tell_all()
        if self.assigned.locks is not None:
            self.assigned.locks.start()
        self.rebalance.start()
        self._commits = asyncio.ensure_future(self._commit_now_and_then())
        _log.info("consumer started group=%s client=%s", session.group, self.instance.client_id)

    async def _check_filters(self) -> None:
        """Let a broker of each topic look at an SQL expression, so that errors show at once."""
        for subscription in self.plan.subscriptions.values():
            await self.check_filter(subscription)

    async def check_filter(self, subscription: Subscription) -> None:
        """Raise BrokerRefused when the topic's brokers cannot filter so."""
        route = self.instance.routes.known(subscription.topic)
        if subscription.is_tag_filter or route is None:
            return
        for name in route.brokers:
            address = route.address(name)
            if address is not None:
                await self.instance.calls.check_subscription(
                    address,
                    self.instance.client_id,
                    self.plan.group,
                    subscription_data(subscription),
                )
                return

    async def _commit_now_and_then(self) -> None:
        interval = self.plan.options.commit_interval_ms / 1000
        while True:
            await asyncio.wait([self._stopping], timeout=interval)
            if self._stopping.done():
                return
            await self.assigned.commit()

    async def subscribe(self, subscription: Subscription) -> None:
        """One topic more, or another filter for it."""
        topic = subscription.topic
        await self.instance.routes.get(topic)
        await self.check_filter(subscription)
        self.session.subscriptions[topic] = subscription
        for held in self.assigned.held():
            if held.queue.topic == topic:
                held.subscription = subscription
        self.instance.heartbeats.beat_soon()
        self.rebalance.soon()

    async def unsubscribe(self, topic: str) -> None:
        """One topic less."""
        if self.session.subscriptions.pop(topic, None) is not None:
            await self.assigned.update(topic, ())
            self.instance.heartbeats.beat_soon()

    # -- stopping ---------------------------------------------------------------------------

    async def stop(self) -> None:
        """Finish what is in hand, commit, give back the queues, say goodbye."""
        seconds = self.plan.options.stop_timeout_ms / 1000
        await self.rebalance.stop()
        self.assigned.stop_pulling()
        await self.workers.stop(seconds)
        await self.ending.settle(seconds)
        self._stopping.set_result(None)
        if self._commits is not None:
            await asyncio.wait([self._commits], timeout=seconds)
        await _end(self._learning)
        await self.member.stop()
        await self.assigned.close()
        if self.assigned.locks is not None:
            await self.assigned.locks.stop()
        await self.instance.remove_consumer(self.member)
        await self.abandon()
        _log.info("consumer stopped group=%s", self.session.group)

    async def abandon(self) -> None:
        """Let go of what a start that failed has taken, too."""
        await _end(self._commits)
        await self.rebalance.stop()
        if self._hooks_started:
            self._hooks_started = False
            await self.plan.hooks.stop()
        if self.instance.consumers.get(self.plan.group) is self.member:
            try:
                await self.instance.remove_consumer(self.member)
            except NetError as error:
                _log.debug("goodbye not said group=%s: %s", self.plan.group, error)
        await self.instance.release(consumer_group=self.plan.group)


async def _end(task: asyncio.Task[None] | None) -> None:
    if task is not None:
        task.cancel()
        await asyncio.wait([task])
