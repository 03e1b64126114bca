"""Plain sends, a whole read at a time.

Of the sends of a busy broker nearly all are plain: request 310 with a unique key, to a topic and a
queue that are open, with properties to be stored as they came. Where the leaf `sends` is compiled,
the run of plain sends at the beginning of a read goes from frame to record to answer without a
Python object for any of them; elsewhere usual_sends.py does it for those in a usual JSON header.
The first frame that is not plain, and all behind it, take the way through `SendHandler`, which
stores plain sends too and is the meaning of all this.

What is decided about a topic is decided here, ahead of its messages: it has a *lane* or it has
none. Lanes are closed when any topic changes; the next send asks the gate again.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from pocketmq import _speedups
from pocketmq.broker.services.dispatch import DispatchService
from pocketmq.broker.services.flush import FlushService
from pocketmq.broker.state.counters import Counter
from pocketmq.message.properties import encode_properties
from pocketmq.net import Connection
from pocketmq.net.rounds import Read, Take
from pocketmq.net.turns import TakeTurn, TurnTransport
from pocketmq.protocol.command import WIRE_VERSION
from pocketmq.protocol.framing import encode_frame, frame_to_command, parse_frames
from pocketmq.protocol.replies import SendReplies
from pocketmq.store import MessageStore

_HAS_LEAF: Final = _speedups.has("sends")

if _HAS_LEAF or TYPE_CHECKING:
    from pocketmq._speedups.arrivals import Arrivals as Arrivals
    from pocketmq._speedups.sends import Lane as Lane
    from pocketmq._speedups.sends import PlainSends as PlainSends
if not _HAS_LEAF or TYPE_CHECKING:
    from pocketmq.broker.handlers.usual_sends import UsualLane as UsualLane
    from pocketmq.broker.handlers.usual_sends import UsualSends as UsualSends


class Lanes:
    """The open topics as the leaf, or its twin, wants them."""

    def __init__(self, store: MessageStore) -> None:
        self._store = store
        self.by_name: dict[bytes, Any] = {}

    def open(self, name: str, queue_count: int, counter: Counter) -> None:
        """Let plain sends to this topic pass."""
        topic = self._store.topic_queues(name)
        make = Lane if _HAS_LEAF else UsualLane
        self.by_name[topic.name_bytes] = make(
            queue_count, topic.magic, topic.name_bytes, topic.next_offsets, counter
        )

    def close(self) -> None:
        """Let none pass until topics are opened again."""
        self.by_name.clear()


class PlainSendHandler:
    """Takes plain sends out of what comes. `take_turn` is None without the leaf, and both are where
    each record needs a checksum of its properties.

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
        if not store.appends_directly:
            return
        suffix = encode_properties(own).encode()
        take = self._take_singly if _HAS_LEAF else self._take
        self.take = partial(self._take_durably, take) if flush.is_sync else take
        if not _HAS_LEAF:
            self._write = UsualSends(
                lanes.by_name,
                replies.store_host,
                suffix,
                replies.tails[0],
                WIRE_VERSION,
                flush.is_sync,
                frame_bytes_max,
                store.note,
            ).take
            return
        leaf = PlainSends(
            lanes.by_name,
            replies.store_host,
            suffix,
            *replies.tails,
            WIRE_VERSION,
            flush.is_sync,
            frame_bytes_max,
        )
        self._write_one = leaf.take
        self._write_turn = leaf.take_turn
        self.take_turn = self._take_turn_durably if flush.is_sync else self._take_turn

    def _take(self, reads: Sequence[Read]) -> None:
        """Serve the plain sends at the beginning of each of these reads."""
        if self._append(self._write, reads, b"", b"")[1] and not self._dispatch.is_scheduled:
            self._dispatch.wake()

    def _take_singly(self, reads: Sequence[Read]) -> None:
        """As `_take`, for the leaf, which reads bytes."""
        for read in reads:
            read.taken, read.frames, read.answers = self._append(
                self._write_one, read.data, read.connection.peer_packed, b""
            )
            if read.frames and not self._dispatch.is_scheduled:
                self._dispatch.wake()

    def _take_turn(self, arrivals: Arrivals[TurnTransport]) -> None:
        """Serve the plain sends at the beginning of each of these reads."""
        _, count, _ = self._append(self._write_turn, arrivals, b"", b"")
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

    def _take_durably(self, take: Take, reads: Sequence[Read]) -> None:
        """As `take` does; the answers wait for the disk."""
        if self._flush.is_full:
            return
        take(reads)
        for read in reads:
            if read.answers:
                self._flush.hold_many(read.frames, read.connection, with_code, read.answers)
                read.answers = b""


def with_code(answers: bytes, code: int) -> bytes:
    """Return encoded answers with another response code."""
    if code == 0:
        return answers
    frames, _ = parse_frames(answers)
    commands = [frame_to_command(answers, frame) for frame in frames]
    for command in commands:
        command.code = code
    return b"".join(map(encode_frame, commands))
