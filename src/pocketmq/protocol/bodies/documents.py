"""What all JSON documents have in common: a frozen dataclass that is its own description.

A document lists its properties with types and defaults, and gets `from_json` and `to_json`:

    broker_name: str = ""                    <->   "brokerName": "b"
    addresses: dict[int, str]                <->   "addresses": {0: "10.0.0.1:10911"}
    offsets: dict[MessageQueue, int]         <->   "offsets": {{"brokerName": ...}: 5}
    remark: str | None = None                <->   absent

Reading is as forgiving as Apache is: an absent or null property takes its default, numbers may be
texts, unknown properties are ignored. Writing sorts properties by name, as Apache does, and leaves
out those that are None. A wire name that camel case does not give is set with `wire`.
"""

from __future__ import annotations

import types
from collections.abc import Callable
from dataclasses import MISSING, fields
from typing import Any, ClassVar, NamedTuple, TypeVar, Union, get_args, get_origin, get_type_hints

from pocketmq.errors import MalformedBody
from pocketmq.protocol.bodies.fastjson import (
    ObjectKey,
    Text,
    dumps,
    dumps_plain,
    dumps_standard,
    loads,
)

Self = TypeVar("Self", bound="Document")
_Convert = Callable[[Any], Any]

_INT64_MAX = 2**63 - 1


class Document:
    """A JSON document. Subclasses are frozen dataclasses whose properties all have defaults."""

    __slots__ = ()

    plain_keys: ClassVar[bool] = False
    """True when no map in the document has numbers or objects as keys; writing is then faster."""

    request_chars_max: ClassVar[int] = 512 * 1024
    """How long it may be in a request. Nobody else is served while it is read."""

    @classmethod
    def from_json(cls: type[Self], data: Text) -> Self:
        """The document in an answer or a file. Raise MalformedBody when it cannot be read so."""
        return cls.from_tree(loads(data))

    @classmethod
    def from_request(cls: type[Self], data: Text) -> Self:
        """The document in a stranger's request, whose cost is bounded. Raise MalformedBody."""
        return cls.from_tree(loads(data, cls.request_chars_max))

    @classmethod
    def from_tree(cls: type[Self], tree: Any) -> Self:
        """The document in an already parsed JSON value."""
        if not isinstance(tree, dict):
            raise MalformedBody(f"{cls.__name__} is a JSON object, not {str(tree)[:40]!r}")
        values = {}
        for slot in _layout(cls):
            value = tree.get(slot.key)
            if value is None:
                continue
            try:
                values[slot.attribute] = slot.read(value)
            except (ValueError, TypeError, OverflowError, AttributeError, RecursionError) as error:
                raise MalformedBody(f"{cls.__name__}.{slot.key} cannot be read: {error}") from None
        return cls(**values)

    def to_json(self) -> bytes:
        """The document as Apache would write it."""
        tree = self.to_tree()
        return dumps_plain(tree) if self.plain_keys else dumps(tree)

    def to_standard_json(self) -> bytes:
        """The document as strict JSON, with quoted and sorted keys."""
        return dumps_standard(self.to_tree())

    def to_tree(self) -> dict[str, Any]:
        """The document as plain dicts and lists, its keys ready for `fastjson.dumps`."""
        tree = {}
        for slot in _layout(type(self)):
            value = getattr(self, slot.attribute)
            if value is not None:
                tree[slot.key] = value if slot.write is None else slot.write(value)
        return tree


class _Slot(NamedTuple):
    attribute: str
    key: str
    read: _Convert
    write: _Convert | None


_LAYOUTS: dict[type[Any], tuple[_Slot, ...]] = {}


def _layout(cls: type[Any]) -> tuple[_Slot, ...]:
    known = _LAYOUTS.get(cls)
    if known is not None:
        return known
    hints = get_type_hints(cls, include_extras=True)
    slots = []
    for item in fields(cls):
        assert item.default is not MISSING or item.default_factory is not MISSING, item.name
        key = item.metadata.get("wire") or camel_case(item.name)
        slots.append(_Slot(item.name, key, *_converters(hints[item.name])))
    layout = _LAYOUTS[cls] = tuple(sorted(slots, key=lambda slot: slot.key))
    return layout


def camel_case(name: str) -> str:
    """`queue_offset` as `queueOffset`."""
    head, *tail = name.split("_")
    return head + "".join(word.capitalize() for word in tail)


def _converters(hint: Any) -> tuple[_Convert, _Convert | None]:
    """How to read and how to write a property of this type; None writes it as it is."""
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        (inner,) = (argument for argument in arguments if argument is not type(None))
        return _converters(inner)
    if origin is tuple:
        read, write = _converters(arguments[0])
        return _tuple_reader(read), _tuple_writer(write)
    if origin is dict:
        read_key, write_key = _key_converters(arguments[0])
        read, write = _converters(arguments[1])
        return _dict_reader(read_key, read), _dict_writer(write_key, write)
    if isinstance(hint, type) and issubclass(hint, Document):
        return hint.from_tree, hint.to_tree
    if hint is Any:
        return _as_it_is, None
    return _SCALARS[getattr(hint, "__supertype__", hint)], None


def _key_converters(hint: Any) -> tuple[_Convert, _Convert | None]:
    if isinstance(hint, type) and issubclass(hint, Document):
        return hint.from_json, lambda key: ObjectKey(dumps(key.to_tree()).decode())
    return (_integer if hint is int else str), None


def _tuple_reader(read: _Convert) -> _Convert:
    def convert(value: Any) -> tuple[Any, ...]:
        if not isinstance(value, list):
            raise ValueError(f"{str(value)[:40]!r} is not a list")
        return tuple([read(item) for item in value if item is not None])

    return convert


def _tuple_writer(write: _Convert | None) -> _Convert:
    return list if write is None else lambda value: [write(item) for item in value]


def _dict_reader(read_key: _Convert, read: _Convert) -> _Convert:
    def convert(value: Any) -> dict[Any, Any]:
        return {read_key(key): read(item) for key, item in value.items() if item is not None}

    return convert


def _dict_writer(write_key: _Convert | None, write: _Convert | None) -> _Convert | None:
    if write_key is None and write is None:
        return None
    key_of: _Convert = write_key or _as_it_is
    item_of: _Convert = write or _as_it_is
    return lambda value: {key_of(key): item_of(item) for key, item in value.items()}


def _as_it_is(value: Any) -> Any:
    return value


def _integer(value: Any) -> int:
    if type(value) is not int:
        value = int(value.strip() if isinstance(value, str) and len(value) < 40 else value)
    if not -_INT64_MAX - 1 <= value <= _INT64_MAX:
        raise ValueError("a number does not fit 64 bits")
    return int(value)


def _boolean(value: Any) -> bool:
    if isinstance(value, str):
        return value.strip().lower() in ("true", "1")
    return bool(value)


def _string(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    return dumps(value).decode()


_SCALARS: dict[Any, _Convert] = {str: _string, int: _integer, bool: _boolean, float: float}
