"""Writes Hessian 2, so that Java's Hessian2Input.readObject gives Java's own types.

bool Boolean · int Integer or Long by size · float Double · Decimal BigDecimal · str String
bytes byte[] · list, tuple ArrayList · dict HashMap · set HashSet · datetime Date
JavaLong, JavaArray, JavaEnum, JavaObject as they say
"""

from __future__ import annotations

import datetime as dt
import struct
from collections.abc import Callable
from decimal import Decimal
from typing import Any, Final

from pocketmq.client.codecs.java_builtins import EPOCH, MILLISECOND
from pocketmq.client.codecs.java_values import (
    JavaArray,
    JavaByte,
    JavaEnum,
    JavaFloat,
    JavaLong,
    JavaObject,
    JavaShort,
)
from pocketmq.client.codecs.modified_utf8 import encode_units, split_surrogates
from pocketmq.errors import BodyUnencodable

DEPTH_MAX: Final = 100
TEXT_PIECE_UNITS: Final = 0x8000
BYTES_PIECE: Final = 8189

_MS_PER_MINUTE: Final = 60_000
_ARRAY_NAMES: Final = {"java.lang.String": "string", "java.lang.Object": "object"}


def write_hessian(value: Any) -> bytes:
    """The bytes of one value. Raise BodyUnencodable for what Hessian cannot say."""
    writer = _Writer()
    writer.value(value)
    return bytes(writer.out)


class _Writer:
    def __init__(self) -> None:
        self.out = bytearray()
        self._known: dict[int, tuple[int, object]] = {}
        self._types: dict[str, int] = {}
        self._classes: dict[tuple[str, tuple[str, ...]], int] = {}
        self._depth = 0

    def value(self, value: Any) -> None:
        """Write any value."""
        self._depth += 1
        if self._depth > DEPTH_MAX:
            raise BodyUnencodable(f"values lie deeper than {DEPTH_MAX} levels")
        for kind in type(value).__mro__:
            write = self._WRITERS.get(kind)
            if write is not None:
                write(self, value)
                break
        else:
            raise BodyUnencodable(
                f"Hessian has no type for {type(value).__name__}; use one of "
                "pocketmq.client.codecs' Java types, or turn it into a dict"
            )
        self._depth -= 1

    def _pack(self, form: str, *values: Any) -> None:
        self.out += struct.pack(">" + form, *values)

    # -- numbers ------------------------------------------------------------------------------

    def _none(self, value: None) -> None:
        self.out += b"N"

    def _bool(self, value: bool) -> None:
        self.out += b"T" if value else b"F"

    def _int(self, value: int) -> None:
        if -0x10 <= value <= 0x2F:
            self._pack("B", value + 0x90)
        elif -0x800 <= value <= 0x7FF:
            self._pack("H", value + 0xC800)
        elif -0x40000 <= value <= 0x3FFFF:
            self.out += (value + 0xD40000).to_bytes(3, "big")
        elif -(2**31) <= value < 2**31:
            self._pack("Bi", 0x49, value)
        else:
            self._long(value)

    def _long(self, value: int) -> None:
        if -8 <= value <= 15:
            self._pack("B", value + 0xE0)
        elif -0x800 <= value <= 0x7FF:
            self._pack("H", value + 0xF800)
        elif -0x40000 <= value <= 0x3FFFF:
            self.out += (value + 0x3C0000).to_bytes(3, "big")
        elif -(2**31) <= value < 2**31:
            self._pack("Bi", 0x59, value)
        elif -(2**63) <= value < 2**63:
            self._pack("Bq", 0x4C, value)
        else:
            raise BodyUnencodable(f"{value} does not fit into a Java long; send a Decimal or a str")

    def _float(self, value: float) -> None:
        negative_zero = value == 0.0 and str(value)[0] == "-"
        if value.is_integer() and -0x8000 <= value <= 0x7FFF and not negative_zero:
            whole = int(value)
            if whole in (0, 1):
                self._pack("B", 0x5B + whole)
            elif -0x80 <= whole <= 0x7F:
                self._pack("Bb", 0x5D, whole)
            else:
                self._pack("Bh", 0x5E, whole)
            return
        thousandths = int(value * 1000) if abs(value) < 2_000_000 else 0
        if thousandths * 0.001 == value and not negative_zero:
            self._pack("Bi", 0x5F, thousandths)
        else:
            self._pack("Bd", 0x44, value)

    def _datetime(self, value: dt.datetime) -> None:
        aware = value if value.tzinfo is not None else value.replace(tzinfo=dt.timezone.utc)
        ms = (aware - EPOCH) // MILLISECOND
        minutes, rest = divmod(ms, _MS_PER_MINUTE)
        if rest == 0 and -(2**31) <= minutes < 2**31:
            self._pack("Bi", 0x4B, minutes)
        else:
            self._pack("Bq", 0x4A, ms)

    # -- text and bytes -----------------------------------------------------------------------

    def _text(self, value: str) -> None:
        units = split_surrogates(value)
        while len(units) > TEXT_PIECE_UNITS:
            piece = units[:TEXT_PIECE_UNITS]
            if "\ud800" <= piece[-1] <= "\udbff":  # keep pairs whole, as Java does
                piece = piece[:-1]
            self._pack("BH", 0x52, len(piece))
            self.out += encode_units(piece)
            units = units[len(piece) :]
        if len(units) < 0x20:
            self._pack("B", len(units))
        elif len(units) < 0x400:
            self._pack("H", 0x3000 + len(units))
        else:
            self._pack("BH", 0x53, len(units))
        self.out += encode_units(units)

    def _bytes(self, value: bytes | bytearray) -> None:
        left = memoryview(value)
        while len(left) > BYTES_PIECE:
            self._pack("BH", 0x41, BYTES_PIECE)
            self.out += left[:BYTES_PIECE]
            left = left[BYTES_PIECE:]
        if len(left) < 0x10:
            self._pack("B", 0x20 + len(left))
        elif len(left) < 0x400:
            self._pack("H", 0x3400 + len(left))
        else:
            self._pack("BH", 0x42, len(left))
        self.out += left

    # -- collections and objects --------------------------------------------------------------

    def _seen(self, value: object) -> bool:
        """Write a reference to what was written before; else remember it and say False."""
        known = self._known.get(id(value))
        if known is not None:
            self.out += b"Q"
            self._int(known[0])
            return True
        self._known[id(value)] = (len(self._known), value)
        return False

    def _type(self, name: str) -> None:
        known = self._types.get(name)
        if known is not None:
            self._int(known)
            return
        self._types[name] = len(self._types)
        self._text(name)

    def _items(self, items: Any, type_name: str = "") -> None:
        count = len(items)
        if count < 8:
            self._pack("B", (0x70 if type_name else 0x78) + count)
        else:
            self._pack("B", 0x56 if type_name else 0x58)
        if type_name:
            self._type(type_name)
        if count >= 8:
            self._int(count)
        for item in items:
            self.value(item)

    def _list(self, value: list[Any] | tuple[Any, ...]) -> None:
        if not self._seen(value):
            self._items(value)

    def _set(self, value: set[Any] | frozenset[Any]) -> None:
        if not self._seen(value):
            self._items(value, "java.util.HashSet")

    def _array(self, value: JavaArray) -> None:
        if self._seen(value):
            return
        name, depth = value.element_type, 1
        while name.endswith("[]"):
            name, depth = name[:-2], depth + 1
        self._items(value.items, "[" * depth + _ARRAY_NAMES.get(name, name))

    def _map(self, value: dict[Any, Any]) -> None:
        if self._seen(value):
            return
        self.out += b"H"
        for key, item in value.items():
            self.value(key)
            self.value(item)
        self.out += b"Z"

    def _object(self, value: JavaObject) -> None:
        if not self._seen(value):
            self._fields(value.class_name, value.fields)

    def _fields(self, name: str, fields: dict[str, Any]) -> None:
        described = (name, tuple(fields))
        number = self._classes.get(described)
        if number is None:
            number = len(self._classes)
            self._classes[described] = number
            self.out += b"C"
            self._text(name)
            self._int(len(fields))
            for field in fields:
                self._text(field)
        if number < 16:
            self._pack("B", 0x60 + number)
        else:
            self.out += b"O"
            self._int(number)
        for item in fields.values():
            self.value(item)

    def _enum(self, value: JavaEnum) -> None:
        if not self._seen(value):
            self._fields(value.class_name, {"name": value.name})

    def _handle(self, value: JavaByte | JavaShort | JavaFloat) -> None:
        """Numbers that Hessian has no word for, as the Java library says them."""
        name = type(value).__name__.removeprefix("Java")
        plain = float(value) if isinstance(value, float) else int(value)
        if not self._seen(value):
            self._fields(f"com.caucho.hessian.io.{name}Handle", {"_value": plain})

    def _decimal(self, value: Decimal) -> None:
        if not value.is_finite():
            raise BodyUnencodable(f"Java's BigDecimal has no {value}")
        if not self._seen(value):
            self._fields("java.math.BigDecimal", {"value": str(value)})

    _WRITERS: Final[dict[type, Callable[..., None]]] = {
        type(None): _none,
        bool: _bool,
        JavaByte: _handle,
        JavaShort: _handle,
        JavaFloat: _handle,
        JavaLong: _long,
        int: _int,
        float: _float,
        str: _text,
        bytes: _bytes,
        bytearray: _bytes,
        Decimal: _decimal,
        list: _list,
        tuple: _list,
        dict: _map,
        set: _set,
        frozenset: _set,
        dt.datetime: _datetime,
        JavaArray: _array,
        JavaEnum: _enum,
        JavaObject: _object,
    }
