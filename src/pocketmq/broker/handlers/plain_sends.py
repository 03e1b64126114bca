"""Plain sends, a whole read at a time.

Of the sends of a busy broker nearly all are plain: request 310 with a unique key, to a topic and a
queue that are open, with properties to be stored as they came. Where the leaf `sends` is compiled,
the run of plain sends at the beginning of a read goes from frame to record to answer without a
Python object for any of them. The first frame that is not plain, and all behind it, take the way
through `SendHandler`, which stores plain sends too and is the meaning of all this.

What is decided about a topic is decided here, ahead of its messages: it has a *lane* or it has
none. Lanes are closed when any topic changes; the next send asks the gate again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pocketmq import _speedups
from pocketmq.broker.services.dispatch import DispatchService
from pocketmq.broker.services.flush import FlushService
from pocketmq.broker.state.counters import Counter
from pocketmq.message.properties import encode_properties
from pocketmq.net import Connection
from pocketmq.net.connection import Take
from pocketmq.net.turns import TakeTurn, TurnTransport
from pocketmq.protocol.command import WIRE_VERSION
from pocketmq.protocol.framing import encode_frame, frame_to_command, parse_frames
from pocketmq.protocol.replies import SendReplies
from pocketmq.store import MessageStore

Taken = tuple[int, "bytes | None"]

_HAS_LEAF: Final = _speedups.has("sends")

if _HAS_LEAF or TYPE_CHECKING:
    from pocketmq._speedups.arrivals import Arrivals as Arrivals
    from pocketmq._speedups.sends import Lane as Lane
    from pocketmq._speedups.sends import PlainSends as PlainSends


class Lanes:
    """The open topics as the leaf wants them; without the leaf there are none."""

    def __init__(self, store: MessageStore) -> None:
        self._store = store
        self.by_name: dict[bytes, Lane] = {}

    def open(self, name: str, queue_count: int, counter: Counter) -> None:
        """Let plain sends to this topic pass."""
        if not _HAS_LEAF:
            return
        topic = self._store.topic_queues(name)
        self.by_name[topic.name_bytes] = Lane(
            queue_count, topic.magic, topic.name_bytes, topic.next_offsets, counter
        )

    def close(self) -> None:
        """Let none pass until topics are opened again."""
        self.by_name.clear()


class PlainSendHandler:
    """Takes plain sends out of what comes. `take` and `take_turn` are None without the leaf.

    `own` are the properties this broker adds to each message.
    """

    def __init__(
        self,
        lanes: Lanes,
        store: MessageStore,
        dispatch: DispatchService,
        flush: FlushService,
        replies: SendReplies,
        own: dict[str, str],
        frame_bytes_max: int,
    ) -> None:
        self._append = store.append_directly
        self._dispatch = dispatch
        self._flush = flush
        self.take: Take | None = None
        self.take_turn: TakeTurn | None = None
        if not _HAS_LEAF or not store.appends_directly:
            return
        self._leaf = PlainSends(
            lanes.by_name,
            replies.store_host,
            encode_properties(own).encode(),
            *replies.tails,
            WIRE_VERSION,
            flush.is_sync,
            frame_bytes_max,
        )
        if flush.is_sync:
            self.take = self._take_durably
            self.take_turn = self._take_turn_durably
        else:
            self.take = self._take
            self.take_turn = self._take_turn

    def _take(self, connection: Connection, data: bytes) -> Taken:
        """Serve the plain sends at the beginning of a read."""
        position, _, answers = self._append(self._leaf.take, data, connection.peer_packed, b"")
        if position and not self._dispatch.is_scheduled:
            self._dispatch.wake()
        return position, answers

    def _take_turn(self, arrivals: Arrivals[TurnTransport]) -> None:
        """Serve the plain sends at the beginning of each of these reads."""
        _, count, _ = self._append(self._leaf.take_turn, arrivals, b"", b"")
        if count and not self._dispatch.is_scheduled:
            self._dispatch.wake()

    def _take_turn_durably(self, arrivals: Arrivals[TurnTransport]) -> None:
        """As `_take_turn`; the answers wait for the disk."""
        if self._flush.is_full:
            return
        self._take_turn(arrivals)
        for transport, count, answers in arrivals.take_answers():
            connection = transport.get_protocol()
            assert isinstance(connection, Connection), "only connections have lanes"
            self._flush.hold_many(count, connection, with_code, answers)

    def _take_durably(self, connection: Connection, data: bytes) -> Taken:
        """As `_take`; the answers wait for the disk."""
        if self._flush.is_full:
            return 0, None
        position, count, answers = self._append(self._leaf.take, data, connection.peer_packed, b"")
        if position:
            if not self._dispatch.is_scheduled:
                self._dispatch.wake()
            if answers:
                self._flush.hold_many(count, connection, with_code, answers)
        return position, None


def with_code(answers: bytes, code: int) -> bytes:
    """Return encoded answers with another response code."""
    if code == 0:
        return answers
    frames, _ = parse_frames(answers)
    commands = [frame_to_command(answers, frame) for frame in frames]
    for command in commands:
        command.code = code
    return b"".join(map(encode_frame, commands))
