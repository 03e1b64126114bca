"""What Java's own classes become in Python when they are read from Java serialization.

A builder gets an object's fields by name and, in `extra`, what its class wrote by hand: numbers as
`BlockData`, and objects. Collections keep their order. Sets and maps whose elements cannot be
hashed in Python become lists: of elements, or of pairs.
"""

from __future__ import annotations

import datetime as dt
import struct
import uuid
from collections import Counter
from collections.abc import Callable, Hashable
from decimal import Decimal
from typing import Any, Final

from pocketmq.client.codecs.java_values import JavaObject

MILLISECOND: Final = dt.timedelta(milliseconds=1)
SAME_HASH_MAX: Final = 100
BIG_INTEGER_BYTES_MAX: Final = 1024
EPOCH: Final = dt.datetime(1970, 1, 1, tzinfo=dt.timezone.utc)


class BlockData(bytes):
    """Numbers that a class wrote by hand."""


class Parts:
    """An object taken apart: its fields of all levels, and what its classes wrote by hand."""

    __slots__ = ("extra", "fields")

    def __init__(self) -> None:
        self.fields: dict[str, Any] = {}
        self.extra: list[Any] = []

    def objects(self) -> list[Any]:
        """What was written by hand without the numbers."""
        return [item for item in self.extra if not isinstance(item, BlockData)]

    def block(self) -> bytes:
        """The numbers that were written by hand."""
        return b"".join(item for item in self.extra if isinstance(item, BlockData))


def moment(ms: int) -> Any:
    """A Date as an aware datetime in UTC; one beyond Python's years keeps its milliseconds."""
    try:
        return EPOCH + ms * MILLISECOND
    except OverflowError:
        return JavaObject("java.util.Date", {"time": ms})


def as_map(pairs: list[tuple[Any, Any]]) -> Any:
    """A dict, or the pairs where a key cannot be one."""
    if not all(hashable(key) for key, _ in pairs):
        return pairs
    _check_hashes([key for key, _ in pairs])
    return dict(pairs)


def as_set(items: list[Any]) -> Any:
    """A set, or the list where an element cannot be in one."""
    if not all(map(hashable, items)):
        return items
    _check_hashes(items)
    return set(items)


def _check_hashes(keys: list[Any]) -> None:
    """Refuse keys made to collide: a dict of them would take hours to build."""
    counts = Counter(map(hash, keys))
    if counts and max(counts.values()) > SAME_HASH_MAX:
        raise ValueError("many different keys of the same hash")


def hashable(value: Any) -> bool:
    """Whether a decoded value can be an element of a set. Tuples are never decoded."""
    return isinstance(value, Hashable) and not isinstance(value, tuple)


def _value(parts: Parts) -> Any:
    return parts.fields["value"]


def _list(parts: Parts) -> list[Any]:
    return parts.objects()


def _map(parts: Parts) -> Any:
    found = parts.objects()
    return as_map(list(zip(found[::2], found[1::2], strict=True)))


def _set(parts: Parts) -> Any:
    return as_set(parts.objects())


def _sorted_set(parts: Parts) -> Any:
    return as_set(parts.objects()[1:])  # after the comparator


def _concurrent_map(parts: Parts) -> Any:
    found = parts.objects()[:-2]  # before the two nulls at the end
    return as_map(list(zip(found[::2], found[1::2], strict=True)))


def _vector(parts: Parts) -> list[Any]:
    return list(parts.fields["elementData"][: parts.fields["elementCount"]])


def _enum_set(parts: Parts) -> Any:
    return as_set(parts.fields["elements"])


def _date(parts: Parts) -> Any:
    return moment(struct.unpack(">q", parts.block()[:8])[0])


def _timestamp(parts: Parts) -> Any:
    found = _date(parts)
    if isinstance(found, dt.datetime):
        return found.replace(microsecond=parts.fields["nanos"] // 1000)
    return found


def _big_integer(parts: Parts) -> int:
    magnitude = parts.fields["magnitude"]
    if len(magnitude) > BIG_INTEGER_BYTES_MAX:
        raise ValueError(f"a number of {len(magnitude)} bytes")
    return int(parts.fields["signum"]) * int.from_bytes(magnitude, "big")


def _big_decimal(parts: Parts) -> Decimal:
    # By digits, since arithmetic would round to the context's precision.
    unscaled = parts.fields["intVal"]
    digits = Decimal(unscaled).as_tuple().digits
    return Decimal((int(unscaled < 0), digits, -parts.fields["scale"]))


def _uuid(parts: Parts) -> uuid.UUID:
    most, least = parts.fields["mostSigBits"], parts.fields["leastSigBits"]
    return uuid.UUID(int=(most & 2**64 - 1) << 64 | least & 2**64 - 1)


def _one_of(name: str, build: Callable[[Any], Any]) -> Callable[[Parts], Any]:
    return lambda parts: build(parts.fields[name])


def _immutable(parts: Parts) -> Any:
    """java.util.CollSer: what List.of, Set.of and Map.of leave behind."""
    kind, found = parts.fields["tag"] & 0xFF, parts.objects()
    if kind in (1, 4):
        return found
    if kind == 2:
        return as_set(found)
    if kind == 3:
        return as_map(list(zip(found[::2], found[1::2], strict=True)))
    raise ValueError(f"collection of kind {kind}")


def _time(parts: Parts) -> Any:
    """java.time.Ser: a byte that says which class, then its numbers."""
    block = parts.block()
    kind, rest = block[0], block[1:]
    if kind == 1:
        seconds, nanos = struct.unpack(">qi", rest)
        return dt.timedelta(seconds=seconds, microseconds=nanos // 1000)
    if kind == 2:
        seconds, nanos = struct.unpack(">qi", rest)
        return EPOCH + dt.timedelta(seconds=seconds, microseconds=nanos // 1000)
    if kind == 3:
        return dt.date(*struct.unpack(">iBB", rest))
    if kind == 4:
        return _time_of_day(rest)
    if kind == 5:
        return dt.datetime.combine(
            dt.date(*struct.unpack(">iBB", rest[:6])), _time_of_day(rest[6:])
        )
    return JavaObject("java.time.Ser", {"kind": kind, "data": bytes(rest)})


def _time_of_day(data: bytes) -> dt.time:
    """Hour, minute, second as bytes, the last one inverted when nothing but zeros follows."""
    numbers = [0, 0, 0]
    for position in range(3):
        (number,) = struct.unpack_from(">b", data, position)
        if number < 0:
            numbers[position] = ~number
            return dt.time(numbers[0], numbers[1], numbers[2])
        numbers[position] = number
    (nanos,) = struct.unpack_from(">i", data, 3)
    return dt.time(numbers[0], numbers[1], numbers[2], nanos // 1000)


def _nothing(kind: Callable[[], Any]) -> Callable[[Parts], Any]:
    return lambda parts: kind()


def _single_map(parts: Parts) -> Any:
    return as_map([(parts.fields["k"], parts.fields["v"])])


_same = _one_of("c", lambda inner: inner)

BUILDERS: Final[dict[str, Callable[[Parts], Any]]] = {
    "java.lang.Boolean": _value,
    "java.lang.Byte": _value,
    "java.lang.Character": _value,
    "java.lang.Double": _value,
    "java.lang.Float": _value,
    "java.lang.Integer": _value,
    "java.lang.Long": _value,
    "java.lang.Short": _value,
    "java.math.BigInteger": _big_integer,
    "java.math.BigDecimal": _big_decimal,
    "java.util.concurrent.atomic.AtomicBoolean": lambda parts: bool(parts.fields["value"]),
    "java.util.concurrent.atomic.AtomicInteger": _value,
    "java.util.concurrent.atomic.AtomicLong": _value,
    "java.util.UUID": _uuid,
    "java.util.Date": _date,
    "java.sql.Date": _date,
    "java.sql.Timestamp": _timestamp,
    "java.time.Ser": _time,
    "java.util.ArrayList": _list,
    "java.util.LinkedList": _list,
    "java.util.ArrayDeque": _list,
    "java.util.concurrent.CopyOnWriteArrayList": _list,
    "java.util.PriorityQueue": _list,
    "java.util.Vector": _vector,
    "java.util.Stack": _vector,
    "java.util.EnumMap": _map,
    "java.util.EnumSet$SerializationProxy": _enum_set,
    "java.util.concurrent.ConcurrentHashMap": _concurrent_map,
    "java.util.HashMap": _map,
    "java.util.LinkedHashMap": _map,
    "java.util.Hashtable": _map,
    "java.util.Properties": _map,
    "java.util.TreeMap": _map,
    "java.util.IdentityHashMap": _map,
    "java.util.HashSet": _set,
    "java.util.LinkedHashSet": _set,
    "java.util.TreeSet": _sorted_set,
    "java.util.CollSer": _immutable,
    "java.util.Arrays$ArrayList": _one_of("a", list),
    "java.util.Collections$EmptyList": _nothing(list),
    "java.util.Collections$EmptyMap": _nothing(dict),
    "java.util.Collections$EmptySet": _nothing(set),
    "java.util.Collections$SingletonList": _one_of("element", lambda one: [one]),
    "java.util.Collections$SingletonSet": _one_of("element", lambda one: as_set([one])),
    "java.util.Collections$SingletonMap": _single_map,
    "java.util.Collections$UnmodifiableCollection": _same,
    "java.util.Collections$UnmodifiableList": _same,
    "java.util.Collections$UnmodifiableRandomAccessList": _same,
    "java.util.Collections$UnmodifiableSet": _same,
    "java.util.Collections$UnmodifiableMap": _one_of("m", lambda inner: inner),
    "java.util.Collections$SynchronizedList": _same,
    "java.util.Collections$SynchronizedRandomAccessList": _same,
    "java.util.Collections$SynchronizedMap": _one_of("m", lambda inner: inner),
}
