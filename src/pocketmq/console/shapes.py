"""Dataclasses as JSON: read with checks, written plainly, described as a schema.

    @dataclass(frozen=True, slots=True)
    class TopicsQuery:
        q: str = field_of("", "A part of the name.", chars_max=255)
        page: int = field_of(1, "Which page.", minimum=1)

A field may be str, int, float, bool, a Literal, another dataclass, a tuple or dict of these, or one
of these or None. What is not declared is refused, so that a typing mistake is seen.
"""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field
from functools import cache
from typing import Any, TypeVar

from pocketmq.console.problems import bad_request

T = TypeVar("T")

_KEY = "pocketmq.console"
_ITEMS_MAX = 10_000
_CHARS_MAX = 1024
_INT_MAX = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Bounds:
    """What `field_of` was told."""

    doc: str = ""
    minimum: int | None = None
    maximum: int | None = None
    chars_max: int = _CHARS_MAX


def field_of(
    default: Any = MISSING,
    doc: str = "",
    *,
    minimum: int | None = None,
    maximum: int | None = None,
    chars_max: int = _CHARS_MAX,
    secret: bool = False,
) -> Any:
    """Declare a field with bounds and a sentence; without a default it must be given.

    A secret one is left out of `repr`.
    """
    metadata = {_KEY: Bounds(doc, minimum, maximum, chars_max)}
    if isinstance(default, dict):
        return field(default_factory=lambda: dict(default), metadata=metadata)
    return field(default=default, metadata=metadata, repr=not secret)


Fields = tuple[tuple[dataclasses.Field[Any], Any, Bounds], ...]


def fields_of(shape: Any) -> Fields:
    """The fields of a dataclass with their types and bounds."""
    return _fields_of(shape)


@cache
def _fields_of(shape: Any) -> Fields:
    hints = typing.get_type_hints(shape)
    return tuple(
        (one, hints[one.name], one.metadata.get(_KEY, Bounds()))
        for one in dataclasses.fields(shape)
    )


def required(one: dataclasses.Field[Any]) -> bool:
    """Whether a field must be given."""
    return one.default is MISSING and one.default_factory is MISSING


def read(shape: type[T], tree: object, *, texts: bool = False) -> T:
    """A dataclass from JSON; from query parameters when `texts`. Raise Problem (400)."""
    if not isinstance(tree, Mapping):
        raise bad_request(f"the body must be an object, not {_kind_of(tree)}")
    known = {one.name for one, _, _ in fields_of(shape)}
    for name in tree:
        if name not in known:
            listed = ", ".join(sorted(known)) or "none"
            raise bad_request(
                f"there is no field {str(name)[:80]!r}", str(name)[:80], f"known fields: {listed}"
            )
    values: dict[str, Any] = {}
    for one, kind, bounds in fields_of(shape):
        if one.name in tree:
            values[one.name] = _value(one.name, kind, bounds, tree[one.name], texts)
        elif required(one):
            raise bad_request(f"the field {one.name} is needed", one.name, bounds.doc or None)
    return shape(**values)


def _value(name: str, kind: Any, bounds: Bounds, given: Any, texts: bool) -> Any:
    kind, optional = without_none(kind)
    if optional and (given is None or (texts and given == "")):
        return None
    origin = typing.get_origin(kind)
    if origin is typing.Literal:
        choices = typing.get_args(kind)
        if given not in choices:
            raise bad_request(f"{name} must be one of {', '.join(map(str, choices))}", name)
        return given
    if origin is tuple:
        return _items(name, typing.get_args(kind)[0], bounds, given, texts)
    if origin is dict:
        if not isinstance(given, Mapping) or len(given) > _ITEMS_MAX:
            raise bad_request(f"{name} must be an object of texts", name)
        inner = typing.get_args(kind)[1]
        return {
            _text(name, bounds, key): _value(f"{name}.{key}", inner, bounds, value, texts)
            for key, value in given.items()
        }
    if dataclasses.is_dataclass(kind):
        return read(typing.cast(type, kind), given)
    if kind is bool:
        return _flag(name, given, texts)
    if kind is int:
        return _whole(name, bounds, given, texts)
    assert kind is str, f"{name} cannot be {kind}"
    return _text(name, bounds, given)


def _items(name: str, kind: Any, bounds: Bounds, given: Any, texts: bool) -> tuple[Any, ...]:
    if not isinstance(given, (list, tuple)) or len(given) > _ITEMS_MAX:
        raise bad_request(f"{name} must be a list of at most {_ITEMS_MAX}", name)
    return tuple(_value(name, kind, bounds, one, texts) for one in given)


def _text(name: str, bounds: Bounds, given: Any) -> str:
    if not isinstance(given, str):
        raise bad_request(f"{name} must be a text, not {_kind_of(given)}", name)
    if len(given) > bounds.chars_max:
        raise bad_request(f"{name} may have {bounds.chars_max} characters at most", name)
    return given


def _flag(name: str, given: Any, texts: bool) -> bool:
    if isinstance(given, bool):
        return given
    if texts and given in ("true", "false"):
        return bool(given == "true")
    raise bad_request(f"{name} must be true or false", name)


def _whole(name: str, bounds: Bounds, given: Any, texts: bool) -> int:
    number = given
    if texts and isinstance(given, str) and len(given) <= 20:
        digits = given.removeprefix("-")
        number = int(given) if digits.isascii() and digits.isdigit() else None
    if not isinstance(number, int) or isinstance(number, bool):
        raise bad_request(f"{name} must be a whole number", name)
    low = -_INT_MAX if bounds.minimum is None else bounds.minimum
    high = _INT_MAX if bounds.maximum is None else bounds.maximum
    if not low <= number <= high:
        raise bad_request(f"{name} must be from {low} to {high}", name)
    return number


def _kind_of(value: object) -> str:
    names = {dict: "an object", list: "a list", str: "a text", bool: "true or false"}
    return names.get(type(value), "null" if value is None else "a number")


def without_none(kind: Any) -> tuple[Any, bool]:
    """Split `X | None` into X and True."""
    if typing.get_origin(kind) in (types.UnionType, typing.Union):
        rest = [part for part in typing.get_args(kind) if part is not type(None)]
        assert len(rest) == 1, f"a field cannot be {kind}"
        return rest[0], True
    return kind, False


def plain(value: Any) -> Any:
    """A value as what `json.dumps` takes: dataclasses become objects, tuples lists."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {one.name: plain(getattr(value, one.name)) for one in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(key): plain(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(inner) for inner in value]
    return value
