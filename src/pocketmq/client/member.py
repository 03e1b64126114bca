"""What a consumer tells brokers and operators: heartbeats, 220, 221, 307 and 309."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable
from typing import Final

from pocketmq.client.assigned import AssignedQueues, GroupSession
from pocketmq.client.consuming import start_name
from pocketmq.client.messages import MessageQueue, ReceivedMessage
from pocketmq.client.outcomes import Verdict
from pocketmq.client.rebalance import Rebalance
from pocketmq.client.subscriptions import subscription_data
from pocketmq.clock import Clock
from pocketmq.errors import PocketMQError
from pocketmq.message import properties as names
from pocketmq.message.topics import with_namespace, without_namespace
from pocketmq.protocol.bodies.heartbeat import (
    ACTIVELY,
    BROADCASTING,
    CLUSTERING,
    PASSIVELY,
    ConsumerData,
)
from pocketmq.protocol.bodies.running import ConsumeDirectlyResult, ConsumerRunning, ConsumingQueue

_log = logging.getLogger(__name__)

MIB: Final = 1024 * 1024


class GroupMember:
    """One consumer of a group, as its instance knows it."""

    def __init__(
        self,
        session: GroupSession,
        assigned: AssignedQueues,
        rebalance: Rebalance | None,
        clock: Clock,
        *,
        consume_one: Callable[[ReceivedMessage], Awaitable[Verdict]] | None = None,
        concurrency: int = 1,
    ) -> None:
        self._session = session
        self._assigned = assigned
        self._rebalance = rebalance
        self._clock = clock
        self._consume_one = consume_one
        self._concurrency = concurrency
        self._jobs: set[asyncio.Task[None]] = set()

    @property
    def group(self) -> str:
        """The consumer group."""
        return self._session.group

    def topics(self) -> Iterable[str]:
        """The topics whose routes are to be kept fresh."""
        return list(self._session.subscriptions)

    def consumer_data(self) -> ConsumerData | None:
        """What heartbeats say about it."""
        session = self._session
        return ConsumerData(
            session.group,
            PASSIVELY if self._consume_one is not None else ACTIVELY,
            BROADCASTING if session.broadcast else CLUSTERING,
            start_name(session.start_from),
            tuple(subscription_data(item) for item in session.subscriptions.values()),
        )

    def rebalance_soon(self) -> None:
        """The group's members have changed (40)."""
        if self._rebalance is not None:
            self._rebalance.soon()

    def reset_offsets(self, topic: str, offsets: dict[MessageQueue, int]) -> None:
        """An operator has moved the group's positions (220)."""
        mine = {
            queue: offset
            for queue, offset in offsets.items()
            if queue.topic == topic and self._assigned.get(queue) is not None
        }
        if mine:
            task = asyncio.ensure_future(self._reset(mine))
            self._jobs.add(task)
            task.add_done_callback(self._jobs.discard)

    async def _reset(self, offsets: dict[MessageQueue, int]) -> None:
        try:
            await self._assigned.seek(offsets)
        except PocketMQError as error:
            _log.warning("reset not committed group=%s: %s", self.group, error)

    def offsets(self, topic: str) -> dict[MessageQueue, int]:
        """Where this consumer is in its queues of a topic (221)."""
        found = self._assigned.commit_offsets()
        return {queue: offset for queue, offset in found.items() if queue.topic == topic}

    def running(self) -> ConsumerRunning:
        """What this consumer is doing (307)."""
        session = self._session
        config = session.instance.config
        properties = {
            "PROP_NAMESERVER_ADDR": ";".join(config.name_servers),
            "PROP_CONSUME_TYPE": PASSIVELY if self._consume_one is not None else ACTIVELY,
            "PROP_CLIENT_VERSION": "V5_3_3",
            "PROP_CONSUMEORDERLY": "true" if session.ordered else "false",
            "PROP_THREADPOOL_CORE_SIZE": str(self._concurrency),
            "PROP_CONSUMER_START_TIMESTAMP": str(session.started_ms),
        }
        now, now_ms = asyncio.get_running_loop().time(), self._clock.now_ms()

        def stamp(when: float) -> int:
            return now_ms - round((now - when) * 1000) if when else 0

        table = {}
        for held in self._assigned.held():
            first = held.commit_offset
            table[held.queue] = ConsumingQueue(
                commit_offset=first,
                cached_msg_min_offset=first if held.count else 0,
                cached_msg_max_offset=held.last_offset if held.count else 0,
                cached_msg_count=held.count,
                cached_msg_size_mib=held.bytes // MIB,
                locked=held.locked_at is not None,
                last_lock_timestamp=stamp(held.locked_at or 0.0),
                last_pull_timestamp=stamp(held.last_pulled),
                last_consume_timestamp=stamp(held.last_consumed),
            )
        return ConsumerRunning(
            properties=properties,
            subscription_set=tuple(map(subscription_data, session.subscriptions.values())),
            mq_table=table,
        )

    async def consume_directly(
        self, message: ReceivedMessage, broker_name: str
    ) -> ConsumeDirectlyResult:
        """An operator wants this very message handled, now (309)."""
        session = self._session
        began = self._clock.monotonic()
        if self._consume_one is None:
            return ConsumeDirectlyResult(
                order=session.ordered,
                consume_result="CR_THROW_EXCEPTION",
                remark="this consumer has no handler: it fetches messages itself",
            )
        namespace = session.instance.config.namespace
        origin = message.properties.get(names.RETRY_TOPIC) or message.topic
        message.topic = without_namespace(with_namespace(namespace, origin), namespace)
        remark: str | None = None
        try:
            verdict = await self._consume_one(message)
            result = "CR_SUCCESS" if verdict is None else "CR_LATER"
        except Exception as error:  # noqa: BLE001 - the operator gets to see it
            result, remark = "CR_THROW_EXCEPTION", repr(error)
        return ConsumeDirectlyResult(
            order=session.ordered,
            auto_commit=True,
            consume_result=result,
            remark=remark,
            spent_time_mills=round((self._clock.monotonic() - began) * 1000),
        )

    async def stop(self) -> None:
        """Wait for what operators have asked for."""
        if self._jobs:
            await asyncio.wait(self._jobs)
