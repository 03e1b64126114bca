"""Positions of groups: set back, set forward, copied."""

from __future__ import annotations

from dataclasses import dataclass

from pocketmq.admin.clusters import Broker, Clusters
from pocketmq.client.calls import Calls
from pocketmq.protocol.bodies.offsets import QueueOffsets
from pocketmq.protocol.codes import RequestCode
from pocketmq.protocol.requests.offsets import ResetOffsetRequest

TO_THE_END = -1


@dataclass(frozen=True, slots=True)
class ResetQueue:
    """Where a group goes on in one queue."""

    broker: str
    queue_id: int
    offset: int


class Offsets:
    """What an operator does with positions."""

    def __init__(self, calls: Calls, clusters: Clusters) -> None:
        self._calls = calls
        self._clusters = clusters

    async def reset(
        self, group: str, topic: str, to_ms: int, *, force: bool = True
    ) -> list[ResetQueue]:
        """Let a group go on at the first message stored at or after a moment, in every queue.

        `TO_THE_END` skips all there is. Without `force` it is never set forward.
        """

        async def ask(broker: Broker) -> QueueOffsets:
            request = ResetOffsetRequest(group, topic, timestamp=to_ms, is_force=force)
            code = RequestCode.INVOKE_BROKER_TO_RESET_OFFSET
            answer = await self._calls.ask(broker.address, code, request)
            return QueueOffsets.from_json(bytes(answer.body))

        masters = await self._clusters.masters_of_topic(topic)
        found = [
            ResetQueue(broker.name, queue.queue_id, offset)
            for broker, reset in await self._clusters.each(masters, ask)
            for queue, offset in reset.offset_table.items()
        ]
        return sorted(found, key=lambda queue: (queue.broker, queue.queue_id))
