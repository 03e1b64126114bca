"""Writes Java serialization, so that `ObjectInputStream.readObject` gives Java's own types.

bool Boolean · int Integer, Long or BigInteger by size · float Double · Decimal BigDecimal
str String · bytes byte[] · list, tuple ArrayList · dict HashMap · set HashSet
datetime Date (without a time zone it counts as UTC) · UUID UUID
JavaByte, JavaShort, JavaLong, JavaFloat, JavaChar, JavaArray, JavaEnum, JavaObject as they say
"""

from __future__ import annotations

import datetime as dt
import struct
import uuid
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from typing import Any, Final

from pocketmq.client.codecs import java_reader as grammar
from pocketmq.client.codecs.java_builtins import EPOCH, MILLISECOND
from pocketmq.client.codecs.java_values import (
    PRIMITIVES,
    JavaArray,
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
from pocketmq.client.codecs.modified_utf8 import encode_modified
from pocketmq.errors import BodyUnencodable

DEPTH_MAX: Final = 100
_PLAIN: Final = grammar.SERIALIZABLE
_OWN: Final = grammar.SERIALIZABLE | grammar.HAS_WRITE_METHOD
_ENUM_FLAGS: Final = grammar.SERIALIZABLE | 0x10

_NUMBER = JavaClass("java.lang.Number", -8742448824652078965, _PLAIN, ())


def _boxed(name: str, uid: int, code: str, parent: JavaClass | None = _NUMBER) -> JavaClass:
    return JavaClass(f"java.lang.{name}", uid, _PLAIN, (JavaField(code, "value"),), parent)


_BOOLEAN = _boxed("Boolean", -3665804199014368530, "Z", None)
_BYTE = _boxed("Byte", -7183698231559129828, "B")
_SHORT = _boxed("Short", 7515723908773894738, "S")
_INTEGER = _boxed("Integer", 1360826667806852920, "I")
_LONG = _boxed("Long", 4290774380558885855, "J")
_FLOAT = _boxed("Float", -2671257302660747028, "F")
_DOUBLE = _boxed("Double", -9172774392245257468, "D")
_CHARACTER = _boxed("Character", 3786198910865385080, "C", None)
_BIG_INTEGER = JavaClass(
    "java.math.BigInteger",
    -8287574255936472291,
    _OWN,
    (
        JavaField("I", "bitCount"),
        JavaField("I", "bitLength"),
        JavaField("I", "firstNonzeroByteNum"),
        JavaField("I", "lowestSetBit"),
        JavaField("I", "signum"),
        JavaField("[", "magnitude", "[B"),
    ),
    _NUMBER,
)
_BIG_DECIMAL = JavaClass(
    "java.math.BigDecimal",
    6108874887143696463,
    _OWN,
    (JavaField("I", "scale"), JavaField("L", "intVal", "Ljava/math/BigInteger;")),
    _NUMBER,
)
_ARRAY_LIST = JavaClass("java.util.ArrayList", 8683452581122892189, _OWN, (JavaField("I", "size"),))
_HASH_MAP = JavaClass(
    "java.util.HashMap",
    362498820763181265,
    _OWN,
    (JavaField("F", "loadFactor"), JavaField("I", "threshold")),
)
_HASH_SET = JavaClass("java.util.HashSet", -5024744406713321676, _OWN, ())
_DATE = JavaClass("java.util.Date", 7523967970034938905, _OWN, ())
_UUID = JavaClass(
    "java.util.UUID",
    -4856846361193249489,
    _PLAIN,
    (JavaField("J", "leastSigBits"), JavaField("J", "mostSigBits")),
)
_ENUM = JavaClass("java.lang.Enum", 0, _ENUM_FLAGS, ())

_ARRAY_UIDS: Final = {
    "[B": -5984413125824719648,
    "[C": -5753798564021173076,
    "[D": 4514449696888150558,
    "[F": 836686056779680834,
    "[I": 5600894804908749477,
    "[J": 8655923659555304851,
    "[S": -1188055269542874886,
    "[Z": 6309297032502205922,
    "[Ljava.lang.Object;": -8012369246846506644,
    "[Ljava.lang.String;": -5921575005990323385,
}
_CODES: Final = {"B": "b", "D": "d", "F": "f", "I": "i", "J": "q", "S": "h", "Z": "?"}


def write_java(value: Any) -> bytes:
    """The stream of one object. Raise BodyUnencodable for what Java serialization cannot say."""
    writer = _Writer()
    try:
        writer.value(value)
    except struct.error as error:
        raise BodyUnencodable(f"a number does not fit its Java type: {error}") from None
    return b"".join(writer.parts)


class _Writer:
    def __init__(self) -> None:
        self.parts: list[bytes] = [grammar.MAGIC]
        self._next = grammar.FIRST_HANDLE
        self._classes: dict[JavaClass, int] = {}
        self._texts: dict[str, int] = {}
        self._objects: dict[int, tuple[int, object]] = {}
        self._depth = 0

    def value(self, value: Any) -> None:
        """Write any value."""
        if value is None:
            self._kind(grammar.NULL)
            return
        self._depth += 1
        if self._depth > DEPTH_MAX:
            raise BodyUnencodable(f"values lie deeper than {DEPTH_MAX} levels")
        write = self._writer_of(value)
        known = self._objects.get(id(value))
        if known is not None:
            self._reference(known[0])
        else:
            write(self, value)
        self._depth -= 1

    def _writer_of(self, value: Any) -> Callable[[_Writer, Any], None]:
        for kind in type(value).__mro__:
            write = self._WRITERS.get(kind)
            if write is not None:
                return write
        raise BodyUnencodable(
            f"Java serialization has no type for {type(value).__name__}; use one of "
            "pocketmq.client.codecs' Java types, or turn it into a dict"
        )

    # -- parts of the grammar -----------------------------------------------------------------

    def _kind(self, kind: int) -> None:
        self.parts.append(bytes((kind,)))

    def _pack(self, form: str, *values: Any) -> None:
        self.parts.append(struct.pack(">" + form, *values))

    def _reference(self, handle: int) -> None:
        self._pack("BI", grammar.REFERENCE, handle)

    def _handle(self, shared: object = None) -> None:
        """Count a handle; `shared` is then written as a reference when it comes again."""
        if shared is not None:
            self._objects[id(shared)] = (self._next, shared)
        self._next += 1

    def _short_text(self, text: str) -> None:
        data = encode_modified(text)
        self._pack("H", len(data))
        self.parts.append(data)

    def _block(self, form: str, *values: Any) -> None:
        data = struct.pack(">" + form, *values)
        self._pack("BB", grammar.BLOCK_DATA, len(data))
        self.parts.append(data)

    def _end(self) -> None:
        self._kind(grammar.END_BLOCK_DATA)

    def _begin(self, described: JavaClass, shared: object = None) -> None:
        self._kind(grammar.OBJECT)
        self._class(described)
        self._handle(shared)

    def _class(self, described: JavaClass | None) -> None:
        if described is None:
            self._kind(grammar.NULL)
            return
        known = self._classes.get(described)
        if known is not None:
            self._reference(known)
            return
        self._kind(grammar.CLASS_DESCRIPTION)
        self._short_text(described.name)
        self._pack("q", described.serial_version_uid)
        self._classes[described] = self._next
        self._handle()
        self._pack("BH", described.flags, len(described.fields))
        for field in described.fields:
            self._kind(ord(field.type_code))
            self._short_text(field.name)
            if field.signature is not None:
                self._text(field.signature)
        self._end()
        self._class(described.parent)

    # -- values -------------------------------------------------------------------------------

    def _text(self, text: str) -> None:
        known = self._texts.get(text)
        if known is not None:
            self._reference(known)
            return
        data = encode_modified(text)
        self._pack("BH", grammar.STRING, len(data)) if len(data) < 65536 else self._pack(
            "BQ", grammar.LONG_STRING, len(data)
        )
        self.parts.append(data)
        self._texts[str(text)] = self._next
        self._handle()

    def _number(self, described: JavaClass, value: Any) -> None:
        self._begin(described)
        self._primitive(described.fields[0].type_code, value)

    def _bool(self, value: bool) -> None:
        self._number(_BOOLEAN, value)

    def _int(self, value: int) -> None:
        if -(2**31) <= value < 2**31:
            self._number(_INTEGER, value)
        elif -(2**63) <= value < 2**63:
            self._number(_LONG, value)
        else:
            self._big_integer(value)

    def _big_integer(self, value: int) -> None:
        magnitude = abs(value).to_bytes((value.bit_length() + 7) // 8, "big")
        self._begin(_BIG_INTEGER)
        self._pack("iiiii", -1, -1, -2, -2, (value > 0) - (value < 0))
        self._array("[B", magnitude)
        self._end()

    def _decimal(self, value: Decimal) -> None:
        sign, digits, exponent = value.as_tuple()
        if not isinstance(exponent, int):
            raise BodyUnencodable(f"Java's BigDecimal has no {value}")
        unscaled = int("".join(map(str, digits)) or "0")
        self._begin(_BIG_DECIMAL)
        self._pack("i", -exponent)
        self._big_integer(-unscaled if sign else unscaled)
        self._end()

    def _bytes(self, value: bytes) -> None:
        self._array("[B", value, value)

    def _list(self, value: list[Any] | tuple[Any, ...]) -> None:
        self._begin(_ARRAY_LIST, value)
        self._pack("i", len(value))
        self._block("i", len(value))
        for item in value:
            self.value(item)
        self._end()

    def _map(self, value: Mapping[Any, Any]) -> None:
        buckets = _buckets(len(value))
        self._begin(_HASH_MAP, value)
        self._pack("fi", 0.75, buckets * 3 // 4)
        self._block("ii", buckets, len(value))
        for key, item in value.items():
            self.value(key)
            self.value(item)
        self._end()

    def _set(self, value: set[Any] | frozenset[Any]) -> None:
        self._begin(_HASH_SET, value)
        self._block("ifi", _buckets(len(value)), 0.75, len(value))
        for item in value:
            self.value(item)
        self._end()

    def _datetime(self, value: dt.datetime) -> None:
        aware = value if value.tzinfo is not None else value.replace(tzinfo=dt.timezone.utc)
        self._begin(_DATE)
        self._block("q", (aware - EPOCH) // MILLISECOND)
        self._end()

    def _uuid(self, value: uuid.UUID) -> None:
        self._begin(_UUID)
        most, least = struct.unpack(">qq", value.bytes)
        self._pack("qq", least, most)

    def _enum(self, value: JavaEnum) -> None:
        self._kind(grammar.ENUM)
        self._class(JavaClass(value.class_name, 0, _ENUM_FLAGS, (), _ENUM))
        self._handle()
        self._text(value.name)

    def _java_array(self, value: JavaArray) -> None:
        self._array(_array_name(value.element_type), value.items, value)

    def _array(self, name: str, items: Any, shared: object = None) -> None:
        self._kind(grammar.ARRAY)
        self._class(JavaClass(name, _ARRAY_UIDS.get(name, 0), _PLAIN, ()))
        self._handle(shared)
        self._pack("i", len(items))
        element = name[1:]
        if element == "B" and isinstance(items, bytes):
            self.parts.append(items)
        elif element in PRIMITIVES.values():
            for item in items:
                self._primitive(element, item)
        else:
            for item in items:
                self.value(item)

    def _primitive(self, code: str, value: Any) -> None:
        if code == "C":
            self._pack("H", ord(value))
            return
        try:
            self._pack(_CODES[code], value)
        except (struct.error, OverflowError) as error:
            raise BodyUnencodable(f"{value!r} is no Java value of type {code}: {error}") from None

    def _object(self, value: JavaObject) -> None:
        described = value.described or _described(value)
        if value.extra or any(level.flags & ~_PLAIN for level in described.line()):
            raise BodyUnencodable(
                f"{value.class_name} writes itself by a method of its own, so only Java can write "
                "it; send a plain bean, or forward the raw body"
            )
        self._begin(described, value)
        for level in described.line():
            for field in level.fields:
                item = value.fields.get(field.name)
                if field.type_code in "L[":
                    self._field_object(field, item)
                else:
                    self._primitive(field.type_code, 0 if item is None else item)

    def _field_object(self, field: JavaField, item: Any) -> None:
        """Write a field of an object type; lists become arrays where the class declares one."""
        if field.type_code == "[" and isinstance(item, (list, tuple)) and field.signature:
            self._array(field.signature.replace("/", "."), item, item)
        else:
            self.value(item)

    _WRITERS: Final[dict[type, Callable[..., None]]] = {
        bool: _bool,
        int: _int,
        JavaByte: lambda self, value: self._number(_BYTE, value),
        JavaShort: lambda self, value: self._number(_SHORT, value),
        JavaLong: lambda self, value: self._number(_LONG, value),
        float: lambda self, value: self._number(_DOUBLE, value),
        JavaFloat: lambda self, value: self._number(_FLOAT, value),
        JavaChar: lambda self, value: self._number(_CHARACTER, value),
        str: _text,
        bytes: _bytes,
        bytearray: lambda self, value: self._array("[B", bytes(value)),
        Decimal: _decimal,
        list: _list,
        tuple: _list,
        dict: _map,
        set: _set,
        frozenset: _set,
        dt.datetime: _datetime,
        uuid.UUID: _uuid,
        JavaEnum: _enum,
        JavaArray: _java_array,
        JavaObject: _object,
    }


def _buckets(count: int) -> int:
    """The capacity Java gives a map of this size."""
    buckets = 16
    while buckets * 3 // 4 < count:
        buckets *= 2
    return buckets


def _array_name(element_type: str) -> str:
    """The name of the class of an array: `[I`, `[Ljava.lang.String;`, `[[I`."""
    if element_type.endswith("[]"):
        return "[" + _array_name(element_type[:-2])
    return "[" + (PRIMITIVES.get(element_type) or f"L{element_type};")


def _described(value: JavaObject) -> JavaClass:
    """The class of an object that was made in Python."""
    fields: Iterable[JavaField] = (
        _declared(name, value.types.get(name), item) for name, item in value.fields.items()
    )
    ordered = sorted(fields, key=lambda field: (field.type_code in "L[", field.name))
    return JavaClass(value.class_name, value.serial_version_uid, _PLAIN, tuple(ordered))


def _declared(name: str, type_name: str | None, item: Any) -> JavaField:
    if type_name is None:
        type_name = _suggested(item)
    if type_name in PRIMITIVES:
        return JavaField(PRIMITIVES[type_name], name)
    if type_name.endswith("[]"):
        return JavaField("[", name, _array_name(type_name[:-2]).replace(".", "/"))
    return JavaField("L", name, f"L{type_name.replace('.', '/')};")


def _suggested(item: Any) -> str:
    """The declared type that a value suggests."""
    for kind, name in (
        (bool, "boolean"),
        (JavaByte, "byte"),
        (JavaShort, "short"),
        (JavaLong, "long"),
        (int, "int" if not isinstance(item, int) or -(2**31) <= item < 2**31 else "long"),
        (JavaFloat, "float"),
        (float, "double"),
        (JavaChar, "char"),
        (str, "java.lang.String"),
        (bytes, "byte[]"),
    ):
        if isinstance(item, kind):
            return name
    if isinstance(item, JavaArray):
        return item.element_type + "[]"
    return "java.lang.Object"
