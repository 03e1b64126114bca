"""Ordered pops: a queue gives a group nothing more until what it popped is acknowledged.

No check point is stored for them. The group's offset stays at the first message that is not
acknowledged, and `state/ordered_pops.py` remembers what is out.
"""

from __future__ import annotations

from collections.abc import Sequence

from pocketmq.broker.services.pop_poll import PopPollService
from pocketmq.broker.state.offsets import OffsetTable
from pocketmq.broker.state.ordered_pops import OrderTable, held, order_count_info
from pocketmq.clock import Clock
from pocketmq.errors import Refused
from pocketmq.protocol.codes import ResponseCode


class OrderedPops:
    """Takes, acknowledges and hides messages of ordered pops."""

    def __init__(
        self, orders: OrderTable, offsets: OffsetTable, poll: PopPollService, clock: Clock
    ) -> None:
        self._orders = orders
        self._offsets = offsets
        self._poll = poll
        self._clock = clock

    def is_blocked(self, group: str, topic: str, queue_id: int, attempt_id: str | None) -> bool:
        """Whether a pop has to wait for acks. The same attempt, sent again, has not."""
        out = self._orders.find(topic, group, queue_id)
        return out is not None and out.blocks(attempt_id, self._clock.now_ms())

    def take(
        self,
        group: str,
        topic: str,
        queue_id: int,
        offsets: Sequence[int],
        pop_time_ms: int,
        invisible_ms: int,
        attempt_id: str | None,
    ) -> str:
        """Messages are handed out; return how often each was before, for the answer."""
        out = held(offsets, pop_time_ms, invisible_ms, attempt_id)
        self._orders.popped(topic, group, queue_id, out)
        self._offsets.commit(group, topic, queue_id, offsets[0])
        return order_count_info(0, queue_id, out)

    def acknowledge(
        self, group: str, topic: str, queue_id: int, offset: int, pop_time_ms: int
    ) -> None:
        """A message is done with. An ack of an older pop changes nothing. Raise Refused."""
        if offset < (self._offsets.query(group, topic, queue_id) or 0):
            return
        out = self._orders.find(topic, group, queue_id)
        if out is None:
            self._offsets.commit(group, topic, queue_id, offset + 1)
            return
        if out.pop_time_ms != pop_time_ms:
            return
        at = self._orders.acknowledge(out, offset)
        if at is None:
            raise Refused(
                ResponseCode.MESSAGE_ILLEGAL, f"offset {offset} is not of the queue's last pop"
            )
        self._offsets.commit(group, topic, queue_id, at)
        if not out.blocks(None, self._clock.now_ms()):
            self._poll.wake(group, topic)

    def hide(
        self, group: str, topic: str, queue_id: int, offset: int, pop_time_ms: int, until_ms: int
    ) -> bool:
        """A message is to be seen again at another moment. False: that pop is over."""
        out = self._orders.find(topic, group, queue_id)
        committed = self._offsets.query(group, topic, queue_id) or 0
        if out is None or offset < committed or out.pop_time_ms != pop_time_ms:
            return False
        self._orders.hide(out, offset, until_ms)
        return True

    def forget(self, group: str, topic: str, queue_id: int) -> None:
        """The group goes on elsewhere in a queue."""
        self._orders.forget_queue(topic, group, queue_id)
