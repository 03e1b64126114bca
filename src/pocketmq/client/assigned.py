"""The queues a consumer has: taken on, pulled, committed, moved about and given back.

A rebalance decides which queues these are and calls `update`. A queue is taken on at the group's
position, or where `start_from` says when there is none, and given back with its position committed.
To move the position of a queue (seek, reset by an operator) is to drop what is held of it and to
take it on anew.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from pocketmq.client.codecs.registry import Codecs
from pocketmq.client.consuming import ConsumerOptions, StartFrom, start_ms
from pocketmq.client.instance import Instance
from pocketmq.client.locks import QueueLocks
from pocketmq.client.messages import MessageQueue, ReceivedMessage
from pocketmq.client.offsets import OffsetStore
from pocketmq.client.process_queue import ProcessQueue
from pocketmq.client.pulling import Puller
from pocketmq.errors import ClientError, PocketMQError
from pocketmq.filtering.subscriptions import Subscription
from pocketmq.message import properties as names
from pocketmq.message.topics import is_retry_topic, without_namespace

_log = logging.getLogger(__name__)

LOCK_EXPIRES_SECONDS: Final = 60.0
"""How long brokers keep a lock that is not renewed."""
UNLOCK_AGAIN_SECONDS: Final = 0.2

Deliver = Callable[[ProcessQueue, list[ReceivedMessage]], None]


@dataclass(slots=True)
class GroupSession:
    """What one consumer's parts all need to know."""

    instance: Instance
    group: str
    """The group as on the wire, namespace included."""
    options: ConsumerOptions
    subscriptions: dict[str, Subscription]
    """Full topic name -> what is wanted of it; the retry topic included."""
    start_from: StartFrom = "last"
    broadcast: bool = False
    ordered: bool = False
    commits_on_leave: bool = True
    """Whether the position of a queue is committed when it is given back."""
    started_ms: int = 0
    codecs: Codecs | None = None
    """What the values of bodies are decoded with."""

    def address_of(self, queue: MessageQueue, broker_id: int = 0) -> str | None:
        """The address to ask about a queue."""
        route = self.instance.routes.known(queue.topic)
        return route.address(queue.broker_name, broker_id) if route is not None else None


class AssignedQueues:
    """The table of held queues and their pullers."""

    def __init__(
        self,
        session: GroupSession,
        store: OffsetStore,
        deliver: Deliver,
        *,
        locks: Callable[[AssignedQueues], QueueLocks] | None = None,
        dropped: Callable[[ProcessQueue], None] | None = None,
        idle: Callable[[ProcessQueue], asyncio.Future[None] | None] | None = None,
    ) -> None:
        self._session = session
        self._store = store
        self._deliver = deliver
        self._dropped = dropped
        self._idle = idle
        self._pullers: dict[MessageQueue, Puller] = {}
        self._jobs: set[asyncio.Task[None]] = set()
        self._leaving: set[MessageQueue] = set()
        self._committing = asyncio.Lock()
        self._closing: float | None = None
        self._maybe_locked: set[MessageQueue] = set()
        """Queues we asked a lock for and do not hold: a broker may think that we do."""
        self._paused_topics: set[str] = set()
        self._paused_queues: set[MessageQueue] = set()
        self.locks = locks(self) if locks is not None else None

    # -- looking ----------------------------------------------------------------------------

    def held(self) -> list[ProcessQueue]:
        """All queues that are held."""
        return [puller.held for puller in self._pullers.values()]

    def queues(self, topic: str = "") -> list[MessageQueue]:
        """The queues that are assigned, of one topic or of all."""
        return sorted(queue for queue in self._pullers if not topic or queue.topic == topic)

    def get(self, queue: MessageQueue) -> ProcessQueue | None:
        """What is held of a queue; None when it is not ours."""
        puller = self._pullers.get(queue)
        return puller.held if puller is not None else None

    def problems(self) -> dict[MessageQueue, str]:
        """The queues whose last pull failed, and why."""
        return {queue: p.problem for queue, p in self._pullers.items() if p.problem}

    # -- assignment -------------------------------------------------------------------------

    async def update(self, topic: str, wanted: Iterable[MessageQueue]) -> tuple[bool, bool]:
        """Hold exactly these queues of a topic. Return whether anything changed, and whether all
        of them could be taken on."""
        target = set(wanted)
        gone = [queue for queue in self._pullers if queue.topic == topic and queue not in target]
        for queue in gone:
            self._give_back(queue)
        for queue in [q for q in self._maybe_locked if q.topic == topic and q not in target]:
            self._give_up_lock(queue)
        for puller in list(self._pullers.values()):
            if puller.task.done() and not puller.held.dropped:
                _log.error("puller died queue=%s", puller.held.queue, exc_info=_error(puller.task))
                self._restart(puller.held, puller.held.commit_offset)
        fresh = [queue for queue in sorted(target) if queue not in self._pullers]
        taken = await self._take_on(topic, fresh) if fresh else 0
        self._share_limits(topic)
        return bool(gone or taken), taken == len(fresh)

    async def _take_on(self, topic: str, queues: list[MessageQueue]) -> int:
        """Begin with queues; return with how many."""
        locked_at = asyncio.get_running_loop().time()
        ready = [queue for queue in queues if queue not in self._leaving]
        if self.locks is not None:
            self._maybe_locked.update(ready)
            locked = await self.locks.lock(ready)
            self._maybe_locked.difference_update(q for q in ready if locked.get(q) is False)
            ready = [queue for queue in ready if locked.get(queue)]
        results = await asyncio.gather(
            *(self._start_offset(queue) for queue in ready), return_exceptions=True
        )
        taken = 0
        for queue, offset in zip(ready, results, strict=True):
            if isinstance(offset, PocketMQError):
                _log.warning("queue not begun queue=%s: %s", queue, offset)
            elif isinstance(offset, BaseException):
                raise offset
            elif queue not in self._pullers and topic in self._session.subscriptions:
                start, is_stored = offset
                held = self._begin(queue, start)
                held.committed_offset = start if is_stored else -1
                self._maybe_locked.discard(queue)
                held.locked_at = locked_at if self.locks is not None else None
                taken += 1
        return taken

    async def _start_offset(self, queue: MessageQueue) -> tuple[int, bool]:
        """Where to begin, and whether that is what the store says."""
        known = await self._store.read(queue)
        if known is not None and known >= 0:
            return known, True
        return await self.first_offset(queue), False

    async def first_offset(self, queue: MessageQueue) -> int:
        """Where a group without a position starts. Retries are never skipped."""
        session = self._session
        calls, address = session.instance.calls, self.address(queue)
        if is_retry_topic(queue.topic) or session.start_from == "first":
            return await calls.min_offset(address, queue)
        if session.start_from == "last":
            return await calls.max_offset(address, queue)
        return await calls.offset_at(address, queue, start_ms(session.start_from))

    def address(self, queue: MessageQueue) -> str:
        """The address to ask about a queue. Raise ClientError when it is unknown."""
        address = self._session.address_of(queue)
        if address is None:
            raise ClientError(f"no address of broker {queue.broker_name} is known for {queue}")
        return address

    def _begin(self, queue: MessageQueue, offset: int) -> ProcessQueue:
        session = self._session
        instance = session.instance
        held = ProcessQueue(
            queue,
            session.subscriptions[queue.topic],
            offset,
            session.options.limits(1, ordered=session.ordered),
        )
        if queue.topic in self._paused_topics or queue in self._paused_queues:
            held.pause()
        self._pullers[queue] = Puller(
            instance.calls,
            session.group,
            held,
            address_of=session.address_of,
            deliver=self._deliver,
            moved=self._moved,
            forgotten=instance.heartbeats.beat,
            ready=self.locks.wait_until_held if self.locks is not None else None,
            prepare=self._prepare,
            messages_max=session.options.pull_messages_max,
            bytes_max=session.options.pull_bytes_max,
            wait_ms=session.options.poll_timeout_ms,
        )
        return held

    def _prepare(self, held: ProcessQueue, messages: list[ReceivedMessage]) -> None:
        session = self._session
        present(messages, held.queue.topic, session.instance.config.namespace, session.codecs)

    def _share_limits(self, topic: str) -> None:
        mine = [held for held in self.held() if held.queue.topic == topic]
        for held in mine:
            held.limits = self._session.options.limits(len(mine), ordered=self._session.ordered)

    # -- giving back ------------------------------------------------------------------------

    def _give_back(self, queue: MessageQueue) -> None:
        puller = self._pullers.pop(queue)
        self._drop(puller.held)
        self._leaving.add(queue)
        self._spawn(self._leave(puller))

    def _drop(self, held: ProcessQueue) -> None:
        held.drop()
        if self._dropped is not None:
            self._dropped(held)

    async def _leave(self, puller: Puller) -> None:
        """Commit a queue's position once nothing of it is being handled, and unlock it."""
        held = puller.held
        try:
            await puller.stop()
            idle = self._idle(held) if self._idle is not None else None
            if idle is not None and self.locks is not None:
                # Another consumer must not begin before the message in hand is finished.
                await asyncio.wait([idle], timeout=self._session.options.stop_timeout_ms / 1000)
            # The next owner may have begun: what is committed already must not be said again.
            if self._session.commits_on_leave and held.commit_offset != held.committed_offset:
                await self._commit({held.queue: held.commit_offset})
        except PocketMQError as error:
            _log.warning("position not committed queue=%s: %s", held.queue, error)
        if self.locks is not None:
            await self._unlock(self.locks, held.queue)
        self._leaving.discard(held.queue)

    def _give_up_lock(self, queue: MessageQueue) -> None:
        self._maybe_locked.discard(queue)
        if self.locks is not None:
            self._leaving.add(queue)
            self._spawn(self._unlock_only(self.locks, queue))

    async def _unlock_only(self, locks: QueueLocks, queue: MessageQueue) -> None:
        await self._unlock(locks, queue)
        self._leaving.discard(queue)

    async def _unlock(self, locks: QueueLocks, queue: MessageQueue) -> None:
        """Unlock a queue, however often that takes: nobody else can have it before."""
        now = asyncio.get_running_loop().time
        deadline = now() + LOCK_EXPIRES_SECONDS
        while not await locks.unlock(queue) and now() < deadline:
            if self._closing is not None and now() >= self._closing:
                return
            await asyncio.sleep(UNLOCK_AGAIN_SECONDS)

    def _spawn(self, job: object) -> None:
        task = asyncio.ensure_future(job)  # type: ignore[call-overload]
        self._jobs.add(task)
        task.add_done_callback(self._jobs.discard)

    async def settle(self) -> None:
        """Return when no queue is on its way out."""
        while self._jobs:
            await asyncio.wait(self._jobs)

    async def close(self) -> None:
        """Give back everything."""
        now = asyncio.get_running_loop().time()
        self._closing = now + self._session.options.stop_timeout_ms / 1000
        for queue in list(self._pullers):
            self._give_back(queue)
        for queue in list(self._maybe_locked):
            self._give_up_lock(queue)
        await self.settle()

    def stop_pulling(self) -> None:
        """Pull no more of anything; what is held may still be finished and committed."""
        for puller in self._pullers.values():
            puller.task.cancel()

    # -- positions --------------------------------------------------------------------------

    def commit_offsets(self) -> dict[MessageQueue, int]:
        """What would be committed now, of every queue."""
        return {held.queue: held.commit_offset for held in self.held()}

    async def commit(self, *, wait: bool = False) -> None:
        """Commit the positions that have changed. With `wait`, errors are raised."""
        changed = {
            held.queue: held.commit_offset
            for held in self.held()
            if wait or held.commit_offset != held.committed_offset
        }
        if not changed:
            return
        try:
            await self._commit(changed)
        except PocketMQError:
            if wait:
                raise
            return  # logged by the store, and tried again the next time
        for queue, offset in changed.items():
            held = self.get(queue)
            if held is not None:
                held.committed_offset = offset

    async def _commit(self, offsets: Mapping[MessageQueue, int]) -> None:
        # One at a time, each waited for: a broker may serve two commits in any order.
        async with self._committing:
            await self._store.commit(dict(offsets), wait=True)

    def _moved(self, held: ProcessQueue, offset: int) -> None:
        if self._pullers.get(held.queue) is None or held.dropped:
            return
        _log.info(
            "position moved group=%s queue=%s from=%d to=%d",
            self._session.group,
            held.queue,
            held.pulled_to,
            offset,
        )
        self._restart(held, offset)

    def _restart(self, held: ProcessQueue, offset: int) -> None:
        """Drop what is held of a queue and go on at another position."""
        queue = held.queue
        old = self._pullers.pop(queue)
        self._drop(held)
        if old.task is not asyncio.current_task():
            old.task.cancel()
        fresh = self._begin(queue, offset)
        fresh.locked_at = held.locked_at
        fresh.limits = held.limits

    async def seek(self, offsets: Mapping[MessageQueue, int]) -> None:
        """Go on at these positions and commit them. Queues that are not ours are committed only."""
        for queue, offset in offsets.items():
            held = self.get(queue)
            if held is not None:
                self._restart(held, offset)
        await self._commit(offsets)

    # -- pausing ----------------------------------------------------------------------------

    def pause(self, topic: str = "", queues: Iterable[MessageQueue] = ()) -> None:
        """Pull no more of a topic, of some queues, or of anything; also not after a rebalance."""
        chosen = list(queues)
        self._paused_queues.update(chosen)
        if not chosen:
            self._paused_topics.update([topic] if topic else self._session.subscriptions)
        for held in self.held():
            if held.queue.topic in self._paused_topics or held.queue in self._paused_queues:
                held.pause()

    def resume(self, topic: str = "", queues: Iterable[MessageQueue] = ()) -> None:
        """Pull again."""
        chosen = list(queues)
        self._paused_queues.difference_update(chosen)
        if not chosen:
            self._paused_topics.difference_update([topic] if topic else list(self._paused_topics))
            self._paused_queues = {
                queue for queue in self._paused_queues if topic and queue.topic != topic
            }
        for held in self.held():
            if held.queue.topic in self._paused_topics or held.queue in self._paused_queues:
                continue
            held.resume()

    @property
    def paused(self) -> list[MessageQueue]:
        """The assigned queues that are paused."""
        return sorted(held.queue for held in self.held() if held.paused)


def present(
    messages: Iterable[ReceivedMessage], topic: str, namespace: str, codecs: Codecs | None = None
) -> None:
    """Give messages stored under a topic the one that users know: the original one of a retry,
    and none with a namespace. Give them the consumer's codecs."""
    if codecs is not None:
        for message in messages:
            message.codecs = codecs
    if is_retry_topic(topic):
        for message in messages:
            origin = message.properties.get(names.RETRY_TOPIC)
            if origin:
                message.topic = without_namespace(origin, namespace)
    elif namespace:
        plain = without_namespace(topic, namespace)
        for message in messages:
            message.topic = plain


def _error(task: asyncio.Task[None]) -> BaseException | None:
    return None if task.cancelled() else task.exception()
