"""Java's values that Python has no type for, as Java serialization and Hessian carry them.

Most values need none of these: a `str` is a String, an `int` an Integer or, beyond 32 bits, a
Long, a `float` a Double, a `list` an ArrayList, a `dict` a HashMap, a `set` a HashSet, `bytes` a
byte[], a `datetime` a Date. Where Java wants another type, wrap the value: `JavaLong(5)`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, MutableMapping
from dataclasses import dataclass
from typing import Any, Final


class _Whole(int):
    """A whole number of a Java type; it behaves as an int."""

    BITS = 32

    def __new__(cls, value: int) -> Any:
        """Make one. Raise OverflowError when Java's type cannot hold it."""
        edge = 1 << (cls.BITS - 1)
        if not -edge <= value < edge:
            raise OverflowError(f"{value} does not fit into {cls.__name__} of {cls.BITS} bits")
        return super().__new__(cls, value)


class JavaByte(_Whole):
    """A java.lang.Byte."""

    BITS = 8


class JavaShort(_Whole):
    """A java.lang.Short."""

    BITS = 16


class JavaLong(_Whole):
    """A java.lang.Long, also where the number would fit into an Integer."""

    BITS = 64


class JavaFloat(float):
    """A java.lang.Float: a float of 32 bits."""


class JavaChar(str):
    """A java.lang.Character: one UTF-16 code unit."""

    def __new__(cls, value: str) -> JavaChar:
        """Make one. Raise ValueError when it is not exactly one code unit."""
        if len(value) != 1 or ord(value) > 0xFFFF:
            raise ValueError(f"{value!r} is not one UTF-16 code unit")
        return super().__new__(cls, value)


@dataclass(frozen=True, slots=True)
class JavaEnum:
    """A constant of an enum class: `JavaEnum("com.acme.State", "PAID")`."""

    class_name: str
    name: str


PRIMITIVES: Final = {
    "byte": "B",
    "char": "C",
    "double": "D",
    "float": "F",
    "int": "I",
    "long": "J",
    "short": "S",
    "boolean": "Z",
}


@dataclass(frozen=True, slots=True)
class JavaArray:
    """An array: `JavaArray("int", [1, 2])`, `JavaArray("java.lang.String", ["a"])`.

    The element type is a primitive's name or a class name; `[]` at its end makes arrays of arrays.
    """

    element_type: str
    items: tuple[Any, ...]

    def __init__(self, element_type: str, items: Iterable[Any]) -> None:
        object.__setattr__(self, "element_type", element_type)
        object.__setattr__(self, "items", tuple(items))


@dataclass(frozen=True, slots=True)
class JavaField:
    """A field of a class: its type's letter, its name and, for objects, the type's signature."""

    type_code: str
    name: str
    signature: str | None = None


@dataclass(frozen=True, slots=True)
class JavaClass:
    """What a stream says about a class. Its fields are those it declares itself."""

    name: str
    serial_version_uid: int
    flags: int
    fields: tuple[JavaField, ...]
    parent: JavaClass | None = None

    def line(self) -> list[JavaClass]:
        """The classes from the topmost parent down to this one, in the order of their data."""
        found: list[JavaClass] = []
        current: JavaClass | None = self
        while current is not None:
            found.append(current)
            current = current.parent
        return found[::-1]


class JavaObject(MutableMapping[str, Any]):
    """An object of a class of the sender, used as a dict of its fields.

    >>> order = JavaObject("com.acme.Order", {"id": JavaLong(7), "note": "fast"})
    >>> order["id"], order.class_name
    (7, 'com.acme.Order')

    To write one for a Java reader, `serial_version_uid` must be the class's own, and `types` names
    the declared types that differ from what a value suggests: a plain `int` is a field of type
    int, a `JavaLong` long, a `float` double, a `bool` boolean; boxed and other object types are
    said as `types={"id": "java.lang.Long"}`. An object that was read is written as it was.
    `extra` holds what the class wrote by a writeObject method of its own.
    """

    __slots__ = ("class_name", "described", "extra", "fields", "serial_version_uid", "types")

    def __init__(
        self,
        class_name: str,
        fields: Mapping[str, Any] | Iterable[tuple[str, Any]] = (),
        *,
        serial_version_uid: int = 1,
        types: Mapping[str, str] | None = None,
    ) -> None:
        self.class_name = class_name
        self.fields: dict[str, Any] = dict(fields)
        self.serial_version_uid = serial_version_uid
        self.types: dict[str, str] = dict(types or {})
        self.extra: list[Any] = []
        self.described: JavaClass | None = None

    def __getitem__(self, name: str) -> Any:
        return self.fields[name]

    def __setitem__(self, name: str, value: Any) -> None:
        self.fields[name] = value

    def __delitem__(self, name: str) -> None:
        del self.fields[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.fields)

    def __len__(self) -> int:
        return len(self.fields)

    def __repr__(self) -> str:
        # Without the values: objects may refer to each other in circles.
        names = ", ".join(list(self.fields)[:20])
        return f"<JavaObject {self.class_name} with {names or 'no fields'}>"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, JavaObject):
            return NotImplemented
        return (self.class_name, self.fields) == (other.class_name, other.fields)

    __hash__ = None  # type: ignore[assignment]
