"""What a broker remembers of pops: acks that are in the log anyway, and groups' request modes.

Acks are kept at hand until their check point is settled, so that a slow timer makes nothing come
twice; after a restart the log's own acks say the same.
"""

from __future__ import annotations

from pocketmq.broker.rules.pop import Key
from pocketmq.broker.state.saved import ChangeLog
from pocketmq.broker.state.table_file import TableFile
from pocketmq.clock import Clock
from pocketmq.protocol.bodies.pop import MessageRequestMode, MessageRequestModes

ACKS_MAX = 400_000
_KEPT_MS = 600_000


class AckBook:
    """Acknowledged offsets by check point."""

    def __init__(self) -> None:
        self._acks: dict[Key, tuple[int, set[int]]] = {}

    def add(self, key: Key, offset: int, due_ms: int) -> None:
        """An offset is acknowledged."""
        known = self._acks.get(key)
        if known is not None:
            known[1].add(offset)
        elif len(self._acks) < ACKS_MAX:
            self._acks[key] = (due_ms + _KEPT_MS, {offset})

    def of(self, key: Key) -> set[int]:
        """What is acknowledged of a check point."""
        known = self._acks.get(key)
        return known[1] if known is not None else set()

    def drop(self, key: Key) -> None:
        """A check point is settled."""
        self._acks.pop(key, None)

    def expire(self, now_ms: int) -> None:
        """Forget acks whose check point never came, as forged ones."""
        gone = [key for key, (until_ms, _) in self._acks.items() if until_ms < now_ms]
        for key in gone:
            del self._acks[key]

    def __len__(self) -> int:
        return len(self._acks)


class RequestModes:
    """How groups fetch topics, PULL or POP: `config/messageRequestMode.json`."""

    def __init__(self, clock: Clock, *, file: TableFile | None = None) -> None:
        self._modes: dict[str, dict[str, MessageRequestMode]] = {}
        self.file = file
        self.changes = ChangeLog(clock)

    def load(self) -> None:
        """Read the file. Raise CorruptStore, OSError."""
        found = self.file.load(MessageRequestModes.from_json) if self.file is not None else None
        if found is not None:
            self._modes = {t: dict(groups) for t, groups in found.message_request_mode_map.items()}

    def encode(self) -> bytes:
        """The content of the file, and the answer to 402."""
        return MessageRequestModes(self._modes).to_json()

    def find(self, topic: str, group: str) -> MessageRequestMode | None:
        """What was set for a group."""
        return self._modes.get(topic, {}).get(group)

    def put(self, mode: MessageRequestMode) -> None:
        """Set it."""
        self._modes.setdefault(mode.topic, {})[mode.consumer_group] = mode
        self.changes.changed(())
