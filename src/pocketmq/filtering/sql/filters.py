"""Compiled SQL92 filters, and how they look at stored records.

Only the properties that an expression names are read, straight from the stored bytes.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from pocketmq import _speedups
from pocketmq.filtering.sql.evaluate import Unconvertible, compile_tree, names_in
from pocketmq.filtering.sql.parser import parse
from pocketmq.filtering.sql.program import compile_program
from pocketmq.message.properties import decode_property_bytes
from pocketmq.message.record import RECORD_BYTES_MIN, Buffer

_COMPILED_MAX: Final = 1024

_SYS_FLAG_LOW: Final = 39
_BORN_HOST_V6: Final = 0x10
_STORE_HOST_V6: Final = 0x20
_BODY_SIZE_AT: Final = 84
_V6_EXTRA: Final = 12
_MAGIC_LOW: Final = 7
_MAGIC_V2_LOW: Final = 0xAB


class SqlFilter:
    """One expression, compiled once. Safe to share: it keeps nothing of the messages it sees.

    Called with a whole stored record, it tells whether the record is wanted.
    """

    __slots__ = ("_evaluate", "_names", "expression", "names", "program")

    def __init__(self, expression: str) -> None:
        tree = parse(expression)
        self.expression = expression
        self.names = tuple(names_in(tree))
        self._names = tuple(name.encode() for name in self.names)
        places = {name: place for place, name in enumerate(self.names)}
        self._evaluate = compile_tree(tree, places)
        self.program = compile_program(tree, self.names)

    def __call__(self, record: memoryview) -> bool:
        """Whether a whole stored record is wanted."""
        sizes = self.choose(record)
        return bool(sizes) and sizes[0] > 0

    def choose(self, stretch: memoryview) -> list[int]:
        """The sizes of the whole records in a stretch of the log, negative for unwanted ones."""
        evaluate = self._evaluate
        sizes = []
        for size, values in stretch_values(stretch, self._names):
            try:
                sizes.append(size if evaluate(values) is True else -size)
            except Unconvertible:
                sizes.append(-size)
        return sizes

    def matches(self, properties: bytes) -> bool:
        """Whether a message with these stored properties is wanted."""
        found = decode_property_bytes(properties)
        try:
            return self._evaluate([found.get(name) for name in self.names]) is True
        except Unconvertible:
            return False


def stretch_values_plain(
    data: Buffer, names: tuple[bytes, ...]
) -> list[tuple[int, list[str | None]]]:
    """(size, values of the names) of each whole record in a stretch of the log."""
    view = memoryview(data)
    found: list[tuple[int, list[str | None]]] = []
    at = 0
    while len(view) - at >= RECORD_BYTES_MIN:
        size = int.from_bytes(view[at : at + 4], "big")
        if not RECORD_BYTES_MIN <= size <= len(view) - at:
            break
        properties = decode_property_bytes(properties_of(view[at : at + size]))
        found.append((size, [properties.get(name.decode()) for name in names]))
        at += size
    return found


if _speedups.has("filters"):
    from pocketmq._speedups.filters import stretch_values as stretch_values
else:
    stretch_values = stretch_values_plain


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
