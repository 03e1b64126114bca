"""One look at the properties a producer sent, before they are stored.

A property string is `name 01 value 02` repeated; the last 02 may be missing. Most strings are
stored as they came, with the broker's own properties appended. `scan_send_properties` finds the
message's unique key and says whether anything in the string asks for more than that.
"""

from __future__ import annotations

from typing import Final

from pocketmq import _speedups

REWRITE: Final = 1
"""The string must be rebuilt: it holds a property that the broker sets, or a damaged part."""
NO_WAIT: Final = 2
"""WAIT is `false`: the answer need not wait for the disk."""
SPECIAL: Final = 4
"""A message model is asked for: delay, timer, transaction, inner batch, several queues, recall."""
HAS_KEYS: Final = 8
"""KEYS is present."""
UNTERMINATED: Final = 16
"""The last separator is missing."""

BROKER_SETS: Final = frozenset((b"POP_CK", b"MSG_REGION", b"TRACE_ON", b"CLUSTER", b"__CRC32#"))
MODELS: Final = frozenset(
    (
        b"DELAY",
        b"TIMER_DELAY_SEC",
        b"TIMER_DELAY_MS",
        b"TIMER_DELIVER_MS",
        b"TIMER_DEL_UNIQKEY",
        b"TRAN_MSG",
        b"INNER_NUM",
        b"INNER_BASE",
        b"INNER_MULTI_DISPATCH",
    )
)


def scan_send_properties_plain(properties: bytes) -> tuple[bytes, int]:
    """The unique key (empty when absent) and the marks above, or-ed together."""
    unique_key, marks = b"", 0
    for part in properties.split(b"\x02"):
        if not part:
            continue
        name, separator, value = part.partition(b"\x01")
        if not separator or not name or not value:
            marks |= REWRITE
        elif name == b"UNIQ_KEY":
            unique_key = value
        elif name == b"WAIT":
            if value == b"false":
                marks |= NO_WAIT
        elif name == b"KEYS":
            marks |= HAS_KEYS
        elif name in BROKER_SETS:
            marks |= REWRITE
        elif name in MODELS:
            marks |= SPECIAL
    if properties and not properties.endswith(b"\x02"):
        marks |= UNTERMINATED
    return unique_key, marks


if _speedups.has("properties"):
    from pocketmq._speedups.properties import scan_send_properties as scan_send_properties
else:
    scan_send_properties = scan_send_properties_plain
