"""The records of a message trace, in the words of Apache's clients.

Fields are separated by 0x01 and a record ends with 0x02:

    Pub             time region group topic id tag keys broker bodyBytes costMs kind offsetId ok
    SubBefore       time region group requestId id retries keys
    SubAfter        requestId id costMs ok keys code time group
    EndTransaction  time region group topic id tag keys broker kind transactionId state fromCheck
    Recall          time region group topic id ok

kind    0 normal, 1 half of a transaction, 2 a committed one, 3 delayed, 4 ordered
code    0 success, 1 time-out, 2 the handler raised, 4 it asked for a retry
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from pocketmq.client.hooks import (
    ConsumeContext,
    EndTransactionContext,
    RecallContext,
    SendContext,
)
from pocketmq.client.unique_keys import unique_keys
from pocketmq.message import properties as names

FIELD: Final = "\x01"
END: Final = "\x02"
REGION: Final = "DefaultRegion"
PRODUCE: Final = "PRODUCE"
CONSUME: Final = "CONSUME"

_KINDS: Final = {"transaction": 1, "delayed": 3, "ordered": 4}
_HALF, _COMMITTED, _DELAYED, _ORDERED = 1, 2, 3, 4
_CODES: Final = {"success": 0, "timeout": 1, "failed": 2, "retry": 4}
_STATES: Final = {
    "commit": "COMMIT_MESSAGE",
    "rollback": "ROLLBACK_MESSAGE",
    "unknown": "UNKNOW",
}
_DELAYS: Final = (names.DELAY, "TIMER_DELAY_MS", "TIMER_DELAY_SEC", "TIMER_DELIVER_MS")
_REQUEST_IDS: Final = "trace request ids"


@dataclass(frozen=True, slots=True)
class TraceRecord:
    """One record, and what it can be found by."""

    text: str
    keys: tuple[str, ...]
    group: str
    role: str

    @property
    def size(self) -> int:
        """How many bytes of a body it takes."""
        return len(self.text.encode())


def _record(*fields: object) -> str:
    return FIELD.join(_word(field) for field in fields) + END


def _word(field: object) -> str:
    if isinstance(field, bool):
        return "true" if field else "false"
    return str(field)


def _found_by(unique_key: str, keys: str) -> tuple[str, ...]:
    return (unique_key, *keys.split())


def sends(context: SendContext) -> list[TraceRecord]:
    """The records of a send: one for each message."""
    count = max(len(context.unique_keys), 1)
    cost_ms = int(context.cost_ms / count)
    receipt = context.receipt
    stored_as = (receipt.offset_message_id if receipt is not None else "").split(",")
    records = []
    for number, unique_key in enumerate(context.unique_keys):
        properties = context.properties[number]
        keys = properties.get(names.KEYS, "")
        text = _record(
            "Pub",
            context.started_ms,
            REGION,
            context.group,
            context.topic,
            unique_key,
            properties.get(names.TAGS, ""),
            keys,
            context.broker_address,
            context.body_bytes[number],
            cost_ms,
            _kind(context.kind, properties),
            stored_as[number] if number < len(stored_as) else "",
            context.error is None,
        )
        records.append(TraceRecord(text, _found_by(unique_key, keys), context.group, PRODUCE))
    return records


def _kind(kind: str, properties: dict[str, str]) -> int:
    if properties.get(names.TRANSACTION_PREPARED) == "true":
        return _HALF
    if any(name in properties for name in _DELAYS):
        return _DELAYED
    if names.SHARDING_KEY in properties:
        return _ORDERED
    return _KINDS.get(kind, 0)


def deliveries(context: ConsumeContext, now_ms: int) -> list[TraceRecord]:
    """The records of messages that are about to be handled."""
    request_id = unique_keys.new()
    context.notes[_REQUEST_IDS] = request_id
    records = []
    for message in context.messages:
        if message.properties.get(names.TRACE_ON) == "false":
            continue
        keys = message.properties.get(names.KEYS, "")
        text = _record(
            "SubBefore",
            now_ms,
            message.properties.get(names.MSG_REGION, REGION),
            context.group,
            request_id,
            message.message_id,
            message.reconsume_times,
            keys,
        )
        found_by = _found_by(message.message_id, keys)
        records.append(TraceRecord(text, found_by, context.group, CONSUME))
    return records


def outcomes(context: ConsumeContext, now_ms: int) -> list[TraceRecord]:
    """The records of messages that were handled."""
    request_id = context.notes.get(_REQUEST_IDS, "")
    cost_ms = int(context.cost_ms / max(len(context.messages), 1))
    records = []
    for message in context.messages:
        if message.properties.get(names.TRACE_ON) == "false":
            continue
        keys = message.properties.get(names.KEYS, "")
        text = _record(
            "SubAfter",
            request_id,
            message.message_id,
            cost_ms,
            context.status == "success",
            keys,
            _CODES.get(context.status, _CODES["failed"]),
            now_ms,
            context.group,
        )
        found_by = _found_by(message.message_id, keys)
        records.append(TraceRecord(text, found_by, context.group, CONSUME))
    return records


def ended_transaction(context: EndTransactionContext) -> TraceRecord:
    """The record of a transaction's end."""
    text = _record(
        "EndTransaction",
        context.started_ms,
        REGION,
        context.group,
        context.topic,
        context.unique_key,
        context.tag,
        context.keys,
        context.broker_address,
        _COMMITTED,
        context.transaction_id,
        _STATES.get(context.outcome, _STATES["unknown"]),
        context.from_check,
    )
    found_by = _found_by(context.unique_key, context.keys)
    return TraceRecord(text, found_by, context.group, PRODUCE)


def recalled(context: RecallContext) -> TraceRecord:
    """The record of a recall."""
    text = _record(
        "Recall",
        context.started_ms,
        REGION,
        context.group,
        context.topic,
        context.unique_key,
        context.error is None,
    )
    return TraceRecord(text, (context.unique_key,), context.group, PRODUCE)
