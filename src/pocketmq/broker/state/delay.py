"""How far each delay level is delivered: `config/delayOffset.json`.

Level n is queue n - 1 of the schedule topic; its offset is that of the next message to deliver.
"""

from __future__ import annotations

from collections.abc import Mapping

from pocketmq.broker.state.saved import ChangeLog
from pocketmq.broker.state.table_file import TableFile
from pocketmq.clock import Clock
from pocketmq.protocol.bodies.offsets import DelayOffsets


class DelayTable:
    """Remembers an offset per level."""

    def __init__(self, clock: Clock, *, file: TableFile | None = None) -> None:
        self._offsets: dict[int, int] = {}
        self.file = file
        self.changes = ChangeLog(clock)

    def load(self) -> None:
        """Read the file. Raise CorruptStore, OSError."""
        found = self.file.load(DelayOffsets.from_json) if self.file is not None else None
        if found is None:
            return
        self._offsets = {level: max(offset, 0) for level, offset in found.offset_table.items()}
        if found.data_version is not None:
            self.changes.version = found.data_version

    def encode(self) -> bytes:
        """The content of the file."""
        offsets = dict(sorted(self._offsets.items()))
        return DelayOffsets(offsets, self.changes.version).to_json()

    @property
    def offsets(self) -> Mapping[int, int]:
        """The offset of each level that was ever used."""
        return dict(self._offsets)

    def offset(self, level: int) -> int:
        """The next message of a level; 0 for one that was never used."""
        return self._offsets.get(level, 0)

    def put(self, level: int, offset: int) -> None:
        """Messages before `offset` are delivered."""
        if self._offsets.get(level) != offset:
            self._offsets[level] = offset
            self.changes.changed(())
