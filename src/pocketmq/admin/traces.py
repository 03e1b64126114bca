"""What a message trace says: who sent a message, who handled it, when and how that went.

Clients write traces to a topic; PocketMQ's brokers add what they know themselves when they are
asked, in groups called `store@broker` and `group@broker`. `client/trace_records.py` lists the
fields of a record.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from pocketmq.client.messages import ReceivedMessage
from pocketmq.client.trace_records import END, FIELD

_KINDS: Final = ("normal", "half", "committed", "delayed", "ordered")
_OUTCOMES: Final = {
    "0": "success",
    "1": "timeout",
    "2": "failed",
    "3": "empty",
    "4": "retry",
}


@dataclass(frozen=True, slots=True)
class TracePoint:
    """One thing that happened to a message. What does not apply is empty, 0 or -1."""

    what: str
    """`sent`, `delivered`, `handled`, `ended` (a transaction) or `recalled`."""
    at_ms: int
    group: str
    message_id: str
    topic: str = ""
    tag: str = ""
    keys: str = ""
    client: str = ""
    """The address of the client that traced it; empty when the broker did."""
    broker: str = ""
    cost_ms: int = -1
    body_bytes: int = -1
    kind: str = ""
    """Of a send: normal, half, committed, delayed or ordered."""
    outcome: str = ""
    """`success` or what went wrong; of a transaction its end."""
    attempt: int = 0
    request_id: str = ""
    """Joins `delivered` and `handled`."""

    @property
    def by_broker(self) -> bool:
        """Whether a broker tells it, and not the client itself."""
        return "@" in self.group


def read_traces(messages: Iterable[ReceivedMessage], key: str) -> list[TracePoint]:
    """The points about a message id or key in trace messages, in the order they happened."""
    found: dict[TracePoint, None] = {}
    for message in messages:
        client = "{}:{}".format(*message.born_host)
        for point in _points(message.body.decode("utf-8", "replace"), client):
            if point.message_id == key or key in point.keys.split(" "):
                found[point] = None
    return sorted(found, key=lambda point: (point.at_ms, _ORDER[point.what], point.request_id))


def handled_by(points: Sequence[TracePoint], delivered: TracePoint) -> TracePoint | None:
    """How the handling of a delivery ended, if that is known."""
    for point in points:
        if point.what == "handled" and (point.request_id, point.message_id) == (
            delivered.request_id,
            delivered.message_id,
        ):
            return point
    return None


_ORDER: Final = {"sent": 0, "ended": 1, "delivered": 2, "handled": 3, "recalled": 4}


def _points(text: str, client: str) -> Iterator[TracePoint]:
    for record in text.split(END):
        fields = record.split(FIELD)
        read = _READERS.get(fields[0])
        if read is None:
            continue
        try:
            point = read(fields, client)
        except (IndexError, ValueError):
            continue  # a record of a version with other fields; it says nothing we could show
        yield point


def _sent(fields: list[str], client: str) -> TracePoint:
    group = fields[3]
    # Old clients write no offset id, so the success is the 13th field or the 12th.
    last = fields[13] if len(fields) > 13 else fields[12]
    return TracePoint(
        "sent",
        int(fields[1]),
        group,
        fields[5],
        topic=fields[4],
        tag=fields[6],
        keys=fields[7],
        client="" if "@" in group else client,
        broker=fields[8],
        body_bytes=int(fields[9]),
        cost_ms=int(fields[10]),
        kind=_name(_KINDS, fields[11]),
        outcome="success" if last == "true" else "failed",
    )


def _delivered(fields: list[str], client: str) -> TracePoint:
    group = fields[3]
    return TracePoint(
        "delivered",
        int(fields[1]),
        group,
        fields[5],
        keys=fields[7] if len(fields) > 7 else "",
        client="" if "@" in group else client,
        attempt=int(fields[6]) + 1,
        request_id=fields[4],
    )


def _handled(fields: list[str], client: str) -> TracePoint:
    group = fields[8] if len(fields) > 8 else ""
    code = fields[6] if len(fields) > 6 else ""
    ok = "success" if fields[4] == "true" else "failed"
    return TracePoint(
        "handled",
        int(fields[7]) if len(fields) > 7 else 0,
        group,
        fields[2],
        keys=fields[5] if len(fields) > 5 else "",
        client="" if "@" in group else client,
        cost_ms=int(fields[3]),
        outcome=_OUTCOMES.get(code, ok),
        request_id=fields[1],
    )


def _ended(fields: list[str], client: str) -> TracePoint:
    return TracePoint(
        "ended",
        int(fields[1]),
        fields[3],
        fields[5],
        topic=fields[4],
        tag=fields[6],
        keys=fields[7],
        client=client,
        broker=fields[8],
        outcome=fields[11].removesuffix("_MESSAGE").lower(),
        request_id=fields[10],
    )


def _recalled(fields: list[str], client: str) -> TracePoint:
    outcome = "success" if fields[6] == "true" else "failed"
    return TracePoint(
        "recalled",
        int(fields[1]),
        fields[3],
        fields[5],
        topic=fields[4],
        client=client,
        outcome=outcome,
    )


def _name(names: Sequence[str], number: str) -> str:
    return names[int(number)] if number.isdigit() and int(number) < len(names) else number


_READERS: Final = {
    "Pub": _sent,
    "SubBefore": _delivered,
    "SubAfter": _handled,
    "EndTransaction": _ended,
    "Recall": _recalled,
}
