"""Reads Hessian 2: one value, as Java's Hessian2Output leaves it.

The first byte of a value says what it is, and for small values what it holds:

    00..1f 30..33 52 53   text        20..2f 34..37 41 42   bytes       4e   null    46 54   bool
    49 80..d7             int         38..3f 4c 59 d8..ff   long        44 5b..5f    double
    4a 4b                 date        48 4d                 map         43 4f 60..6f class, object
    55..58 70..7f         list        51                    reference to an earlier value

Java beans become a `JavaObject`, typed maps of Java's own classes a dict, lists and arrays a list.
"""

from __future__ import annotations

import struct
from decimal import Decimal
from typing import Any, Final

from pocketmq.client.codecs.bounds import Budget, DecodeLimits, References
from pocketmq.client.codecs.java_builtins import as_map, as_set, moment
from pocketmq.client.codecs.java_values import (
    JavaByte,
    JavaFloat,
    JavaLong,
    JavaObject,
    JavaShort,
)
from pocketmq.client.codecs.modified_utf8 import decode_units, join_surrogates
from pocketmq.errors import BodyUndecodable

_SETS: Final = {
    "java.util.HashSet",
    "java.util.LinkedHashSet",
    "java.util.TreeSet",
    "java.util.Set",
    "java.util.Collections$UnmodifiableSet",
}
_DECIMAL_TEXT_MAX: Final = 4096
_MS_PER_MINUTE: Final = 60_000


def read_hessian(body: bytes, limits: DecodeLimits) -> Any:
    """The one value in a body. Raise BodyUndecodable."""
    reader = _Reader(body, limits)
    value = reader.value()
    if reader.position != len(body):
        raise BodyUndecodable(
            f"not Hessian 2: {len(body) - reader.position} bytes follow the value"
        )
    return value


class _Reader:
    def __init__(self, body: bytes, limits: DecodeLimits) -> None:
        self._body = body
        self.position = 0
        self._budget = Budget(limits, len(body))
        self._known = References(self._budget)
        self._types: list[str] = []
        self._classes: list[tuple[str, tuple[str, ...]]] = []

    def _take(self, count: int) -> bytes:
        end = self.position + count
        if end > len(self._body):
            raise BodyUndecodable(f"the body ends early: {count} bytes wanted at {self.position}")
        taken = self._body[self.position : end]
        self.position = end
        return taken

    def _byte(self) -> int:
        return self._take(1)[0]

    def _signed(self, size: int) -> int:
        return int.from_bytes(self._take(size), "big", signed=True)

    def value(self) -> Any:
        """The next value. Raise BodyUndecodable."""
        self._budget.enter()
        self._budget.spend(1)
        value = self._of(self._byte())
        self._budget.leave()
        return value

    def _of(self, tag: int) -> Any:
        if tag < 0x20 or 0x30 <= tag <= 0x33 or tag in (0x52, 0x53):
            return self._text(tag)
        if tag < 0x30 or 0x34 <= tag <= 0x37 or tag in (0x41, 0x42):
            return self._binary(tag)
        if tag == 0x49 or 0x80 <= tag <= 0xD7:
            return self._int(tag)
        if 0x38 <= tag <= 0x3F or tag in (0x4C, 0x59) or tag >= 0xD8:
            number = self._long(tag)
            return JavaLong(number) if -(2**31) <= number < 2**31 else number
        if tag == 0x44 or 0x5B <= tag <= 0x5F:
            return self._double(tag)
        if tag in _CONSTANTS:
            return _CONSTANTS[tag]
        if tag in (0x4A, 0x4B):
            return moment(self._signed(8) if tag == 0x4A else self._signed(4) * _MS_PER_MINUTE)
        if 0x55 <= tag <= 0x58 or 0x70 <= tag <= 0x7F:
            return self._list(tag)
        if tag in (0x48, 0x4D):
            return self._map(tag)
        if tag == 0x51:
            return self._known.get(self._size())
        return self._object(tag)

    # -- numbers ------------------------------------------------------------------------------

    def _int(self, tag: int) -> int:
        if tag == 0x49:
            return self._signed(4)
        if tag <= 0xBF:
            return tag - 0x90
        if tag <= 0xCF:
            return ((tag - 0xC8) << 8) + self._byte()
        return ((tag - 0xD4) << 16) + int.from_bytes(self._take(2), "big")

    def _long(self, tag: int) -> int:
        if tag == 0x4C:
            return self._signed(8)
        if tag == 0x59:
            return self._signed(4)
        if tag >= 0xF0:
            return ((tag - 0xF8) << 8) + self._byte()
        if tag >= 0xD8:
            return tag - 0xE0
        return ((tag - 0x3C) << 16) + int.from_bytes(self._take(2), "big")

    def _double(self, tag: int) -> float:
        if tag == 0x44:
            return float(struct.unpack(">d", self._take(8))[0])
        if tag <= 0x5C:
            return float(tag - 0x5B)
        if tag == 0x5F:
            return self._signed(4) * 0.001
        return float(self._signed(1 if tag == 0x5D else 2))

    def _size(self) -> int:
        """An int value where a count or a number of something stands."""
        tag = self._byte()
        if tag != 0x49 and not 0x80 <= tag <= 0xD7:
            raise BodyUndecodable(f"the byte {tag:#04x} where a count should be")
        size = self._int(tag)
        if size < 0:
            raise BodyUndecodable(f"a count of {size}")
        return size

    # -- text and bytes -----------------------------------------------------------------------

    def _text(self, tag: int) -> str:
        """Text in pieces, each counted in UTF-16 code units."""
        pieces: list[str] = []
        while tag == 0x52:
            self._budget.spend(1)
            pieces.append(self._units(int.from_bytes(self._take(2), "big")))
            tag = self._byte()
        if tag == 0x53:
            pieces.append(self._units(int.from_bytes(self._take(2), "big")))
        elif tag < 0x20:
            pieces.append(self._units(tag))
        elif 0x30 <= tag <= 0x33:
            pieces.append(self._units(((tag - 0x30) << 8) + self._byte()))
        else:
            raise BodyUndecodable(f"the byte {tag:#04x} in the middle of a text")
        # A pair of surrogates may be cut by the pieces.
        return pieces[0] if len(pieces) == 1 else join_surrogates("".join(pieces))

    def _units(self, count: int) -> str:
        """`count` code units: bytes that begin a character count, a four-byte one twice."""
        body, start = self._body, self.position
        position = start
        quick = body[start : start + count]
        if len(quick) == count and quick.isascii():
            self.position = start + count
            return quick.decode("ascii")
        left = count
        while left > 0:
            lead = body[position] if position < len(body) else 0
            position += 1 if lead < 0x80 else 2 if lead < 0xE0 else 3 if lead < 0xF0 else 4
            left -= 2 if lead >= 0xF0 else 1
            if position > len(body):
                raise BodyUndecodable(f"the body ends in the middle of a text of {count} units")
        self._budget.spend(count // 64)
        return decode_units(self._take(position - start))

    def _binary(self, tag: int) -> bytes:
        pieces: list[bytes] = []
        while tag == 0x41:
            self._budget.spend(1)
            pieces.append(self._take(int.from_bytes(self._take(2), "big")))
            tag = self._byte()
        if tag == 0x42:
            pieces.append(self._take(int.from_bytes(self._take(2), "big")))
        elif 0x20 <= tag <= 0x2F:
            pieces.append(self._take(tag - 0x20))
        elif 0x34 <= tag <= 0x37:
            pieces.append(self._take(((tag - 0x34) << 8) + self._byte()))
        else:
            raise BodyUndecodable(f"the byte {tag:#04x} in the middle of bytes")
        return b"".join(pieces)

    # -- collections and objects --------------------------------------------------------------

    def _type(self) -> str:
        """A type's name, or the number of one named before."""
        tag = self._byte()
        if tag == 0x49 or 0x80 <= tag <= 0xD7:
            number = self._int(tag)
            if not 0 <= number < len(self._types):
                raise BodyUndecodable(f"type {number} of {len(self._types)}")
            return self._types[number]
        name = self._text(tag)
        self._types.append(name)
        return name

    def _list(self, tag: int) -> Any:
        before = self._budget.spent
        typed = tag in (0x55, 0x56) or 0x70 <= tag <= 0x77
        open_ended = tag in (0x55, 0x57)
        type_name = self._type() if typed else ""
        count = 0 if open_ended else self._size() if tag in (0x56, 0x58) else tag & 7
        if count > len(self._body) - self.position:
            raise BodyUndecodable(f"a list of {count} values in {len(self._body)} bytes")
        number = self._known.open()
        items: list[Any] = []
        if open_ended:
            while not self._ended():
                items.append(self.value())
        else:
            items = [self.value() for _ in range(count)]
        value = _checked(as_set, items) if type_name in _SETS else items
        self._known.finish(number, value, before)
        return value

    def _ended(self) -> bool:
        if self._body[self.position : self.position + 1] == b"Z":
            self.position += 1
            return True
        return False

    def _map(self, tag: int) -> Any:
        before = self._budget.spent
        type_name = self._type() if tag == 0x4D else ""
        bean = JavaObject(type_name) if type_name and not type_name.startswith("java.") else None
        number = self._known.open(bean)
        pairs: list[tuple[Any, Any]] = []
        while not self._ended():
            pairs.append((self.value(), self.value()))
        value: Any
        if bean is not None:
            bean.fields = {str(key): item for key, item in pairs}
            value = bean
        else:
            value = _checked(as_map, pairs)
        self._known.finish(number, value, before)
        return value

    def _object(self, tag: int) -> Any:
        while tag == 0x43:
            name = self._text(self._byte())
            count = self._size()
            if count > len(self._body) - self.position:
                raise BodyUndecodable(f"a class of {count} fields in {len(self._body)} bytes")
            self._budget.spend(1 + count)
            self._classes.append((name, tuple(self._text(self._byte()) for _ in range(count))))
            tag = self._byte()
        if tag != 0x4F and not 0x60 <= tag <= 0x6F:
            raise BodyUndecodable(f"the byte {tag:#04x} at {self.position - 1} begins no value")
        which = self._size() if tag == 0x4F else tag - 0x60
        if which >= len(self._classes):
            raise BodyUndecodable(f"class {which} of {len(self._classes)}")
        before = self._budget.spent
        name, fields = self._classes[which]
        made = JavaObject(name)
        number = self._known.open(made)
        for field in fields:
            made.fields[field] = self.value()
        value = _known_class(made)
        self._known.finish(number, value, before)
        return value


def _checked(build: Any, items: list[Any]) -> Any:
    try:
        return build(items)
    except ValueError as error:
        raise BodyUndecodable(f"a map or set cannot be built: {error}") from None


def _known_class(made: JavaObject) -> Any:
    """Java's own classes as Python values, where they have one."""
    inner = made.fields.get("value")
    if made.class_name == "java.math.BigDecimal" and isinstance(inner, str):
        try:
            if len(inner) <= _DECIMAL_TEXT_MAX:
                return Decimal(inner)
        except ArithmeticError:
            pass  # no number: then it stays what was sent
        raise BodyUndecodable("a java.math.BigDecimal that is no number")
    if made.class_name in _DATES and inner is not None:
        return inner
    wrapped = _HANDLES.get(made.class_name)
    number = made.fields.get("_value")
    if wrapped is not None and isinstance(number, (int, float)):
        try:
            return wrapped(number)
        except OverflowError as error:
            raise BodyUndecodable(str(error)) from None
    return made


_DATES: Final = {"java.sql.Timestamp", "java.sql.Date", "java.sql.Time"}
_HANDLES: Final[dict[str, Any]] = {
    "com.caucho.hessian.io.ByteHandle": JavaByte,
    "com.caucho.hessian.io.ShortHandle": JavaShort,
    "com.caucho.hessian.io.FloatHandle": JavaFloat,
}
_CONSTANTS: Final = {0x4E: None, 0x54: True, 0x46: False}
