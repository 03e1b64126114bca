"""What is known of transactions: which half messages have ended, and how many are open.

    ended        one byte for each half message from the first that no round of checks has passed:
                 open, committed, rolled back, or ended in some way
    copies       of half messages that were put again, the queue offset of the newest; the key
                 index answers for those that are not here
    operations   which operation messages still list half messages that no round has passed
    counts       open transactions by topic

The counts are in `config/transactionMetrics`; the rest is in memory, and what matters of it is read
back from the operation messages at the start.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Iterable, Iterator
from typing import Final

from pocketmq.broker.state.saved import ChangeLog
from pocketmq.broker.state.table_file import TableFile
from pocketmq.clock import Clock
from pocketmq.protocol.bodies.transactions import OpenTransactions, TransactionMetrics
from pocketmq.protocol.bodies.versions import DataVersion

OPEN: Final = 0
COMMITTED: Final = 1
ROLLED_BACK: Final = 2
ENDED: Final = 3

HALVES_MAX: Final = 20_000
HALVES_BYTES_MAX: Final = 32 * 1024 * 1024
COPIES_MAX: Final = 200_000
RECENT_MAX: Final = 20_000

TransactionId = tuple[str, int]
"""Unique key and born time: some producers send one message object, and so one key, twice."""


RecentHalf = tuple[str, int, int, str, str, int, int, int, int, bytes, int, bytes, bytes]
"""queue offset as text and number, log offset, group, topic, queue id, flag, system flag, born time
and host, reconsume times, body, properties"""


class RecentHalves:
    """Half messages just stored, by their log offset as text, for producers that decide at once.

    All are open, and they are ordinary ones: `handlers/send_half.py` tells what that is.
    """

    def __init__(self) -> None:
        self._halves: OrderedDict[str, RecentHalf] = OrderedDict()
        self._bytes = 0
        self.find = self._halves.get

    def put(self, log_offset: str, half: RecentHalf) -> None:
        """Remember one; the oldest are forgotten when there are too many."""
        halves = self._halves
        halves[log_offset] = half
        self._bytes += len(half[11]) + len(half[12])
        while self._bytes > HALVES_BYTES_MAX or len(halves) > HALVES_MAX:
            self.drop(next(iter(halves)))

    def drop(self, log_offset: str) -> None:
        """It has ended, or is not recent any more."""
        half = self._halves.pop(log_offset, None)
        if half is not None:
            self._bytes -= len(half[11]) + len(half[12])


class EndedHalves:
    """Which half messages have ended, from `first` on."""

    def __init__(self, first: int = 0) -> None:
        self.first = first
        self._states = bytearray()

    def state(self, queue_offset: int) -> int:
        """OPEN, COMMITTED, ROLLED_BACK or ENDED; for one from `first` on."""
        at = queue_offset - self.first
        return self._states[at] if 0 <= at < len(self._states) else OPEN

    def mark(self, queue_offset: int, state: int) -> None:
        """Remember an end. One before `first` is passed over."""
        at = queue_offset - self.first
        states = self._states
        if at < 0:
            return
        if at >= len(states):
            # Ends come nearly in order; growing by a page each time keeps that cheap.
            states.extend(bytes(at + 4096 - len(states)))
        states[at] = state

    def next_open(self, queue_offset: int) -> int:
        """The first half message from `queue_offset` on that has not ended."""
        at = queue_offset - self.first
        found = self._states.find(OPEN, at)
        return self.first + (found if found >= 0 else max(len(self._states), at))

    def forget_before(self, queue_offset: int) -> None:
        """A round has passed all half messages before this."""
        if queue_offset > self.first:
            del self._states[: queue_offset - self.first]
            self.first = queue_offset

    def restart(self, first: int) -> None:
        """Forget everything and begin elsewhere."""
        self.first = first
        self._states.clear()


class Copies:
    """The newest copy of half messages that were put again, and which of them committed lately."""

    def __init__(self) -> None:
        self._newest: OrderedDict[TransactionId, int] = OrderedDict()
        self._committed: OrderedDict[TransactionId, int] = OrderedDict()

    def newest(self, transaction: TransactionId) -> int | None:
        """Its queue offset, or None when there is no copy or it is forgotten."""
        return self._newest.get(transaction)

    def put(self, transaction: TransactionId, queue_offset: int) -> None:
        """A half message was put again. The oldest are forgotten when there are too many."""
        self._newest[transaction] = queue_offset
        self._newest.move_to_end(transaction)
        if len(self._newest) > COPIES_MAX:
            self._newest.popitem(last=False)

    def drop(self, transaction: TransactionId) -> None:
        """It has ended."""
        self._newest.pop(transaction, None)

    def committed(self, transaction: TransactionId, log_offset: int) -> None:
        """Its message is delivered, but perhaps not yet in the key index.

        `log_offset` tells which half message of several with this identity was committed.
        """
        self._committed[transaction] = log_offset
        self._committed.move_to_end(transaction)
        if len(self._committed) > RECENT_MAX:
            self._committed.popitem(last=False)

    def committed_at(self, transaction: TransactionId) -> int | None:
        """The log offset `committed` was called with for it, if that was lately."""
        return self._committed.get(transaction)


class Operations:
    """Operation messages that are still needed after a restart: all from `first` on."""

    def __init__(self, first: int = 0) -> None:
        self.first = first
        self._waiting: deque[tuple[int, int]] = deque()

    def add(self, op_offset: int, half_offsets: Iterable[int]) -> None:
        """The operation message at `op_offset` lists these."""
        self._waiting.append((op_offset, max(half_offsets, default=-1)))

    def passed(self, half_offset: int) -> int:
        """No half message before `half_offset` is looked at again; return the new `first`."""
        waiting = self._waiting
        while waiting and waiting[0][1] < half_offset:
            self.first = waiting.popleft()[0] + 1
        return self.first


class TransactionTable:
    """Counts open transactions by topic, and keeps the counts in a file."""

    def __init__(self, clock: Clock, *, file: TableFile | None = None) -> None:
        self._clock = clock
        self._counts: dict[str, int] = {}
        self._touched_ms: dict[str, int] = {}
        self._touched: set[str] = set()
        self._changes = 0
        self._committed: dict[str, int] = {}
        self._rolled_back: dict[str, int] = {}
        self.recent = RecentHalves()
        self.file = file
        self.changes = ChangeLog(clock)

    def load(self) -> None:
        """Read the file. Raise CorruptStore, OSError."""
        found = self.file.load(TransactionMetrics.from_json) if self.file is not None else None
        if found is None:
            return
        for topic, metric in found.transaction_count.items():
            self._counts[topic] = metric.count
            self._touched_ms[topic] = metric.time_stamp
        if found.data_version is not None:
            self.changes.version = found.data_version

    def encode(self) -> bytes:
        """The content of the file."""
        changes, self._changes = self._changes, 0
        old = self.changes.version
        now_ms = self._clock.now_ms()
        for topic in self._touched:
            self._touched_ms[topic] = now_ms
        self._touched.clear()
        if changes:
            self.changes.version = DataVersion(old.state_version, now_ms, old.counter + changes)
        counts = {
            topic: OpenTransactions(count, self._touched_ms[topic])
            for topic, count in sorted(self._counts.items())
        }
        return TransactionMetrics(counts, self.changes.version).to_json()

    def add(self, topic: str, number: int) -> None:
        """So many transactions of a topic began; fewer than none: ended."""
        counts = self._counts
        counts[topic] = counts.get(topic, 0) + number
        self._touched.add(topic)
        self._changes += 1
        self.changes.unsaved = True

    def ended(self, topic: str, *, commit: bool) -> None:
        """A producer has decided a transaction of a topic."""
        self.add(topic, -1)
        outcomes = self._committed if commit else self._rolled_back
        outcomes[topic] = outcomes.get(topic, 0) + 1

    def totals(self) -> Iterator[tuple[str, str, int]]:
        """Yield what (OPEN; since the start COMMIT and ROLLBACK), topic and number."""
        tables = {"OPEN": self._counts, "COMMIT": self._committed, "ROLLBACK": self._rolled_back}
        for what, table in tables.items():
            for topic, number in table.items():
                yield what, topic, number

    def open(self, topic: str) -> int:
        """How many transactions of a topic are open."""
        return self._counts.get(topic, 0)

    def forget(self, topic: str) -> None:
        """The topic is gone."""
        self._committed.pop(topic, None)
        self._rolled_back.pop(topic, None)
        if self._counts.pop(topic, None) is not None:
            self._touched_ms.pop(topic, None)
            self._touched.discard(topic)
            self._changes += 1
            self.changes.unsaved = True
