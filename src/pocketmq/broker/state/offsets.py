"""How far each consumer group is in each queue: `config/consumerOffset.json`.

    committed       topic@group -> queue -> offset; saved every few seconds
    last pulled     where the group's last pull went on; in memory only
    pending resets  where an operator wants the group to go on; in memory only. Queries answer it,
                    and commits are ignored until the group's next pull, which is told of it

A lite-pull consumer, a replica and a tool all may commit; the last one wins, backwards too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Final

from pocketmq.broker.state.saved import ChangeLog, encode_table
from pocketmq.broker.state.table_file import TableFile
from pocketmq.clock import Clock
from pocketmq.protocol.bodies.fastjson import dumps, dumps_plain
from pocketmq.protocol.bodies.offsets import ConsumerOffsets
from pocketmq.protocol.bodies.versions import DataVersion

COMMITS_PER_VERSION: Final = 500
QUEUE_ID_MAX: Final = 65_535
SEPARATOR: Final = "@"
_NOTHING: Final[Mapping[int, int]] = {}

_Key = tuple[str, str]
ResetListener = Callable[[str, str, int], None]
"""Called with group, topic and queue."""


class OffsetTable:
    """Remembers offsets by group, topic and queue. Changed on the event loop only."""

    def __init__(self, clock: Clock, *, file: TableFile | None = None) -> None:
        self._committed: dict[_Key, dict[int, int]] = {}
        self._pulled: dict[_Key, dict[int, int]] = {}
        self._resets: dict[_Key, dict[int, int]] = {}
        self._topics_of: dict[str, set[str]] = {}
        self._groups_of: dict[str, set[str]] = {}
        self._rows: dict[_Key, bytes] = {}
        self._listeners: list[ResetListener] = []
        self._commits = 0
        self.file = file
        self.changes = ChangeLog(clock)

    # -- loading and saving -----------------------------------------------------------------

    def load(self) -> None:
        """Read the file. Raise CorruptStore, OSError."""
        table = self.file.load(ConsumerOffsets.from_json) if self.file is not None else None
        if table is None:
            return
        if table.data_version is not None:
            self.changes.version = table.data_version
        for name, queues in table.offset_table.items():
            topic, separator, group = name.partition(SEPARATOR)
            if separator and topic and group:
                self._queues_of(group, topic).update(queues)

    def encode(self) -> bytes:
        """The content of the file."""
        rows = self._rows
        for key, queues in self._committed.items():
            if key not in rows:
                rows[key] = b"%b:%b" % (dumps_plain(_name(key)), dumps(queues))
        topics = {group: sorted(found) for group, found in self._topics_of.items()}
        return encode_table(
            {
                "dataVersion": self.changes.version.to_json(),
                "groupTopicMap": dumps_plain(topics),
                "offsetTable": rows.values(),
            }
        )

    # -- committed --------------------------------------------------------------------------

    def query(self, group: str, topic: str, queue_id: int) -> int | None:
        """The offset to go on from: a pending reset, else what was committed, else None."""
        key = (group, topic)
        if self._resets:
            reset = self._resets.get(key, {}).get(queue_id)
            if reset is not None:
                return reset
        queues = self._committed.get(key)
        return None if queues is None else queues.get(queue_id)

    def commit(self, group: str, topic: str, queue_id: int, offset: int) -> None:
        """Remember how far a group is. Ignored while a reset is pending."""
        if not 0 <= queue_id <= QUEUE_ID_MAX:
            return
        key = (group, topic)
        if self._resets and queue_id in self._resets.get(key, ()):
            return
        queues = self._committed.get(key)
        if queues is None:
            queues = self._queues_of(group, topic)
        elif queues.get(queue_id) == offset:
            return
        queues[queue_id] = offset
        self._rows.pop(key, None)
        self._commits += 1
        if self._commits % COMMITS_PER_VERSION == 0:
            self.changes.changed(())
        else:
            self.changes.unsaved = True

    def of(self, group: str, topic: str) -> dict[int, int]:
        """What a group committed in a topic, by queue."""
        return dict(self._committed.get((group, topic), ()))

    def topics_of(self, group: str) -> list[str]:
        """The topics that a group has committed offsets in."""
        return sorted(self._topics_of.get(group, ()))

    def groups_of(self, topic: str) -> list[str]:
        """The groups that have committed offsets in a topic."""
        return sorted(self._groups_of.get(topic, ()))

    def __iter__(self) -> Iterator[tuple[str, Mapping[int, int]]]:
        """Yield each `topic@group` and its offsets by queue."""
        for key, queues in list(self._committed.items()):
            yield _name(key), queues

    def pairs(self) -> Iterator[tuple[str, str]]:
        """Yield group and topic of all commits; nobody may commit in between."""
        yield from self._committed

    @property
    def data_version(self) -> DataVersion:
        """Changes every few hundred commits and whenever offsets are removed."""
        return self.changes.version

    def copy(self, source: str, target: str, topic: str) -> None:
        """Let one group go on in a topic where another one is."""
        for queue_id, offset in self.of(source, topic).items():
            self.commit(target, topic, queue_id, offset)

    # -- last pulled ------------------------------------------------------------------------

    def note_pull(self, group: str, topic: str, queue_id: int, next_offset: int) -> None:
        """Remember where a group's next pull will start."""
        self.places(group, topic)[queue_id] = next_offset

    def places(self, group: str, topic: str) -> dict[int, int]:
        """Where a group's next pulls will start, for who notes them again and again.

        It is valid until the group or the topic is removed.
        """
        key = (group, topic)
        queues = self._pulled.get(key)
        if queues is None:
            queues = self._pulled[key] = {}
        return queues

    def pulled(self, group: str, topic: str, queue_id: int) -> int | None:
        """Where a group's next pull will start, as far as this process has seen."""
        return self._pulled.get((group, topic), {}).get(queue_id)

    def pulled_of(self, group: str, topic: str) -> Mapping[int, int]:
        """Where a group's next pulls of a topic will start, by queue."""
        return self._pulled.get((group, topic)) or _NOTHING

    # -- resets -----------------------------------------------------------------------------

    def reset(self, group: str, topic: str, queue_id: int, offset: int) -> None:
        """Make a group go on at `offset`, whatever its consumers commit before they notice."""
        self.drop_reset(group, topic, queue_id)
        self.commit(group, topic, queue_id, offset)
        self._resets.setdefault((group, topic), {})[queue_id] = offset
        for listener in self._listeners:
            listener(group, topic, queue_id)

    def on_reset(self, listener: ResetListener) -> None:
        """Let `listener` know of each reset: who waits for new messages has others to get now."""
        self._listeners.append(listener)

    def pending_reset(self, group: str, topic: str, queue_id: int) -> int | None:
        """Where a reset wants the group to go on, or None."""
        if not self._resets:
            return None
        return self._resets.get((group, topic), {}).get(queue_id)

    @property
    def has_resets(self) -> bool:
        """Whether any group has a reset pending."""
        return bool(self._resets)

    def take_reset(self, group: str, topic: str, queue_id: int) -> int | None:
        """The pending reset, which is settled by this; None when there is none."""
        offset = self.pending_reset(group, topic, queue_id)
        if offset is not None:
            self.drop_reset(group, topic, queue_id)
        return offset

    def drop_reset(self, group: str, topic: str, queue_id: int) -> None:
        """Forget a pending reset."""
        queues = self._resets.get((group, topic))
        if queues is not None:
            queues.pop(queue_id, None)
            if not queues:
                del self._resets[(group, topic)]

    # -- removing ---------------------------------------------------------------------------

    def remove_topic(self, topic: str) -> None:
        """Forget every group's offsets in a topic."""
        groups = list(self._groups_of.get(topic, ()))
        self._remove([(group, topic) for group in groups])
        for table in (self._pulled, self._resets):
            for key in [key for key in table if key[1] == topic]:
                del table[key]

    def remove_group(self, group: str) -> None:
        """Forget a group's offsets in every topic."""
        topics = list(self._topics_of.get(group, ()))
        self._remove([(group, topic) for topic in topics])
        for table in (self._pulled, self._resets):
            for key in [key for key in table if key[0] == group]:
                del table[key]

    # -- inside -----------------------------------------------------------------------------

    def _queues_of(self, group: str, topic: str) -> dict[int, int]:
        key = (group, topic)
        queues = self._committed.get(key)
        if queues is None:
            queues = self._committed[key] = {}
            self._topics_of.setdefault(group, set()).add(topic)
            self._groups_of.setdefault(topic, set()).add(group)
        return queues

    def _remove(self, keys: list[_Key]) -> None:
        for key in keys:
            group, topic = key
            del self._committed[key]
            self._rows.pop(key, None)
            _discard(self._topics_of, group, topic)
            _discard(self._groups_of, topic, group)
        if keys:
            self.changes.changed(())


def _name(key: _Key) -> str:
    return f"{key[1]}{SEPARATOR}{key[0]}"


def _discard(index: dict[str, set[str]], name: str, member: str) -> None:
    members = index[name]
    members.discard(member)
    if not members:
        del index[name]
