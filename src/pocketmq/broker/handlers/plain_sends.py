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

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from pocketmq import _speedups
from pocketmq.broker.services.dispatch import DispatchService
from pocketmq.broker.services.flush import FlushService
from pocketmq.broker.state.counters import Counter
from pocketmq.message.properties import encode_properties
from pocketmq.net import Connection
from pocketmq.protocol.command import WIRE_VERSION
from pocketmq.protocol.framing import encode_frame, frame_to_command, parse_frames
from pocketmq.protocol.replies import SendReplies
from pocketmq.store import MessageStore

Taken = tuple[int, bytes | None]
Take = Callable[[Connection, bytes], Taken]

_NOTHING: Final[Taken] = (0, None)
_HAS_LEAF: Final = _speedups.has("sends")

if _HAS_LEAF or TYPE_CHECKING:
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


def plain_sends(
    lanes: Lanes,
    store: MessageStore,
    dispatch: DispatchService,
    flush: FlushService,
    replies: SendReplies,
    own: dict[str, str],
    frame_bytes_max: int,
) -> Take | None:
    """Return what takes the plain sends at the beginning of a read; None without the leaf.

    `own` are the properties this broker adds to each message. The result of a call is how many
    bytes were taken and the answers to write, if any.
    """
    if not _HAS_LEAF or not store.appends_directly:
        return None
    suffix = encode_properties(own).encode()
    leaf = PlainSends(
        lanes.by_name,
        replies.store_host,
        suffix,
        *replies.tails,
        WIRE_VERSION,
        flush.is_sync,
        frame_bytes_max,
    )
    append, write = store.append_directly, leaf.take
    is_sync = flush.is_sync

    def take(connection: Connection, data: bytes) -> Taken:
        if is_sync and flush.is_full:
            return _NOTHING
        position, count, answers = append(write, data, connection.peer_packed)
        if not position:
            return _NOTHING
        if not dispatch.is_scheduled:
            dispatch.wake()
        if is_sync and answers:
            flush.hold_many(count, connection, with_code, answers)
            return position, None
        return position, answers

    return take


def with_code(answers: bytes, code: int) -> bytes:
    """Return encoded answers with another response code."""
    if code == 0:
        return answers
    frames, _ = parse_frames(answers)
    commands = [frame_to_command(answers, frame) for frame in frames]
    for command in commands:
        command.code = code
    return b"".join(map(encode_frame, commands))
