"""Positions of groups: set back, set forward, copied."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from pocketmq.admin.clusters import Broker, Clusters
from pocketmq.admin.groups import Groups
from pocketmq.client.calls import Calls
from pocketmq.errors import BrokerRefused, ConfigError
from pocketmq.message.positions import QueueOffset
from pocketmq.message.topics import retry_topic
from pocketmq.protocol.bodies.offsets import QueueOffsets
from pocketmq.protocol.bodies.queues import MessageQueue
from pocketmq.protocol.codes import RequestCode, ResponseCode
from pocketmq.protocol.fields import decode_fields
from pocketmq.protocol.requests.offsets import (
    OffsetReply,
    QueryOffsetRequest,
    ResetOffsetRequest,
)

TO_THE_END = -1
VERSION_RESETS_BY_ITSELF: Final = 433  # 5.1.0
_OR_NONE: Final = frozenset((ResponseCode.SUCCESS, ResponseCode.QUERY_NOT_FOUND))


@dataclass(frozen=True, slots=True)
class ResetQueue:
    """Where a group goes on in one queue."""

    broker: str
    queue_id: int
    offset: int
    topic: str = ""


class Offsets:
    """What an operator does with positions."""

    def __init__(self, calls: Calls, clusters: Clusters, groups: Groups) -> None:
        self._calls = calls
        self._clusters = clusters
        self._groups = groups

    async def reset(
        self, group: str, topic: str, to_ms: int, *, force: bool = True
    ) -> list[ResetQueue]:
        """Let a group go on at the first message stored at or after a moment, in every queue.

        `TO_THE_END` skips all there is. Without `force` it is never set forward.
        """

        async def ask(broker: Broker) -> list[ResetQueue]:
            request = ResetOffsetRequest(group, topic, timestamp=to_ms, is_force=force)
            try:
                return await self._tell(broker, request)
            except BrokerRefused as error:
                if error.code != ResponseCode.CONSUMER_NOT_ONLINE:
                    raise
                # Brokers before 5.1 leave the work to connected consumers; here there are none.
                return await self._reset_offline(broker, request)

        masters = await self._clusters.masters_of_topic(topic)
        return _sorted(await self._clusters.each(masters, ask))

    async def skip(self, group: str, topic: str) -> list[ResetQueue]:
        """Let a group forget what it has not consumed, and go on with what comes from now on."""
        return await self.reset(group, topic, TO_THE_END)

    async def set(
        self, group: str, topic: str, broker_name: str, queue_id: int, offset: int
    ) -> ResetQueue:
        """Let a group go on at an offset of one queue. Raise ConfigError outside the queue."""
        for broker in await self._clusters.masters_of_topic(topic):
            if broker.name == broker_name:
                break
        else:
            raise ConfigError(f"{topic} has no queue on {broker_name!r}; see `topic show {topic}`")
        queue = MessageQueue(topic, broker_name, queue_id)
        first = await self._calls.min_offset(broker.address, queue)
        end = await self._calls.max_offset(broker.address, queue)
        if not first <= offset <= end:
            raise ConfigError(
                f"queue {queue_id} of {topic} on {broker_name} holds {first} to {end}, "
                f"so {offset} is outside of it"
            )
        if not await self._resets_by_itself(broker):
            await self._check_offline(group)
        await self._put(broker, group, queue, offset)
        return ResetQueue(broker_name, queue_id, offset, topic)

    async def clone(self, source: str, target: str, topic: str | None = None) -> list[ResetQueue]:
        """Let one group go on where another is, in one topic or in all of that one's.

        Raise ConfigError while the target has members, as they would overwrite it, and when the
        source has no position to copy.
        """
        await self._check_offline(target)
        brokers = {one.name: one for one in await self._clusters.masters()}
        copied = []
        for known in await self._groups.progress(source, topic):
            if known.topic == retry_topic(source):
                continue
            queue = MessageQueue(known.topic, known.broker, known.queue_id)
            broker = brokers[known.broker]
            offset = await self._committed(broker.address, source, queue)
            if offset is not None:
                await self._put(broker, target, queue, offset)
                copied.append(ResetQueue(known.broker, known.queue_id, offset, known.topic))
        if not copied:
            place = f" in {topic}" if topic else ""
            raise ConfigError(f"group {source!r} has no offsets{place} that could be copied")
        return copied

    # -- inside -----------------------------------------------------------------------------

    async def _check_offline(self, group: str) -> None:
        members = await self._groups.members(group)
        if members:
            raise ConfigError(
                f"group {group!r} has {len(members)} connected consumers, which would overwrite "
                f"its offsets; stop them first: {', '.join(one.client_id for one in members[:5])}"
            )

    async def _resets_by_itself(self, broker: Broker) -> bool:
        """Whether a broker resets offsets itself; older ones leave it to connected consumers."""
        version = (await self._clusters.runtime(broker)).get("brokerVersion", "")
        return version.isdigit() and int(version) >= VERSION_RESETS_BY_ITSELF

    async def _put(self, broker: Broker, group: str, queue: MessageQueue, offset: int) -> None:
        """Let a group go on at an offset of a queue, also where an earlier reset still waits."""
        if await self._resets_by_itself(broker):
            at = QueueOffset(offset)
            request = ResetOffsetRequest(group, queue.topic, queue.queue_id, at, is_force=True)
            try:
                await self._tell(broker, request)
            except BrokerRefused as error:
                if error.code != ResponseCode.CONSUMER_NOT_ONLINE:
                    raise
            else:
                return
        await self._calls.commit_offset(broker.address, group, queue, offset, wait=True)

    async def _committed(self, address: str, group: str, queue: MessageQueue) -> int | None:
        """A group's offset, and None where it has none; brokers would say 0 for that."""
        request = QueryOffsetRequest(group, queue.topic, queue.queue_id, False)
        code = RequestCode.QUERY_CONSUMER_OFFSET
        answer = await self._calls.ask(address, code, request, accept=_OR_NONE)
        if answer.code != ResponseCode.SUCCESS:
            return None
        return decode_fields(OffsetReply, answer.fields).offset

    async def _tell(self, broker: Broker, request: ResetOffsetRequest) -> list[ResetQueue]:
        code = RequestCode.INVOKE_BROKER_TO_RESET_OFFSET
        answer = await self._calls.ask(broker.address, code, request)
        reset = QueueOffsets.from_json(bytes(answer.body)) if answer.body else QueueOffsets()
        return [
            ResetQueue(broker.name, queue.queue_id, offset, queue.topic)
            for queue, offset in reset.offset_table.items()
        ]

    async def _reset_offline(self, broker: Broker, request: ResetOffsetRequest) -> list[ResetQueue]:
        """Find each queue's offset and commit it in the group's name."""
        found = []
        for known in await self._groups.progress(request.group, request.topic):
            if known.broker != broker.name:
                continue
            queue = MessageQueue(known.topic, broker.name, known.queue_id)
            if request.timestamp == TO_THE_END:
                offset = known.end
            else:
                offset = await self._calls.offset_at(broker.address, queue, request.timestamp)
            if not request.is_force:
                offset = min(offset, known.consumed)
            await self._calls.commit_offset(broker.address, request.group, queue, offset, wait=True)
            found.append(ResetQueue(broker.name, queue.queue_id, offset, queue.topic))
        return found


def _sorted(answers: list[tuple[Broker, list[ResetQueue]]]) -> list[ResetQueue]:
    found = [queue for _, queues in answers for queue in queues]
    return sorted(found, key=lambda queue: (queue.broker, queue.queue_id))
