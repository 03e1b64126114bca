"""Sends in a JSON header as clients usually write it, read in one step.

Java's clients, and those made after them, write the same keys in the same order, names in ASCII and
short numbers. Such a header matches one pattern, which costs a third of reading it as JSON. What
does not match is no less a send: it is read the general way, with the same result.
"""

from __future__ import annotations

import re
from functools import cache
from typing import Final

from pocketmq.message.send_properties import BROKER_SETS, MODELS, scan_send_properties
from pocketmq.protocol.headers import LANGUAGE_NUMBERS

_NAME: Final = rb'"([\w%|-]+)"'
_NUMBER: Final = rb'"(-?\d{1,9})"'
_FIELDS: Final = (
    rb'"a":' + _NAME,
    rb',"b":' + _NAME,
    rb',"c":' + _NAME,
    rb',"d":' + _NUMBER,
    rb',"e":' + _NUMBER,
    rb',"f":' + _NUMBER,
    rb',"g":"(\d{1,18})"',
    rb',"h":' + _NUMBER,
    rb',"i":"([^"\x00-\x1f\x7f-\xff]*)"',
    rb'(?:,"j":' + _NUMBER + rb")?",
    rb'(?:,"k":"(true|false)")?',
    rb'(?:,"l":' + _NUMBER + rb")?",
    rb'(?:,"m":"(true|false)")?',
    rb'(?:,"n":"[\w.-]*")?',
)
_SEND: Final = re.compile(
    rb'\{"code":(310|320),"extFields":\{'
    + b"".join(_FIELDS)
    + rb'\},"flag":(\d),"language":"([A-Z_]+)","opaque":(\d{1,10}),'
    rb'"serializeTypeCurrentRPC":"JSON","version":(\d{1,4})\}'
)
# The same of a send that is stored as it came, its properties taken apart. Each part of a property
# string fits one branch only, so that what does not match is found out in one pass.
_TEXT: Final = rb'[^"\\\x00-\x1f\x7f-\xff]+'
_NOT_ORDINARY: Final = b"|".join(map(re.escape, sorted(BROKER_SETS | MODELS)))


def _property(name: bytes, value: bytes) -> bytes:
    return name + rb"\\u0001" + value + rb"\\u0002"


_PROPERTIES: Final = b"|".join(
    (
        _property(b"KEYS", b"(" + _TEXT + b")"),
        _property(b"UNIQ_KEY", b"(" + _TEXT + b")"),
        _property(b"TAGS", b"(" + _TEXT + b")"),
        _property(b"WAIT", b"(true|false)"),
        rb"(?!(?:KEYS|UNIQ_KEY|TAGS|WAIT|"
        + _NOT_ORDINARY
        + rb")\\u0001)"
        + _property(_TEXT, _TEXT),
    )
)


@cache
def plain_send_pattern() -> re.Pattern[bytes]:
    """The pattern; compiled where it is used, as that takes a while.

    Its groups: topic, queue id, flags, birth, application's flag, properties, KEYS, UNIQ_KEY, TAGS,
    WAIT, times consumed, flag of the frame (2: one-way), opaque.
    """
    return re.compile(
        rb'\{"code":310,"extFields":\{"a":"[\w%|-]+","b":'
        + _NAME
        + rb',"c":"[\w%|-]+","d":"-?\d{1,9}","e":"(\d{1,9})","f":'
        + _NUMBER
        + rb',"g":"(\d{1,18})","h":'
        + _NUMBER
        + rb',"i":"((?:'
        + _PROPERTIES
        + rb')+)"(?:,"j":'
        + _NUMBER
        + rb')?(?:,"k":"(?:true|false)")?(?:,"l":"-?\d{1,9}")?(?:,"m":"false")?(?:,"n":"[\w.-]*")?'
        rb'\},"flag":([02]),"language":"[A-Z_]+","opaque":(\d{1,10}),'
        rb'"serializeTypeCurrentRPC":"JSON","version":\d{1,4}\}'
    )


class _Numbers(dict[bytes, int]):
    """Numbers by their digits: looking up a small one is much cheaper than reading it."""

    def __missing__(self, digits: bytes) -> int:
        return int(digits)


NUMBERS: Final = _Numbers((b"%d" % number, number) for number in range(-1, 1024))

Send = tuple[int, int, int, int | None, int, tuple[object, ...]]


def read_usual_send(data: bytes, start: int, end: int) -> Send | None:
    """Return (code, opaque, flag, language, version, fields of a send) of the header between these
    positions, or None when it has to be read the general way."""
    found = _SEND.fullmatch(data, start, end)
    if found is None:
        return None
    (
        code, group, topic, default_topic, default_queues, queue_id, sys_flag, born_ms, app_flag,
        properties, times, unit, times_max, batch, flag, language, opaque, version,
    ) = found.groups()  # fmt: skip
    number = int(opaque)
    if number > 0x7FFFFFFF:
        return None
    properties = properties.replace(rb"\u0001", b"\x01").replace(rb"\u0002", b"\x02")
    if b"\\" in properties:
        return None
    numbers = NUMBERS
    fields = (
        group.decode(),
        topic.decode(),
        default_topic.decode(),
        numbers[default_queues],
        numbers[queue_id],
        numbers[sys_flag],
        int(born_ms),
        numbers[app_flag],
        properties,
        0 if times is None else numbers[times],
        unit == b"true",
        -1 if times_max is None else numbers[times_max],
        batch == b"true",
        *scan_send_properties(properties),
    )
    spoken = LANGUAGE_NUMBERS.get(language.decode())
    return numbers[code], number, numbers[flag], spoken, numbers[version], fields
