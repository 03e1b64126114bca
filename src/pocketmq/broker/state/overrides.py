"""Settings that an operator changed while the broker ran: `config/overrides.json`.

They outlive a restart, as operators expect of updateBrokerConfig, and win over the configuration
file; the log says so at start. Values are RocketMQ's texts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from pocketmq.broker.state.saved import ChangeLog
from pocketmq.broker.state.table_file import TableFile
from pocketmq.clock import Clock
from pocketmq.protocol.bodies.documents import Document
from pocketmq.protocol.bodies.versions import DataVersion


@dataclass(frozen=True, slots=True)
class OverrideDocument(Document):
    """The file's content."""

    overrides: dict[str, str] = field(default_factory=dict)
    data_version: DataVersion = DataVersion()  # noqa: RUF009 - immutable

    plain_keys: ClassVar[bool] = True


class OverrideTable:
    """Remembers changed settings by RocketMQ's name."""

    def __init__(self, clock: Clock, *, file: TableFile | None = None) -> None:
        self._values: dict[str, str] = {}
        self.file = file
        self.changes = ChangeLog(clock)

    def load(self) -> None:
        """Read the file. Raise CorruptStore, OSError."""
        found = self.file.load(OverrideDocument.from_json) if self.file is not None else None
        if found is not None:
            self._values = dict(found.overrides)
            self.changes.version = found.data_version

    def encode(self) -> bytes:
        """The content of the file."""
        return OverrideDocument(self._values, self.changes.version).to_json()

    @property
    def values(self) -> Mapping[str, str]:
        """The changed settings."""
        return dict(self._values)

    def put(self, values: Mapping[str, str]) -> None:
        """Remember changes."""
        self._values.update(values)
        self.changes.changed(list(values))
