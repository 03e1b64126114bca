"""Counts of open transactions: the file `config/transactionMetrics`."""

from __future__ import annotations

from dataclasses import dataclass, field

from pocketmq.protocol.bodies.documents import Document
from pocketmq.protocol.bodies.versions import DataVersion


@dataclass(frozen=True, slots=True)
class OpenTransactions(Document):
    """How many half messages of a topic have not ended, and when that changed last."""

    count: int = 0
    time_stamp: int = 0


@dataclass(frozen=True, slots=True)
class TransactionMetrics(Document):
    """Open transactions by the topic they are meant for."""

    transaction_count: dict[str, OpenTransactions] = field(default_factory=dict)
    data_version: DataVersion | None = None
