"""What tables that are kept in a file have in common: a version, and whether the file is behind.

A table changes on the event loop only. The saving service encodes it there, one row a line, and
writes the bytes on its worker thread; a table that changes meanwhile is behind again and is saved
once more.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Protocol

from pocketmq.broker.state.table_file import TableFile
from pocketmq.clock import Clock
from pocketmq.protocol.bodies.versions import DataVersion

ChangeListener = Callable[[Iterable[str]], None]


class ChangeLog:
    """Counts a table's changes and tells those who want to know at once."""

    def __init__(self, clock: Clock) -> None:
        self.version = DataVersion(0, clock.now_ms(), 0)
        self.unsaved = False
        self._clock = clock
        self._listeners: list[ChangeListener] = []

    def listen(self, listener: ChangeListener) -> None:
        """Call `listener` with the names of what changed, after each change."""
        self._listeners.append(listener)

    def changed(self, names: Iterable[str]) -> None:
        """A change is made: a new version begins and the file is behind."""
        self.version = self.version.next(self._clock.now_ms())
        self.touched(names)

    def touched(self, names: Iterable[str] = ()) -> None:
        """The file is behind, but it is no new version."""
        self.unsaved = True
        for listener in self._listeners:
            listener(names)


class SavedTable(Protocol):
    """A table as the service that saves it sees it."""

    @property
    def changes(self) -> ChangeLog:
        """Whether the file is behind."""
        ...

    @property
    def file(self) -> TableFile | None:
        """Where it is saved; None for a table that lives in memory only."""
        ...

    def encode(self) -> bytes:
        """The content of the file, as the table is now."""
        ...


def encode_table(parts: Mapping[str, bytes | Iterable[bytes]]) -> bytes:
    """A JSON object whose members are encoded already: whole, or as rows of `"key":value`."""
    members = []
    for name in sorted(parts):
        part = parts[name]
        if not isinstance(part, bytes):
            rows = b",\n\t\t".join(part)
            part = b"{\n\t\t%b\n\t}" % rows if rows else b"{}"
        members.append(b'\t"%b":%b' % (name.encode(), part))
    return b"{\n%b\n}\n" % b",\n".join(members)
