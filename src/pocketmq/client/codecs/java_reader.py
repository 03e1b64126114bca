"""Reads Java serialization: one object, as `ObjectOutputStream.writeObject` left it.

    magic   ACED 0005
    then    one value: a byte that says what it is, and its content

Classes of the sender are described in the stream, so every Serializable object can be read without
the classes: well-known ones become Python values (java_builtins.py), others a `JavaObject`. No
code runs, whatever a body says.
"""

from __future__ import annotations

import struct
from typing import Any, Final

from pocketmq.client.codecs.bounds import Budget, DecodeLimits, References
from pocketmq.client.codecs.java_builtins import BUILDERS, BlockData, Parts
from pocketmq.client.codecs.java_values import (
    JavaByte,
    JavaChar,
    JavaClass,
    JavaEnum,
    JavaField,
    JavaFloat,
    JavaLong,
    JavaObject,
    JavaShort,
)
from pocketmq.client.codecs.modified_utf8 import decode_units
from pocketmq.errors import BodyUndecodable

MAGIC: Final = b"\xac\xed\x00\x05"
FIRST_HANDLE: Final = 0x7E0000

(
    NULL,
    REFERENCE,
    CLASS_DESCRIPTION,
    OBJECT,
    STRING,
    ARRAY,
    CLASS,
    BLOCK_DATA,
    END_BLOCK_DATA,
    RESET,
    BLOCK_DATA_LONG,
    EXCEPTION,
    LONG_STRING,
    PROXY_CLASS_DESCRIPTION,
    ENUM,
) = range(0x70, 0x7F)

HAS_WRITE_METHOD: Final = 0x01
SERIALIZABLE: Final = 0x02
EXTERNALIZABLE: Final = 0x04
EXTERNAL_BLOCKS: Final = 0x08

_FORMATS: Final = {"B": "b", "D": "d", "F": "f", "I": "i", "J": "q", "S": "h", "Z": "?", "C": "H"}
_SIZES: Final = {code: struct.calcsize(">" + text) for code, text in _FORMATS.items()}
_WRAPPED: Final = {"B": JavaByte, "S": JavaShort, "F": JavaFloat}


def read_java(body: bytes, limits: DecodeLimits) -> Any:
    """The one object in a body. Raise BodyUndecodable."""
    if body[:4] != MAGIC:
        raise BodyUndecodable("not Java serialization: it does not begin with AC ED 00 05")
    reader = _Reader(body, limits)
    value = reader.value()
    if reader.position != len(body):
        raise BodyUndecodable(f"{len(body) - reader.position} bytes follow the object")
    return value


class _Reader:
    def __init__(self, body: bytes, limits: DecodeLimits) -> None:
        self._body = body
        self.position = len(MAGIC)
        self._budget = Budget(limits, len(body))
        self._known = References(self._budget)

    # -- bytes --------------------------------------------------------------------------------

    def _take(self, count: int) -> bytes:
        end = self.position + count
        if count < 0 or end > len(self._body):
            raise BodyUndecodable(f"the body ends early: {count} bytes wanted at {self.position}")
        taken = self._body[self.position : end]
        self.position = end
        return taken

    def _number(self, code: str) -> Any:
        return struct.unpack(">" + _FORMATS[code], self._take(_SIZES[code]))[0]

    def _unsigned(self, size: int) -> int:
        return int.from_bytes(self._take(size), "big")

    def _short_text(self) -> str:
        return decode_units(self._take(self._unsigned(2)))

    # -- values -------------------------------------------------------------------------------

    def value(self) -> Any:
        """The next value. Raise BodyUndecodable."""
        self._budget.enter()
        self._budget.spend(1)
        kind = self._unsigned(1)
        while kind == RESET:
            if not self._budget.is_outermost:
                raise BodyUndecodable(f"references are reset within a value at {self.position - 1}")
            self._known.clear()
            kind = self._unsigned(1)
        read = self._READERS.get(kind)
        if read is None:
            raise BodyUndecodable(f"{_name(kind)} at {self.position - 1} is not read")
        value = read(self)
        self._budget.leave()
        return value

    def _null(self) -> None:
        return None

    def _reference(self) -> Any:
        value = self._known.get(self._unsigned(4) - FIRST_HANDLE)
        if isinstance(value, JavaClass):
            raise BodyUndecodable("a class description where a value should be")
        return value

    def _string(self) -> str:
        return self._keep_text(self._unsigned(2))

    def _long_string(self) -> str:
        return self._keep_text(self._unsigned(8))

    def _keep_text(self, size: int) -> str:
        before = self._budget.spent
        number = self._known.open()
        self._budget.spend(1 + size // 64)
        text = decode_units(self._take(size))
        self._known.finish(number, text, before)
        return text

    def _class(self) -> JavaObject:
        before = self._budget.spent
        described = self._needed_class()
        found = JavaObject("java.lang.Class", {"name": described.name})
        self._known.finish(self._known.open(), found, before)
        return found

    def _enum(self) -> JavaEnum:
        before = self._budget.spent
        described = self._needed_class()
        number = self._known.open()
        name = self.value()
        if not isinstance(name, str):
            raise BodyUndecodable("an enum constant without a name")
        found = JavaEnum(described.name, name)
        self._known.finish(number, found, before)
        return found

    def _array(self) -> Any:
        before = self._budget.spent
        described = self._needed_class()
        number = self._known.open()
        count = self._number("I")
        element = described.name[1:2]
        left = len(self._body) - self.position
        if not described.name.startswith("[") or count < 0 or count * _SIZES.get(element, 1) > left:
            raise BodyUndecodable(f"an array {described.name[:40]} of {count} in {left} bytes")
        value: Any
        if element == "B":
            self._budget.spend(count // 64)
            value = self._take(count)
        elif element in _FORMATS:
            self._budget.spend(count)
            taken = self._take(count * _SIZES[element])
            value = [
                _typed(element, n) for n in struct.unpack(f">{count}{_FORMATS[element]}", taken)
            ]
        else:
            value = [self.value() for _ in range(count)]
        self._known.finish(number, value, before)
        return value

    def _object(self) -> Any:
        before = self._budget.spent
        described = self._needed_class()
        build = BUILDERS.get(described.name)
        made = JavaObject(described.name) if build is None else None
        number = self._known.open(made)
        parts = Parts()
        for level in described.line():
            self._level(level, parts)
        value: Any
        if build is not None:
            try:
                value = build(parts)
            except (LookupError, ValueError, TypeError, OverflowError, struct.error) as error:
                raise BodyUndecodable(
                    f"a {described.name} that is not well formed: {error}"
                ) from None
        else:
            assert made is not None
            made.fields, made.extra, made.described = parts.fields, parts.extra, described
            made.serial_version_uid = described.serial_version_uid
            value = made
        self._known.finish(number, value, before)
        return value

    def _level(self, level: JavaClass, parts: Parts) -> None:
        """Read what one class of an object's line of classes wrote."""
        if level.flags & EXTERNALIZABLE:
            if not level.flags & EXTERNAL_BLOCKS:
                raise BodyUndecodable(f"{level.name} is written in a form only its class can read")
            self._annotation(parts.extra)
            return
        if not level.flags & SERIALIZABLE:
            raise BodyUndecodable(f"{level.name} is neither serializable nor externalizable")
        for field in level.fields:
            parts.fields[field.name] = self._field(field)
        if level.flags & HAS_WRITE_METHOD:
            self._annotation(parts.extra)

    def _field(self, field: JavaField) -> Any:
        if field.type_code in _FORMATS:
            self._budget.spend(1)
            value = self._number(field.type_code)
            return _typed(field.type_code, value)
        return self.value()

    def _annotation(self, found: list[Any]) -> None:
        """Read block data and objects up to their end mark."""
        while True:
            kind = self._body[self.position : self.position + 1]
            if kind and kind[0] in (END_BLOCK_DATA, BLOCK_DATA, BLOCK_DATA_LONG):
                self.position += 1
                if kind[0] == END_BLOCK_DATA:
                    return
                size = self._unsigned(1 if kind[0] == BLOCK_DATA else 4)
                self._budget.spend(1 + size // 64)
                found.append(BlockData(self._take(size)))
            else:
                found.append(self.value())

    # -- classes ------------------------------------------------------------------------------

    def _needed_class(self) -> JavaClass:
        described = self._class_description()
        if described is None:
            raise BodyUndecodable("an object without a class")
        return described

    def _class_description(self) -> JavaClass | None:
        kind = self._unsigned(1)
        if kind == NULL:
            return None
        if kind == REFERENCE:
            known = self._known.get(self._unsigned(4) - FIRST_HANDLE)
            if not isinstance(known, JavaClass):
                raise BodyUndecodable("a reference to something else where a class should be")
            return known
        if kind != CLASS_DESCRIPTION:
            raise BodyUndecodable(f"{_name(kind)} at {self.position - 1} where a class should be")
        self._budget.enter()
        self._budget.spend(1)
        name = self._short_text()
        uid = self._number("J")
        number = self._known.open()
        flags = self._unsigned(1)
        fields = tuple(self._described_field() for _ in range(self._unsigned(2)))
        self._annotation([])
        parent = self._class_description()
        described = JavaClass(name, uid, flags, fields, parent)
        # A class costs a reference little: only the objects made of it count.
        self._known.finish(number, described, self._budget.spent)
        self._budget.leave()
        return described

    def _described_field(self) -> JavaField:
        self._budget.spend(1)
        code = chr(self._unsigned(1))
        name = self._short_text()
        if code in _FORMATS:
            return JavaField(code, name)
        signature = self.value() if code in "L[" else None
        if not isinstance(signature, str):
            raise BodyUndecodable(f"the field {name[:40]!r} has no type")
        return JavaField(code, name, signature)

    _READERS: Final = {
        NULL: _null,
        REFERENCE: _reference,
        OBJECT: _object,
        STRING: _string,
        LONG_STRING: _long_string,
        ARRAY: _array,
        CLASS: _class,
        ENUM: _enum,
    }


def _typed(code: str, value: Any) -> Any:
    """A primitive that remembers its type where Python's own would be written as another."""
    if code == "C":
        return JavaChar(chr(value))
    if code == "J":
        return JavaLong(value) if -(2**31) <= value < 2**31 else value
    wrapped = _WRAPPED.get(code)
    return value if wrapped is None else wrapped(value)


def _name(kind: int) -> str:
    names = {
        BLOCK_DATA: "block data outside an object",
        BLOCK_DATA_LONG: "block data outside an object",
        PROXY_CLASS_DESCRIPTION: "a dynamic proxy",
        EXCEPTION: "an exception in the middle of writing",
        CLASS_DESCRIPTION: "a class description",
    }
    return names.get(kind, f"the byte {kind:#04x}")
