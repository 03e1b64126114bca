"""Transactions: END_TRANSACTION (37), CHECK_TRANSACTION_STATE (39) and
RESUME_CHECK_HALF_MESSAGE (323)."""

from __future__ import annotations

from typing import Final, NamedTuple

from pocketmq.message.positions import LogOffset, QueueOffset
from pocketmq.protocol.fields import I32

# Values of `commit_or_rollback`: the transaction bits of a message's sysFlag.
UNKNOWN: Final = 0
COMMIT: Final = 8
ROLLBACK: Final = 12


class EndTransactionRequest(NamedTuple):
    """Header of 37. `tran_state_table_offset` is the half message's queue offset."""

    producer_group: str
    tran_state_table_offset: QueueOffset
    commit_log_offset: LogOffset
    commit_or_rollback: I32
    from_transaction_check: bool | None = None
    msg_id: str | None = None
    transaction_id: str | None = None
    topic: str | None = None


class CheckTransactionRequest(NamedTuple):
    """Header of 39, sent by the broker to a producer; the body is the half message."""

    tran_state_table_offset: QueueOffset
    commit_log_offset: LogOffset
    topic: str | None = None
    msg_id: str | None = None
    transaction_id: str | None = None
    offset_msg_id: str | None = None


class ResumeCheckRequest(NamedTuple):
    """Header of 323. `msg_id` is an offset message id."""

    topic: str | None = None
    msg_id: str | None = None
