"""How many timed messages wait for each topic, kept in `config/timermetrics`."""

from __future__ import annotations

import json
from collections.abc import Iterator

from pocketmq.broker.state.saved import ChangeLog, encode_table
from pocketmq.broker.state.table_file import TableFile
from pocketmq.clock import Clock
from pocketmq.errors import MalformedBody
from pocketmq.protocol.bodies import fastjson
from pocketmq.protocol.bodies.versions import DataVersion


class WaitingTable:
    """Counts by topic. A topic stays once it was there, as in Apache's."""

    def __init__(self, clock: Clock, file: TableFile | None = None) -> None:
        self.changes = ChangeLog(clock)
        self.file = file
        self._clock = clock
        self._counts: dict[str, list[int]] = {}

    def load(self) -> None:
        """Read the file, if there is one. Raise CorruptStore."""
        if self.file is None:
            return
        loaded = self.file.load(_decode)
        if loaded is not None:
            self._counts, self.changes.version = loaded

    def add(self, topic: str, step: int) -> None:
        """That many more wait for a topic, or less."""
        count = self._counts.get(topic)
        if count is None:
            count = self._counts[topic] = [0, 0]
        count[0] += step
        count[1] = self._clock.now_ms()
        self.changes.unsaved = True

    def count(self, topic: str) -> int:
        """How many wait for a topic."""
        return self._counts.get(topic, (0, 0))[0]

    def correct(self, topic: str, count: int) -> None:
        """It was counted anew."""
        if self.count(topic) != count:
            self.add(topic, count - self.count(topic))

    def topics(self) -> list[str]:
        """All topics that timed messages were ever meant for."""
        return list(self._counts)

    def encode(self) -> bytes:
        """The content of the file, and what replicas are told."""
        self.changes.version = self.changes.version.next(self._clock.now_ms())
        return encode_table(
            {"dataVersion": self.changes.version.to_json(), "timingCount": self._rows()}
        )

    def _rows(self) -> Iterator[bytes]:
        for topic in sorted(self._counts):
            count, timestamp_ms = self._counts[topic]
            row = {"count": count, "timeStamp": timestamp_ms}
            yield f"{json.dumps(topic)}:{json.dumps(row, separators=(',', ':'))}".encode()


def _decode(content: bytes) -> tuple[dict[str, list[int]], DataVersion]:
    document = fastjson.loads(content)
    rows = document.get("timingCount") if isinstance(document, dict) else None
    if not isinstance(rows, dict):
        raise MalformedBody("timermetrics has no timingCount")
    counts = {}
    for topic, row in rows.items():
        if not isinstance(row, dict):
            raise MalformedBody(f"timermetrics: the row of {topic!r} is no object")
        counts[str(topic)] = [int(row.get("count", 0)), int(row.get("timeStamp", 0))]
    version = document.get("dataVersion")
    if not isinstance(version, dict):
        return counts, DataVersion()
    return counts, DataVersion(
        int(version.get("stateVersion", 0)),
        int(version.get("timestamp", 0)),
        int(version.get("counter", 0)),
    )
