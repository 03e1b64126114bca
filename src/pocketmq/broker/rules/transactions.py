"""What becomes of a half message: whether its end is accepted, and what a round of checks does.

A round of checks looks at the oldest half messages that have not ended. In this order:

    checked often enough, or too old       DISCARD   to TRANS_CHECK_MAX_TIME_TOPIC
    stored after the round began           LATER     and everything behind it too
    younger than its own immunity          RENEW     put again at the end of the queue
    younger than the default immunity      LATER     and everything behind it too
    else, also when born in the future     CHECK     ask its producer
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Final

from pocketmq.errors import Refused
from pocketmq.message.properties import (
    PRODUCER_GROUP,
    REAL_QUEUE_ID,
    REAL_TOPIC,
    WAIT,
)
from pocketmq.message.topics import HALF_OPERATION_TOPIC, HALF_TOPIC
from pocketmq.protocol.codes import ResponseCode

IMMUNITY_SECONDS: Final = "CHECK_IMMUNITY_TIME_IN_SECONDS"
CHECK_TIMES: Final = "TRANSACTION_CHECK_TIMES"
FIRST_QUEUE_OFFSET: Final = "TRAN_PREPARED_QUEUE_OFFSET"
ENDED_TAG: Final = "d"
OPERATION_PROPERTIES: Final = {"TAGS": ENDED_TAG, WAIT: "true"}

_INTEGER: Final = re.compile(r"[+-]?[0-9]{1,18}", re.ASCII)
_OWN_TOPICS: Final = (HALF_TOPIC, HALF_OPERATION_TOPIC)


class Verdict(Enum):
    """What a round does with a half message."""

    CHECK = 0
    RENEW = 1
    DISCARD = 2
    LATER = 3


@dataclass(frozen=True, slots=True)
class CheckRules:
    """The settings that matter here."""

    immunity_ms: int
    checks_max: int
    age_ms_max: int


def verdict(
    properties: Mapping[str, str],
    born_ms: int,
    stored_ms: int,
    round_began_ms: int,
    now_ms: int,
    rules: CheckRules,
) -> Verdict:
    """What a round that began at a moment does with a half message that has not ended."""
    age_ms = now_ms - born_ms
    if check_times(properties) >= rules.checks_max or age_ms > rules.age_ms_max:
        return Verdict.DISCARD
    if stored_ms >= round_began_ms:
        return Verdict.LATER
    text = properties.get(IMMUNITY_SECONDS)
    if text is not None:
        return Verdict.RENEW if age_ms <= _own_immunity_ms(text, rules) else Verdict.CHECK
    return Verdict.LATER if 0 <= age_ms <= rules.immunity_ms else Verdict.CHECK


def check_times(properties: Mapping[str, str]) -> int:
    """How often its producer was asked."""
    return _integer(properties.get(CHECK_TIMES, "0"), -1)


def renewed(properties: Mapping[str, str], queue_offset: int) -> dict[str, str]:
    """The properties of an immune half message that is put again; its first place stays known."""
    return {FIRST_QUEUE_OFFSET: str(queue_offset), **properties}


def checked(properties: Mapping[str, str]) -> dict[str, str]:
    """The properties of a half message whose producer is asked once more."""
    return {**properties, CHECK_TIMES: str(check_times(properties) + 1)}


def target(properties: Mapping[str, str]) -> tuple[str, int]:
    """The topic and the queue a half message is meant for. Raise Refused."""
    topic, queue = properties.get(REAL_TOPIC), properties.get(REAL_QUEUE_ID, "")
    if not topic or topic in _OWN_TOPICS or not (queue.isascii() and queue.isdigit()):
        raise Refused(
            ResponseCode.SYSTEM_ERROR,
            f"the half message has no place to go: REAL_TOPIC={topic!r} REAL_QID={queue[:20]!r}",
        )
    return topic, int(queue)


def is_too_late(properties: Mapping[str, str], age_ms: int, immunity_ms: int) -> bool:
    """Whether a producer that was not asked ends too late: only where it set its own immunity."""
    text = properties.get(IMMUNITY_SECONDS)
    return bool(text) and age_ms > max(_integer(text or "", 0) * 1000, immunity_ms)


def refuse_foreign(
    properties: Mapping[str, str], queue_offset: int, group: str, stated_queue_offset: int
) -> None:
    """Raise Refused when an end names another group or another place than its half message has."""
    if properties.get(PRODUCER_GROUP) != group:
        raise Refused(
            ResponseCode.SYSTEM_ERROR,
            f"The producer group wrong: the half message is not of group {group!r}",
        )
    if queue_offset != stated_queue_offset:
        raise Refused(
            ResponseCode.SYSTEM_ERROR,
            f"The transaction state table offset wrong: tranStateTableOffset={stated_queue_offset} "
            "is not where the half message is queued",
        )


def too_late() -> Refused:
    """The end of a transaction whose producer is asked from now on."""
    return Refused(
        ResponseCode.ILLEGAL_OPERATION,
        f"{IMMUNITY_SECONDS} is over; the producer is asked instead, and its answer counts",
    )


def half_missing(log_offset: int) -> Refused:
    """No half message lies there."""
    return Refused(
        ResponseCode.SYSTEM_ERROR,
        f"Find prepared transaction message failed: there is none at commitLogOffset={log_offset}",
    )


def parse_operations(body: bytes | memoryview) -> list[int]:
    """The queue offsets of ended half messages that an operation message lists."""
    found = []
    for text in str(body, "ascii", "replace").split(","):
        offset = _integer(text, -1)
        if offset >= 0:
            found.append(offset)
    return found


def operation_body(queue_offsets: list[int]) -> bytes:
    """The body of the operation message that lists these."""
    return "".join([f"{offset}," for offset in queue_offsets]).encode()


def _own_immunity_ms(text: str, rules: CheckRules) -> int:
    seconds = _integer(text, -1)
    return rules.immunity_ms if seconds == -1 else seconds * 1000


def _integer(text: str, otherwise: int) -> int:
    return int(text) if _INTEGER.fullmatch(text) else otherwise
