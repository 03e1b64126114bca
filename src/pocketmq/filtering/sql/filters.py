"""Compiled SQL92 filters, and how they look at stored records.

Only the properties that an expression names are read, straight from the stored bytes.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from pocketmq.filtering.sql.evaluate import Unconvertible, compile_tree, names_in
from pocketmq.filtering.sql.parser import parse
from pocketmq.message.properties import decode_property_bytes

_COMPILED_MAX: Final = 1024

_SYS_FLAG_LOW: Final = 39
_BORN_HOST_V6: Final = 0x10
_STORE_HOST_V6: Final = 0x20
_BODY_SIZE_AT: Final = 84
_V6_EXTRA: Final = 12
_MAGIC_LOW: Final = 7
_MAGIC_V2_LOW: Final = 0xAB


class SqlFilter:
    """One expression, compiled once. Safe to share: it keeps nothing of the messages it sees."""

    __slots__ = ("_evaluate", "_needles", "expression", "names")

    def __init__(self, expression: str) -> None:
        tree = parse(expression)
        self.expression = expression
        self.names = tuple(names_in(tree))
        self._needles = [(b"\x02%b\x01" % name.encode(), len(name) + 2) for name in self.names]
        places = {name: place for place, name in enumerate(self.names)}
        self._evaluate = compile_tree(tree, places)

    def accept(self, record: memoryview) -> bool:
        """Whether a whole stored record is wanted."""
        return self.matches(properties_of(record))

    def matches(self, properties: bytes) -> bool:
        """Whether a message with these stored properties is wanted."""
        data = b"\x02" + properties
        values: list[str | None] = []
        for needle, length in self._needles:
            at = data.rfind(needle)
            if at < 0:
                values.append(None)
                continue
            at += length
            end = data.find(b"\x02", at)
            value = data[at:end] if end >= 0 else data[at:]
            if not value:
                return self._matches_decoded(properties)
            values.append(str(value, "utf-8", "replace"))
        try:
            return self._evaluate(values) is True
        except Unconvertible:
            return False

    def _matches_decoded(self, properties: bytes) -> bool:
        """The long way, for strings with parts that are no properties."""
        found = decode_property_bytes(properties)
        try:
            return self._evaluate([found.get(name) for name in self.names]) is True
        except Unconvertible:
            return False


def properties_of(record: memoryview) -> bytes:
    """The property bytes of a whole stored record."""
    at = _BODY_SIZE_AT
    hosts = record[_SYS_FLAG_LOW]
    if hosts & _BORN_HOST_V6:
        at += _V6_EXTRA
    if hosts & _STORE_HOST_V6:
        at += _V6_EXTRA
    at += 4 + int.from_bytes(record[at : at + 4], "big")
    if record[_MAGIC_LOW] == _MAGIC_V2_LOW:
        at += 2 + (record[at] << 8 | record[at + 1])
    else:
        at += 1 + record[at]
    length = record[at] << 8 | record[at + 1]
    return bytes(record[at + 2 : at + 2 + length])


@lru_cache(maxsize=_COMPILED_MAX)
def compile_sql(expression: str) -> SqlFilter:
    """The filter of an expression. Raise SubscriptionInvalid, with the position."""
    return SqlFilter(expression)
