"""The short way of ordinary half messages, as `SendHandler.handle_frame` is that of plain ones.

An ordinary half message asks for nothing but a transaction. It is stored with its properties as
they came, those of `rules/placement.py` behind them, and stays in memory until its producer
decides, which is nearly always at once; see `RecentHalves`.
"""

from __future__ import annotations

from typing import Final

from pocketmq.broker.state.counters import Counter
from pocketmq.broker.state.transactions import TransactionTable
from pocketmq.message.flags import TRANSACTION_MASK
from pocketmq.message.topics import HALF_TOPIC
from pocketmq.protocol.framing import SendFields
from pocketmq.store import MessageStore

BODY_BYTES_MAX: Final = 16 * 1024
PLACES_MAX: Final = 10_000

_ASKS_FOR_HALF: Final = b"TRAN_MSG\x01true\x02"


class HalfWriter:
    """Stores ordinary half messages; `counter` is that of the half topic."""

    def __init__(
        self, store: MessageStore, table: TransactionTable, counter: Counter, suffix: bytes
    ) -> None:
        self._append = store.append
        self._table = table
        self._recent = table.recent
        self._counter = counter
        self._suffix = suffix
        self._places: dict[tuple[str, int], bytes] = {}

    def store(
        self, fields: SendFields, queue_count: int, peer: bytes, body: bytes
    ) -> tuple[int, int] | None:
        """Store one and return its log offset and queue offset. None: it is not ordinary.

        Raise StoreError.
        """
        (
            group, topic, _, _, queue_id, sys_flag, born_ms, flag, properties, times, _, _, batch,
            unique_key, _,
        ) = fields  # fmt: skip
        if (
            batch
            or not unique_key
            or not 0 <= queue_id < queue_count
            or not 0 < len(body) <= BODY_BYTES_MAX
            or _ASKS_FOR_HALF not in properties
            or b"PGROUP\x01%b\x02" % group.encode() not in properties
            or properties.count(b"PGROUP\x01") != 1
            # Anywhere in the properties, even in a value, these send a message the long way.
            or properties.count(b"TRAN") != 1
            or b"DELAY" in properties
            or b"TIMER_" in properties
            or b"INNER_" in properties
            or b"REAL_" in properties
            or b"__transactionId__" in properties
            or b"CHECK_IMMUNITY" in properties
        ):
            return None
        place = self._places.get((topic, queue_id)) or self._place(topic, queue_id)
        stored = b"%b__transactionId__\x01%b\x02%b" % (properties, unique_key, place)
        sys_flag &= ~TRANSACTION_MASK
        log_offset, size, queue_offset, _ = self._append(
            HALF_TOPIC, 0, flag, sys_flag, born_ms, peer, times, 0, body, stored
        )
        self._counter.messages += 1
        self._counter.bytes += size
        self._table.add(topic, 1)
        self._recent.put(
            str(log_offset),
            (
                str(queue_offset), queue_offset, log_offset, group, topic, queue_id, flag, sys_flag,
                born_ms, peer, times, body, stored,
            ),
        )  # fmt: skip
        return log_offset, queue_offset

    def _place(self, topic: str, queue_id: int) -> bytes:
        """The properties that all half messages meant for a queue have in common."""
        place = b"REAL_TOPIC\x01%b\x02REAL_QID\x01%d\x02%b" % (
            topic.encode(),
            queue_id,
            self._suffix,
        )
        if len(self._places) < PLACES_MAX:
            self._places[topic, queue_id] = place
        return place
