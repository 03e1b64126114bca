"""How far groups are: offsets, queue ends and store times put together."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

from pocketmq.broker.state.clients import ClientTable
from pocketmq.broker.state.offsets import OffsetTable
from pocketmq.protocol.bodies.queues import MessageQueue
from pocketmq.protocol.bodies.stats import GroupOffset
from pocketmq.store import MessageStore, all_of


class Progress:
    """Looks at the tables and the store together."""

    def __init__(
        self, broker_name: str, offsets: OffsetTable, clients: ClientTable, store: MessageStore
    ) -> None:
        self._broker_name = broker_name
        self._offsets = offsets
        self._clients = clients
        self.store = store

    def queue(self, topic: str, queue_id: int) -> MessageQueue:
        """A queue of this broker."""
        return MessageQueue(topic, self._broker_name, queue_id)

    def topics_of(self, group: str, topic: str = "") -> list[str]:
        """`topic`, or all that a group has offsets in; of these, while members are connected,
        only what the group is subscribed to."""
        names = [topic] if topic else self._offsets.topics_of(group)
        members = self._clients.consumer_group(group)
        if members is None or not members.subscriptions:
            return names
        return [name for name in names if name in members.subscriptions]

    def committed(self, group: str, topic: str, queue_id: int) -> int:
        """The offset a group committed in a queue, 0 when it has not."""
        return max(self._offsets.query(group, topic, queue_id) or 0, 0)

    def of(
        self, group: str, topic: str, queue_ids: Iterable[int]
    ) -> dict[MessageQueue, GroupOffset]:
        """How far a group is in these queues of a topic. Raise NotInMemory."""
        queues = [(self.queue(topic, number), number) for number in queue_ids]
        offsets = all_of(partial(self._of_queue, group, topic, number) for _, number in queues)
        return {queue: found for (queue, _), found in zip(queues, offsets, strict=True)}

    def _of_queue(self, group: str, topic: str, queue_id: int) -> GroupOffset:
        _, end = self.store.queue_offsets(topic, queue_id)
        committed = self.committed(group, topic, queue_id)
        pulled = self._offsets.pulled(group, topic, queue_id) or 0
        stored_ms = 0
        if committed:
            stored_ms = self.store.in_memory.store_time_of(topic, queue_id, committed - 1)
        return GroupOffset(end, committed, max(committed, pulled), max(stored_ms, 0))
