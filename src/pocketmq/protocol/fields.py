"""Typed headers: from a command's string map to a frozen dataclass and back.

A header class lists its fields with their types; its wire names are the same words in camel case:

    queue_offset: I64           <->   "queueOffset": "17"
    order: bool | None = None   <->   "order": "true", or no entry at all

A field without a default is required. The types are `str`, `bool`, `float`, `I32`, `I64` and
NewTypes of int (which are 64 bits wide), each with or without `| None`. A name that camel case does
not give is set with `field(metadata=wire("n"))`. Entries nobody asked for are ignored.
"""

from __future__ import annotations

import types
from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields
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

Header = TypeVar("Header")


def wire(name: str) -> dict[str, str]:
    """Metadata for a field whose wire name is not its own name in camel case."""
    return {"wire": name}


def decode_fields(cls: type[Header], mapping: Mapping[str, str]) -> Header:
    """The typed header in `mapping`. Raise MissingField or MalformedField, which name the entry."""
    values = []
    for slot in _layout(cls):
        text = mapping.get(slot.key)
        if text is None:
            if slot.default is MISSING:
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


def encode_fields(header: object) -> dict[str, str]:
    """The string map of a header; fields that are None are left out."""
    texts = {}
    for slot in _layout(type(header)):
        value = getattr(header, slot.attribute)
        if value is None:
            continue
        if value is True or value is False:
            texts[slot.key] = "true" if value else "false"
        else:
            texts[slot.key] = str(value)
    return texts


_LAYOUTS: dict[type[Any], tuple[_Slot, ...]] = {}


class _Slot(NamedTuple):
    attribute: str
    key: str
    parse: Callable[[str], object] | None
    expected: str
    default: object


def _layout(cls: type[Any]) -> tuple[_Slot, ...]:
    known = _LAYOUTS.get(cls)
    if known is not None:
        return known
    hints = get_type_hints(cls, include_extras=True)
    slots = []
    for item in fields(cls):
        key = item.metadata.get("wire") or _camel_case(item.name)
        parse, expected = _parser(hints[item.name])
        slots.append(_Slot(item.name, key, parse, expected, item.default))
    layout = _LAYOUTS[cls] = tuple(slots)
    return layout


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
