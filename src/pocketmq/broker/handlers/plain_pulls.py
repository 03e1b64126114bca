"""Plain pulls, all that come in a turn together.

Consumers ask for the same again and again: the same group, queue and tags, at another offset. Where
the leaf `pull_lanes` is compiled, a pull of a kind that `PullHandler` has answered before goes from
its frame to the socket without a Python object, its records straight from the log's pages. Pulls
that find nothing, or anything out of the ordinary, take the way through `PullHandler`, which is the
meaning of all this.

A *lane* is one kind of pull of one queue. The leaf notes what a lane answered in what the tables
of offsets and statistics keep for its group and topic. Lanes are closed when any topic or group
changes, before these are removed; the next pull of their kind asks the gate again.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from pocketmq import _speedups
from pocketmq.broker.config import PullConfig
from pocketmq.broker.state.groups import GroupTable
from pocketmq.broker.state.offsets import OffsetTable
from pocketmq.broker.state.statistics import Statistics
from pocketmq.broker.state.topics import TopicTable
from pocketmq.net.turns import TurnTransport
from pocketmq.protocol.command import WIRE_VERSION
from pocketmq.protocol.framing import PullFields
from pocketmq.store import MessageStore
from pocketmq.store.reader import RECENT_ENTRIES, Accept

LANES_MAX: Final = 10_000

_HAS_LEAF: Final = _speedups.has("pull_lanes")

if _HAS_LEAF or TYPE_CHECKING:
    from pocketmq._speedups.arrivals import Arrivals as Arrivals
    from pocketmq._speedups.pull_lanes import PullLane as PullLane
    from pocketmq._speedups.pull_lanes import PullLanes as PullLanes
    from pocketmq._speedups.pull_lanes import lane_key as lane_key


class PlainPulls:
    """The lanes of pulls, and what is told of those they serve. Without the leaf there are none."""

    def __init__(
        self,
        store: MessageStore,
        topics: TopicTable,
        groups: GroupTable,
        offsets: OffsetTable,
        statistics: Statistics,
        config: PullConfig,
        *,
        frame_bytes_max: int,
        broker_id: int,
    ) -> None:
        self._offsets = offsets
        self._statistics = statistics
        self.by_key: dict[bytes, PullLane] = {}
        self.available = _HAS_LEAF
        if _HAS_LEAF:
            reader = store.reader
            self._leaf = PullLanes(
                self.by_key,
                reader.reach,
                reader.place,
                (config.count_max, *reader.bounds),
                RECENT_ENTRIES,
                reader.entries_max,
                frame_bytes_max,
                broker_id,
                WIRE_VERSION,
            )
        topics.changes.listen(self._close)
        groups.changes.listen(self._close)

    def open(
        self,
        code: int,
        fields: PullFields,
        tag_hashes: frozenset[int] | None,
        accept: Accept | None,
    ) -> None:
        """Let pulls like this one, which was admitted and answered, pass from now on."""
        if not _HAS_LEAF:
            return
        group, topic, queue_id = fields[0], fields[1], fields[2]
        key = lane_key(code, queue_id, group, topic, fields[8], fields[10])
        if key in self.by_key:
            return
        if len(self.by_key) >= LANES_MAX:
            self.by_key.clear()
        self.by_key[key] = PullLane(
            group,
            topic,
            queue_id,
            tag_hashes,
            accept,
            self._offsets.places(group, topic),
            self._statistics.pair_counter(group, topic),
        )

    def take_turn(self, arrivals: Arrivals[TurnTransport]) -> None:
        """Answer the plain pulls among what is left of a turn."""
        offsets = self._offsets
        if not self.by_key or offsets.has_resets:
            return
        served = self._leaf.take_turn(arrivals)
        if served is None:
            return
        pulls, messages, size, committing = served
        self._statistics.got(messages, size, pulls)
        for lane in committing:
            offsets.commit(lane.group, lane.topic, lane.queue_id, lane.commit_offset)

    def _close(self, names: Iterable[str]) -> None:
        self.by_key.clear()
