"""How a subsystem declares its settings: fields of frozen dataclasses, one sentence each.

    @dataclass(frozen=True, slots=True)
    class FlushConfig:
        interval_ms: int = setting(
            500, "How often the commit log is flushed.", alias="flushIntervalCommitLog", minimum=1
        )

    @dataclass(frozen=True, slots=True)
    class StoreConfig:
        flush: FlushConfig = group(FlushConfig)

The end of a field's name is its unit (`_ms`, `_seconds`, `_minutes`, `_hours`, `_days`, `_bytes`),
which lets people write `2s` or `1GiB` where a number is expected. `alias` is RocketMQ's name of the
same setting; where RocketMQ counts in another unit, `alias_unit` says how many of ours one of
theirs is. Types may be bool, int, float, str, Path, an Enum, a Literal, tuple[str, ...], or one of
these or None.
"""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache
from typing import Any, TypeVar

T = TypeVar("T")

_KEY = "pocketmq.setting"


@dataclass(frozen=True, slots=True)
class Declaration:
    """What `setting` was told."""

    doc: str
    aliases: tuple[str, ...] = ()
    alias_unit: int = 1
    minimum: float | None = None
    maximum: float | None = None
    environment: str | None = None
    check: Callable[[Any], object] | None = None
    secret: bool = False


def setting(
    default: T,
    doc: str,
    *,
    alias: str | tuple[str, ...] = (),
    alias_unit: int = 1,
    minimum: float | None = None,
    maximum: float | None = None,
    environment: str | None = None,
    check: Callable[[Any], object] | None = None,
    secret: bool = False,
) -> T:
    """Declare one setting as a dataclass field.

    `environment` names one more environment variable that sets it, beside its POCKETMQ_ name.
    `check` is called with a written value and raises ValueError, saying what the value must be.
    The value of a `secret` is shown nowhere: not in errors, nor in what a config looks like.
    """
    aliases = (alias,) if isinstance(alias, str) else alias
    declaration = Declaration(
        doc, aliases, alias_unit, minimum, maximum, environment, check, secret
    )
    declared: T = field(default=default, repr=not secret, metadata={_KEY: declaration})
    return declared


def group(config_class: type[T], **defaults: object) -> T:
    """Declare a field that holds a group of settings, with defaults other than the group's own."""
    make: Any = config_class
    declared: T = field(default_factory=lambda: make(**defaults))
    return declared


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting of a config: where it is, what it may be and what it is by default."""

    path: str
    type: Any
    optional: bool
    default: object
    declaration: Declaration

    @property
    def name(self) -> str:
        """The last part of the path; its ending is the unit."""
        return self.path.rpartition(".")[2]


def settings_of(config: object, prefix: str = "") -> Iterator[Setting]:
    """Yield each setting of a config, depth first, with the config's values as defaults."""
    assert dataclasses.is_dataclass(config), f"{config!r} is not a config"
    config_class: type = type(config)
    hints = _hints(config_class)
    for item in dataclasses.fields(config):
        value = getattr(config, item.name)
        path = prefix + item.name
        if dataclasses.is_dataclass(value):
            yield from settings_of(value, path + ".")
            continue
        declaration = item.metadata.get(_KEY)
        if declaration is not None:
            kind, optional = _without_none(hints[item.name])
            yield Setting(path, kind, optional, value, declaration)


def with_values(config: T, values: dict[str, object]) -> T:
    """Return a copy of a config with the settings at these paths replaced."""
    here: dict[str, object] = {}
    below: dict[str, dict[str, object]] = {}
    for path, value in values.items():
        first, _, rest = path.partition(".")
        if rest:
            below.setdefault(first, {})[rest] = value
        else:
            here[first] = value
    for name, inner in below.items():
        here[name] = with_values(getattr(config, name), inner)
    return dataclasses.replace(config, **here)  # type: ignore[type-var]


@cache
def _hints(config_class: type) -> dict[str, Any]:
    return typing.get_type_hints(config_class)


def _without_none(kind: Any) -> tuple[Any, bool]:
    """Split `X | None` into X and True."""
    if isinstance(kind, types.UnionType) or typing.get_origin(kind) is typing.Union:
        rest = [part for part in typing.get_args(kind) if part is not type(None)]
        assert len(rest) == 1, f"a setting cannot be {kind}"
        return rest[0], True
    return kind, False
