"""Single values: from the text or TOML value a person wrote, and back to text.

Numbers may carry a unit where the setting's name ends in one: `2s` or `500ms` for `..._ms`,
`3d` for `..._hours`, `1GiB` or `64MB` for `..._bytes`. A bare number counts in the setting's own
unit. Lists are separated by `;` or `,`.
"""

from __future__ import annotations

import enum
import re
import typing
from pathlib import Path
from typing import Any

from pocketmq.settings.declaring import Setting

_DURATIONS_MS = {"ms": 1, "s": 1000, "min": 60_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
_SIZES = {
    "b": 1,
    **{f"{letter}b": 1000**power for power, letter in enumerate("kmgt", start=1)},
    **{f"{letter}ib": 1024**power for power, letter in enumerate("kmgt", start=1)},
}
_UNIT_OF_NAME_MS = {
    "_ms": 1,
    "_seconds": 1000,
    "_minutes": 60_000,
    "_hours": 3_600_000,
    "_days": 86_400_000,
}
_TRUE = {"true", "yes", "on", "1"}
_FALSE = {"false", "no", "off", "0"}
_QUANTITY = re.compile(r"([+-]?\d+(?:\.\d+)?)\s*([a-zA-Z]+)")


class BadValue(ValueError):
    """A value that its setting cannot take; the text says what it takes."""


def parse(setting: Setting, written: object, scale: int = 1) -> object:
    """Return the setting's value for what was written. Raise BadValue.

    `scale` multiplies a bare number: how many of the setting's units one of the writer's is.
    """
    if setting.optional and isinstance(written, str) and not written.strip():
        return None
    value = _typed(setting, written, scale)
    low, high = setting.declaration.minimum, setting.declaration.maximum
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        if low is not None and value < low:
            raise BadValue(f"must be at least {low:.12g}")
        if high is not None and value > high:
            raise BadValue(f"must be at most {high:.12g}")
    if setting.declaration.check is not None:
        try:
            setting.declaration.check(value)
        except ValueError as problem:
            raise BadValue(str(problem)) from None
    return value


def show(value: object) -> str:
    """Return a value as text that `parse` reads back."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, enum.Enum):
        return value.name
    if isinstance(value, tuple):
        return ";".join(value)
    return str(value)


def choices_of(kind: Any) -> tuple[str, ...]:
    """Return the words a setting of this type may be, or nothing when it is not a choice."""
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        return tuple(member.name for member in kind)
    if typing.get_origin(kind) is typing.Literal:
        return tuple(str(word) for word in typing.get_args(kind))
    return ()


def _typed(setting: Setting, written: object, scale: int) -> object:
    kind = setting.type
    if choices_of(kind):
        return _choice(kind, str(written).strip())
    if kind is bool:
        return _boolean(written)
    if kind in (int, float):
        return _number(setting.name, kind, written, scale)
    if typing.get_origin(kind) is tuple:
        parts = written if isinstance(written, (list, tuple)) else re.split("[;,]", str(written))
        return tuple(str(part).strip() for part in parts if str(part).strip())
    if isinstance(written, (list, dict)):
        raise BadValue("takes one value")
    text = show(written) if isinstance(written, bool) else str(written).strip()
    return Path(text).expanduser() if kind is Path else text


def _boolean(written: object) -> bool:
    word = str(written).strip().lower()
    if word in _TRUE:
        return True
    if word in _FALSE:
        return False
    raise BadValue("must be true or false")


def _choice(kind: Any, word: str) -> object:
    plain = word.lower().replace("-", "_")
    options: tuple[Any, ...] = (
        tuple(kind) if isinstance(kind, enum.EnumMeta) else typing.get_args(kind)
    )
    for option in options:
        name = option.name if isinstance(option, enum.Enum) else str(option)
        if plain == name.lower().replace("-", "_"):
            return option
    raise BadValue("must be one of " + ", ".join(choices_of(kind)))


def _number(name: str, kind: type, written: object, scale: int) -> int | float:
    example = _example(name)
    if isinstance(written, bool) or not isinstance(written, (int, float, str)):
        raise BadValue(f"must be a number{example}")
    text = str(written).strip().replace("_", "")
    match = _QUANTITY.fullmatch(text)
    try:
        if match is not None and (factor := _factor(name, match[2])) is not None:
            amount = float(match[1]) * factor if "." in match[1] else int(match[1]) * factor
        else:
            amount = (int(text) if kind is int else float(text)) * scale
    except ValueError:
        raise BadValue(f"must be a {'whole ' if kind is int else ''}number{example}") from None
    if kind is int and amount != int(amount):
        raise BadValue(f"must be a whole number{example}")
    return kind(amount)  # type: ignore[no-any-return]


def _factor(name: str, unit: str) -> float | None:
    """Return how many of the setting's units one `unit` is, or None for a unit it cannot take."""
    if name.endswith("_bytes"):
        return _SIZES.get(unit.lower())
    for ending, own_ms in _UNIT_OF_NAME_MS.items():
        if name.endswith(ending) and unit in _DURATIONS_MS:
            given_ms = _DURATIONS_MS[unit]
            return given_ms // own_ms if given_ms % own_ms == 0 else given_ms / own_ms
    return None


def _example(name: str) -> str:
    if name.endswith("_bytes"):
        return ", or a size like 64MiB"
    if name.endswith(tuple(_UNIT_OF_NAME_MS)):
        return ", or a duration like 30s"
    return ""
