"""The version of a table: changes whenever its content does."""

from __future__ import annotations

from dataclasses import dataclass

from pocketmq.protocol.bodies.documents import Document


@dataclass(frozen=True, slots=True)
class DataVersion(Document):
    """`{"counter","stateVersion","timestamp"}`; two tables are equal when all three are."""

    state_version: int = 0
    timestamp: int = 0
    counter: int = 0

    def next(self, now_ms: int, state_version: int | None = None) -> DataVersion:
        """The version after one more change."""
        state = self.state_version if state_version is None else state_version
        return DataVersion(state, now_ms, self.counter + 1)

    def is_newer_than(self, other: DataVersion) -> bool:
        """Apache's order: state version, then counter, then time."""
        return self._rank() > other._rank()

    def _rank(self) -> tuple[int, int, int]:
        return self.state_version, self.counter, self.timestamp
