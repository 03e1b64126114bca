"""The lite pull consumer: queues and prefetching are looked after, messages are fetched by `poll`.

    async with LitePullConsumer("127.0.0.1:9876", group="audit", topics="orders") as consumer:
        while True:
            for message in await consumer.poll(timeout=5):
                ...

Either give topics, and queues are shared among the members of the group; or leave them out and
`assign` queues. With `auto_commit` the next `poll` says that what the last one gave is consumed.
"""

from __future__ import annotations

import asyncio
import ssl
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Sequence
from datetime import datetime
from pathlib import Path
from types import TracebackType

from pocketmq.client.allocation import AllocationStrategy, strategy_of
from pocketmq.client.assigned import AssignedQueues, GroupSession
from pocketmq.client.codecs.registry import Codec, Codecs, codecs_of
from pocketmq.client.config import ClientConfig, NameServers, TlsConfig
from pocketmq.client.consuming import ConsumerOptions, StartFrom, start_ms, start_name
from pocketmq.client.explain import explain_consumer
from pocketmq.client.instance import Instance
from pocketmq.client.member import GroupMember
from pocketmq.client.messages import MessageQueue, ReceivedMessage
from pocketmq.client.offsets import FileOffsets, OffsetStore, RemoteOffsets
from pocketmq.client.process_queue import ProcessQueue
from pocketmq.client.rebalance import Rebalance
from pocketmq.client.subscriptions import Topics, parse_topics, subscribe
from pocketmq.clock import Clock, SystemClock
from pocketmq.errors import ClientClosed, ConfigError, NoRoute
from pocketmq.message.topics import group_problem, with_namespace
from pocketmq.security import Credentials

Changed = Callable[[list[MessageQueue]], object]
"""Told the queues of the consumer whenever a rebalance has changed them."""

POLL_MESSAGES_MAX = 32


class LitePullConsumer:
    """Prefetches messages of its queues and hands them out.

    `changed` is called with the queues whenever they have changed. Raise ConfigError or
    SubscriptionInvalid for what cannot work.

    >>> async def main() -> list[str]:
    ...     async with pocketmq.Producer(address, group="shop") as producer:
    ...         await producer.send("bills", "12 euros")
    ...     audit = LitePullConsumer(address, group="audit", topics="bills", start_from="first")
    ...     async with audit:
    ...         return [message.text for message in await audit.poll(timeout=10)]
    >>> asyncio.run(main())
    ['12 euros']
    """

    def __init__(
        self,
        name_servers: NameServers | ClientConfig = "",
        *,
        group: str,
        topics: Topics = (),
        auto_commit: bool = True,
        broadcast: bool = False,
        start_from: StartFrom = "last",
        allocation: str | AllocationStrategy = "averagely",
        offsets: str | Path | OffsetStore | None = None,
        changed: Changed | None = None,
        codec: Codecs | Codec | str | None = None,
        options: ConsumerOptions | None = None,
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
        self.auto_commit = auto_commit
        self._clock = clock or SystemClock()
        self._options = options or ConsumerOptions()
        self._options.check()
        start_name(start_from)
        self._start_from: StartFrom = start_from
        self._broadcast = broadcast
        self._strategy = strategy_of(allocation)
        self._store_given = offsets
        self._changed = changed
        self._codecs = codecs_of(codec)
        self._subscriptions = parse_topics(topics, self._config.namespace, self._clock.now_ms())
        self._shares = bool(self._subscriptions)
        self._ready: deque[ReceivedMessage] = deque()
        self._arrived: asyncio.Future[None] | None = None
        self._handed: list[tuple[ProcessQueue, ReceivedMessage]] = []
        self._consumed: dict[MessageQueue, int] = {}
        self._session: GroupSession | None = None

    # -- starting and stopping --------------------------------------------------------------

    async def start(self) -> None:
        """Join the group; brokers know then. Raise NameServersUnreachable when none answers."""
        if self._session is not None:
            raise ClientClosed("this consumer has started already")
        group = with_namespace(self._config.namespace, self.group)
        instance = Instance.obtain(self._config, consumer_group=group)
        self._session = session = GroupSession(
            instance,
            group,
            self._options,
            dict(self._subscriptions),
            self._start_from,
            broadcast=self._broadcast,
            commits_on_leave=self.auto_commit,
            started_ms=self._clock.now_ms(),
            codecs=self._codecs,
        )
        self._store = self._offset_store(session)
        self._assigned = AssignedQueues(session, self._store, self._offer, dropped=self._drop)
        self._rebalance = Rebalance(
            session, self._strategy, self._assigned.update, changed=self._tell_changed
        )
        self._member = GroupMember(session, self._assigned, self._rebalance, self._clock)
        self._commits: asyncio.Task[None] | None = None
        try:
            for topic in self._subscriptions:
                await self._know_route(topic)
            instance.add_consumer(self._member)
            await instance.heartbeats.tell_all()
        except BaseException:
            self._session = None
            if instance.consumers.get(group) is self._member:
                await instance.remove_consumer(self._member)
            await instance.release(consumer_group=group)
            raise
        if self._shares:
            self._rebalance.start()
        if self.auto_commit:
            self._commits = asyncio.ensure_future(self._commit_now_and_then())

    def _offset_store(self, session: GroupSession) -> OffsetStore:
        if self._store_given is None:
            return RemoteOffsets(session.instance.calls, session.group, session.address_of)
        if isinstance(self._store_given, (str, Path)):
            return FileOffsets(self._store_given)
        return self._store_given

    async def _know_route(self, topic: str) -> None:
        try:
            await self._running().instance.routes.get(topic)
        except NoRoute:
            if not self._shares:
                raise
            self._rebalance.soon()

    async def stop(self) -> None:
        """Commit if that is automatic, and leave the group."""
        session = self._session
        if session is None:
            return
        self._finish_handed()
        await self._rebalance.stop()
        if self._commits is not None:
            self._commits.cancel()
            await asyncio.wait([self._commits])
        self._ready.clear()
        await self._assigned.close()
        await self._member.stop()
        await session.instance.remove_consumer(self._member)
        await session.instance.release(consumer_group=session.group)
        self._session = None
        self._wake()

    async def __aenter__(self) -> LitePullConsumer:
        await self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is not None:
            self._handed.clear()  # what was given last is not consumed
        await self.stop()

    def _running(self) -> GroupSession:
        if self._session is None:
            raise ClientClosed("this consumer does not run; use `async with`, or start() first")
        return self._session

    async def _commit_now_and_then(self) -> None:
        while True:
            await asyncio.sleep(self._options.commit_interval_ms / 1000)
            await self._assigned.commit()

    # -- messages ---------------------------------------------------------------------------

    async def poll(
        self, timeout: float = 5.0, *, messages_max: int = POLL_MESSAGES_MAX
    ) -> list[ReceivedMessage]:
        """Messages that have been fetched; an empty list when none came in time."""
        self._running()
        self._finish_handed()
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout
        while not self._ready and self._session is not None:
            left = deadline - loop.time()
            if left <= 0:
                return []
            if self._arrived is None:
                self._arrived = loop.create_future()
            await asyncio.wait([self._arrived], timeout=left)
        found: list[ReceivedMessage] = []
        while self._ready and len(found) < messages_max:
            message = self._ready.popleft()
            held = message.context
            assert isinstance(held, ProcessQueue)
            message.context = None  # it cannot be given back; there is nobody to retry it
            self._handed.append((held, message))
            found.append(message)
        return found

    def _finish_handed(self) -> None:
        """What was handed out is consumed now."""
        handed, self._handed = self._handed, []
        for held, message in handed:
            if not held.dropped:
                held.finish(message)
                self._consumed[held.queue] = held.commit_offset

    def _offer(self, held: ProcessQueue, messages: Sequence[ReceivedMessage]) -> None:
        self._ready.extend(messages)
        self._wake()

    def _wake(self) -> None:
        arrived, self._arrived = self._arrived, None
        if arrived is not None and not arrived.done():
            arrived.set_result(None)

    def _drop(self, held: ProcessQueue) -> None:
        self._ready = deque(message for message in self._ready if message.context is not held)
        self._consumed.pop(held.queue, None)

    # -- queues -----------------------------------------------------------------------------

    def assigned(self) -> list[MessageQueue]:
        """The queues this consumer has."""
        self._running()
        return self._assigned.queues()

    async def explain(self) -> str:
        """The consumer's state in plain words: servers, queues, positions, how many wait."""
        return await explain_consumer(self._running().instance, self._member)

    async def queues(self, topic: str) -> list[MessageQueue]:
        """All queues of a topic. Raise NoRoute when it does not exist."""
        name = with_namespace(self._config.namespace, topic)
        return list((await self._running().instance.routes.get(name)).read_queues)

    async def assign(self, queues: Iterable[MessageQueue], expression: str = "*") -> None:
        """Have exactly these queues, whatever other members do. Not for one that has topics."""
        session = self._running()
        if self._shares:
            raise ConfigError("a consumer with topics shares its queues; leave topics= out")
        by_topic: dict[str, list[MessageQueue]] = {topic: [] for topic in session.subscriptions}
        for queue in queues:
            by_topic.setdefault(queue.topic, []).append(queue)
        for topic, mine in by_topic.items():
            await self._know_route(topic)
            session.subscriptions[topic] = subscribe(topic, expression, self._clock.now_ms())
            await self._assigned.update(topic, mine)
            if not mine:
                session.subscriptions.pop(topic)
        session.instance.heartbeats.beat_soon()

    def _tell_changed(self) -> None:
        if self._changed is not None:
            self._changed(self._assigned.queues())

    def pause(self, *queues: MessageQueue) -> None:
        """Fetch no more from some queues, or from any. What is fetched is still handed out."""
        self._running()
        self._assigned.pause("", queues)

    def resume(self, *queues: MessageQueue) -> None:
        """Fetch again."""
        self._running()
        self._assigned.resume("", queues)

    # -- positions --------------------------------------------------------------------------

    async def seek(self, queue: MessageQueue, offset: int) -> None:
        """Go on at an offset; what was fetched beyond is dropped."""
        self._running()
        if self._assigned.get(queue) is None:
            raise ConfigError(f"{queue} is not assigned to this consumer")
        self._handed = [item for item in self._handed if item[0].queue != queue]
        await self._assigned.seek({queue: offset})

    async def seek_to_begin(self, queue: MessageQueue) -> None:
        """Go on at the oldest message."""
        await self.seek(queue, await self._ask(queue, self._running().instance.calls.min_offset))

    async def seek_to_end(self, queue: MessageQueue) -> None:
        """Go on behind the newest message."""
        await self.seek(queue, await self._ask(queue, self._running().instance.calls.max_offset))

    async def offset_at(self, queue: MessageQueue, when: datetime | float) -> int:
        """The offset of the first message stored at or after a time."""
        calls = self._running().instance.calls
        return await calls.offset_at(self._assigned.address(queue), queue, start_ms(when))

    async def _ask(
        self, queue: MessageQueue, call: Callable[[str, MessageQueue], Awaitable[int]]
    ) -> int:
        return await call(self._assigned.address(queue), queue)

    async def committed(self, queue: MessageQueue) -> int | None:
        """The group's position in a queue; None when it has none."""
        self._running()
        return await self._store.read(queue)

    async def commit(self) -> None:
        """Commit that everything `poll` has given so far is consumed.

        Raises when a broker does not take it.
        """
        self._running()
        self._finish_handed()
        if self.auto_commit:
            await self._assigned.commit(wait=True)
        elif self._consumed:
            await self._store.commit(dict(self._consumed), wait=True)
