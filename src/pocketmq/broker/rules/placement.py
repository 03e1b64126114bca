"""Where a message is really stored: in the queue its sender named, or first in one of the broker's.

    asks for                             is stored in
    DELAY=n, n > 0                       the schedule topic, queue n - 1
    TIMER_DELAY_SEC, TIMER_DELAY_MS or
    TIMER_DELIVER_MS                     rmq_sys_wheel_timer, queue 0, with TIMER_OUT_MS
    TRAN_MSG=true, in a client's send    RMQ_SYS_TRANS_HALF_TOPIC, queue 0, with __transactionId__

REAL_TOPIC and REAL_QID then say where it belongs.

A level beyond the last counts as the last and beats the three timer properties, which are dropped
then. Of these the first in the order above counts. A moment that is past, or now, means no delay at
all. TIMER_OUT_MS is the tick before the one at or after the moment; a message that has it already
was delayed before and is stored where it says. Properties given are never changed, but copied.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Final

from pocketmq.errors import Refused
from pocketmq.message import topics as names
from pocketmq.message.flags import (
    TRANSACTION_COMMIT,
    TRANSACTION_NONE,
    transaction_kind,
    with_transaction_kind,
)
from pocketmq.message.properties import (
    DELAY,
    REAL_QUEUE_ID,
    REAL_TOPIC,
    TIMER_DEL_UNIQKEY,
    TIMER_DELAY_MS,
    TIMER_DELAY_SEC,
    TIMER_OUT_MS,
    TIMER_REQUESTS,
    TRANSACTION_PREPARED,
    UNIQUE_KEY,
)
from pocketmq.protocol.codes import ResponseCode

TRANSACTION_ID: Final = "__transactionId__"

_INTEGER: Final = re.compile(r"[+-]?[0-9]{1,19}", re.ASCII)
_LONG_MAX: Final = 2**63 - 1
_INT_MAX: Final = 2**31 - 1
_DAY_MS: Final = 86_400_000


class Kind(Enum):
    """Which model a message takes part in."""

    PLAIN = 0
    LEVEL = 1
    TIMER = 2
    HALF = 3


@dataclass(frozen=True, slots=True)
class PlacementRules:
    """The settings that matter here."""

    level_count: int = 18
    timer_enabled: bool = True
    timer_precision_ms: int = 1000
    timer_delay_ms_max: int = 3 * _DAY_MS
    reject_transactions: bool = False


@dataclass(frozen=True, slots=True)
class Placement:
    """Where a message is stored, and as what. `due_ms` is TIMER_OUT_MS, 0 unless a timer."""

    topic: str
    queue_id: int
    properties: dict[str, str]
    sys_flag: int
    kind: Kind = Kind.PLAIN
    due_ms: int = 0


def place(
    topic: str,
    queue_id: int,
    properties: Mapping[str, str],
    sys_flag: int,
    now_ms: int,
    rules: PlacementRules,
) -> Placement:
    """Place a message of the broker's own, or a client's that is no half message. Raise Refused."""
    if transaction_kind(sys_flag) not in (TRANSACTION_NONE, TRANSACTION_COMMIT):
        return Placement(topic, queue_id, dict(properties), sys_flag)
    level = delay_level(properties)
    if level > 0:
        return _place_by_level(topic, queue_id, properties, sys_flag, level, rules)
    if (
        topic != names.TIMER_TOPIC
        and TIMER_OUT_MS not in properties
        and any(name in properties for name in TIMER_REQUESTS)
    ):
        return _place_by_timer(topic, queue_id, properties, sys_flag, now_ms, rules)
    return Placement(topic, queue_id, dict(properties), sys_flag)


def place_client(
    topic: str,
    queue_id: int,
    properties: Mapping[str, str],
    sys_flag: int,
    now_ms: int,
    rules: PlacementRules,
    reconsume_times: int,
) -> Placement:
    """Place what a client sends: like `place`, and half messages too. Raise Refused.

    A message consumed again after a delay may still carry its transaction's mark; it is no half
    message any more.
    """
    prepared = properties.get(TRANSACTION_PREPARED, "").lower() == "true"
    if not prepared or (reconsume_times > 0 and delay_level(properties) > 0):
        return place(topic, queue_id, properties, sys_flag, now_ms, rules)
    if rules.reject_transactions:
        raise Refused(
            ResponseCode.NO_PERMISSION,
            "this broker takes no transactional messages; see rejectTransactionMessage",
        )
    if delay_level(properties) > 0 or any(name in properties for name in TIMER_REQUESTS):
        raise Refused(
            ResponseCode.MESSAGE_ILLEGAL,
            "a transactional message cannot be delayed; remove DELAY and TIMER_ properties",
        )
    stored = {**properties, REAL_TOPIC: topic, REAL_QUEUE_ID: str(queue_id)}
    if properties.get(UNIQUE_KEY):
        stored[TRANSACTION_ID] = properties[UNIQUE_KEY]
    flag = with_transaction_kind(sys_flag, TRANSACTION_NONE)
    return Placement(names.HALF_TOPIC, 0, stored, flag, Kind.HALF)


def check_batch(properties: Mapping[str, str]) -> None:
    """Batches are stored as they are: they cannot ask for a model. Raise Refused."""
    prepared = properties.get(TRANSACTION_PREPARED, "").lower() == "true"
    if (
        prepared
        or delay_level(properties) > 0
        or any(name in properties for name in (*TIMER_REQUESTS, TIMER_DEL_UNIQKEY))
    ):
        raise Refused(
            ResponseCode.MESSAGE_ILLEGAL,
            "a batch cannot be delayed or transactional; send its messages one by one",
        )


def delay_level(properties: Mapping[str, str]) -> int:
    """The DELAY property, 0 without one. Raise Refused when it is no 32-bit number."""
    text = properties.get(DELAY)
    if text is None:
        return 0
    level = _integer(text, _INT_MAX)
    if level is None:
        raise Refused(
            ResponseCode.MESSAGE_ILLEGAL, f"the delay level DELAY={text[:40]!r} is not a number"
        )
    return level


def _place_by_level(
    topic: str,
    queue_id: int,
    properties: Mapping[str, str],
    sys_flag: int,
    level: int,
    rules: PlacementRules,
) -> Placement:
    level = min(level, rules.level_count)
    stored = {name: value for name, value in properties.items() if name not in TIMER_REQUESTS}
    stored |= {DELAY: str(level), REAL_TOPIC: topic, REAL_QUEUE_ID: str(queue_id)}
    return Placement(names.SCHEDULE_TOPIC, level - 1, stored, sys_flag, Kind.LEVEL)


def _place_by_timer(
    topic: str,
    queue_id: int,
    properties: Mapping[str, str],
    sys_flag: int,
    now_ms: int,
    rules: PlacementRules,
) -> Placement:
    if not rules.timer_enabled:
        raise Refused(
            ResponseCode.SYSTEM_ERROR, "timed messages are switched off; see timerWheelEnable"
        )
    moment_ms = _moment_asked_for(properties, now_ms)
    if moment_ms <= now_ms:
        if TIMER_DEL_UNIQKEY in properties:
            raise Refused(
                ResponseCode.MESSAGE_ILLEGAL,
                "timer message illegal: it is due already and cannot be recalled any more",
            )
        return Placement(topic, queue_id, dict(properties), sys_flag)
    if moment_ms - now_ms > rules.timer_delay_ms_max:
        raise Refused(
            ResponseCode.MESSAGE_ILLEGAL,
            f"timer message illegal: it is due in {moment_ms - now_ms} ms, and "
            f"{rules.timer_delay_ms_max} ms are allowed; see timerMaxDelaySec",
        )
    due_ms = timer_tick(moment_ms, rules.timer_precision_ms)
    stored = {
        **properties,
        TIMER_OUT_MS: str(due_ms),
        REAL_TOPIC: topic,
        REAL_QUEUE_ID: str(queue_id),
    }
    return Placement(names.TIMER_TOPIC, 0, stored, sys_flag, Kind.TIMER, due_ms)


def timer_tick(moment_ms: int, precision_ms: int) -> int:
    """TIMER_OUT_MS for a moment: the last multiple of the precision before it."""
    return (moment_ms - 1) // precision_ms * precision_ms


def _moment_asked_for(properties: Mapping[str, str], now_ms: int) -> int:
    for name in TIMER_REQUESTS:
        text = properties.get(name)
        if text is None:
            continue
        value = _integer(text, _LONG_MAX)
        if value is None:
            raise Refused(
                ResponseCode.MESSAGE_ILLEGAL,
                f"timer message illegal: {name}={text[:40]!r} is not a number",
            )
        if name == TIMER_DELAY_SEC:
            return now_ms + value * 1000
        return now_ms + value if name == TIMER_DELAY_MS else value
    raise AssertionError("a timer property is present")


def _integer(text: str, largest: int) -> int | None:
    if not _INTEGER.fullmatch(text):
        return None
    value = int(text)
    return value if -largest - 1 <= value <= largest else None
