"""Typed headers: from a command's string map to a named tuple and back.

A header class lists its fields with their types; its wire names are the same words in camel case:

    queue_offset: I64           <->   "queueOffset": "17"
    order: bool | None = None   <->   "order": "true", or no entry at all

A field without a default is required. The types are `str`, `bool`, `float`, `I32`, `I64` and
NewTypes of int (which are 64 bits wide), each with or without `| None`. A name that camel case does
not give is set with `Annotated[str, wire("n")]`. Entries nobody asked for are ignored.

Headers are named tuples because there are many of them and a broker makes many of each: as frozen
dataclasses they take eight times as long to define and twice as long to make.
"""

from __future__ import annotations

import types
from collections.abc import Callable, Mapping
from typing import Annotated, Any, NamedTuple, TypeVar, Union, get_args, get_origin, get_type_hints

from pocketmq.errors import MalformedField, MissingField
from pocketmq.protocol.framing import int32, int64

I32 = Annotated[int, 32]
"""A signed 32-bit number."""
I64 = Annotated[int, 64]
"""A signed 64-bit number."""

COMMON_KEYS = frozenset(("bname", "ns", "nsd", "lo", "oway"))
"""Entries any request to a 5.x broker may carry beside its own: the target broker's name, the
namespace and whether names already include it, static-topic access, and the one-way mark of
RocketMQ's inner RPC. Whoever needs one reads it from the command's map."""

Header = TypeVar("Header", bound=tuple[Any, ...])


class wire(NamedTuple):
    """The wire name of a field, where it is not the field's own name in camel case."""

    name: str


def decode_fields(cls: type[Header], mapping: Mapping[str, str]) -> Header:
    """The typed header in `mapping`. Raise MissingField or MalformedField, which name the entry."""
    values: list[Any] = []
    for slot in _layout(cls):
        text = mapping.get(slot.key)
        if text is None:
            if slot.is_required:
                raise MissingField(cls.__name__, slot.key)
            values.append(slot.default)
        elif slot.parse is None:
            values.append(text)
        else:
            try:
                values.append(slot.parse(text))
            except ValueError:
                raise MalformedField(cls.__name__, slot.key, text, slot.expected) from None
    return cls(*values)


def encode_fields(header: tuple[Any, ...]) -> dict[str, str]:
    """The string map of a header; fields that are None are left out."""
    texts = {}
    for slot, value in zip(_layout(type(header)), header, strict=True):
        if value is None:
            continue
        if value is True or value is False:
            texts[slot.key] = "true" if value else "false"
        else:
            texts[slot.key] = str(value)
    return texts


class _Slot(NamedTuple):
    key: str
    parse: Callable[[str], object] | None
    expected: str
    is_required: bool
    default: object


_LAYOUTS: dict[type[Any], tuple[_Slot, ...]] = {}


def _layout(cls: type[Any]) -> tuple[_Slot, ...]:
    known = _LAYOUTS.get(cls)
    if known is not None:
        return known
    hints = get_type_hints(cls, include_extras=True)
    slots = []
    for name in cls._fields:
        hint, key = _without_name(hints[name])
        parse, expected = _parser(hint)
        defaults = cls._field_defaults
        required = name not in defaults
        slots.append(_Slot(key or _camel_case(name), parse, expected, required, defaults.get(name)))
    layout = _LAYOUTS[cls] = tuple(slots)
    return layout


def _without_name(hint: Any) -> tuple[Any, str | None]:
    if get_origin(hint) is not Annotated:
        return hint, None
    inner, *marks = get_args(hint)
    names = [mark.name for mark in marks if isinstance(mark, wire)]
    widths = [mark for mark in marks if isinstance(mark, int)]
    return (Annotated[inner, widths[0]] if widths else inner), (names[0] if names else None)


def _parser(hint: Any) -> tuple[Callable[[str], object] | None, str]:
    if get_origin(hint) in (Union, types.UnionType):
        (hint,) = (arg for arg in get_args(hint) if arg is not type(None))
    if hint == I32:
        return int32, "a 32-bit number"
    if hint == I64 or getattr(hint, "__supertype__", None) is int:
        return int64, "a 64-bit number"
    known: dict[Any, tuple[Callable[[str], object] | None, str]] = {
        str: (None, "text"),
        bool: (_boolean, "true or false"),
        float: (float, "a number"),
    }
    assert hint in known, f"header fields are not made of {hint}"
    return known[hint]


def _boolean(text: str) -> bool:
    # Java's rule: everything but "true" is false, so the C++ client's "1" is false as well.
    return text.lower() == "true"


def _camel_case(name: str) -> str:
    head, *tail = name.split("_")
    return head + "".join(word.capitalize() for word in tail)
