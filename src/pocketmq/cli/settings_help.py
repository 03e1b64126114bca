"""Settings as people ask about them: what each means, its default, and what it is now."""

from __future__ import annotations

import typing
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pocketmq.settings import Setting, settings_of
from pocketmq.settings.values import choices_of, show

Program = Literal["broker", "nameserver"] | str


@dataclass(frozen=True, slots=True)
class Explained:
    """One setting."""

    key: str
    """What servers call it on the wire: RocketMQ's name, or ours where it has none."""
    path: str
    what: str
    default: str
    takes: str
    aliases: tuple[str, ...] = ()
    value: str = ""

    @property
    def is_changed(self) -> bool:
        """Whether a server has another value than PocketMQ's default."""
        return bool(self.path) and self.value.lower() != self.default.lower()

    def is_called(self, name: str) -> bool:
        """Whether a name means this setting."""
        wanted = name.lower()
        names = {self.key, self.path, self.path.partition(".")[2], *self.aliases}
        return wanted in {one.lower() for one in names if one}


def explained(program: Program) -> list[Explained]:
    """All settings of a program of ours, with their defaults."""
    found = []
    for setting in settings_of(_config(program)):
        declaration = setting.declaration
        default = show(setting.default)
        found.append(
            Explained(
                declaration.aliases[0] if declaration.aliases else setting.path,
                setting.path,
                declaration.doc,
                _in_their_unit(setting, default),
                takes(setting),
                declaration.aliases,
            )
        )
    return found


def _config(program: Program) -> object:
    if program == "broker":
        from pocketmq.broker.config import BrokerConfig

        return BrokerConfig()
    from pocketmq.nameserver.config import NameServerConfig

    return NameServerConfig()


def _in_their_unit(setting: Setting, default: str) -> str:
    unit = setting.declaration.alias_unit
    if unit != 1 and isinstance(setting.default, int):
        return str(setting.default // unit)
    return default


def explain(program: Program, values: Mapping[str, str]) -> list[Explained]:
    """A server's settings with what PocketMQ knows of them; those it does not know stay bare."""
    known = {alias: one for one in explained(program) for alias in (*one.aliases, one.path)}
    found = []
    for key in sorted(values, key=str.lower):
        one = known.get(key)
        if one is None:
            found.append(Explained(key, "", "", "", "", (), values[key]))
        else:
            found.append(
                Explained(key, one.path, one.what, one.default, one.takes, one.aliases, values[key])
            )
    return found


def matching(one: Explained, word: str) -> bool:
    """Whether a word is in a setting's names."""
    wanted = word.lower().strip("*")
    return wanted in one.key.lower() or wanted in one.path.lower()


def takes(setting: Setting) -> str:
    """What a setting may be, in words."""
    choices = choices_of(setting.type)
    if choices:
        return ", ".join(choices)
    if typing.get_origin(setting.type) is tuple:
        return "a list"
    words = {bool: "true or false", int: "a whole number", float: "a number", Path: "a path"}
    word = words.get(setting.type, "text")
    low, high = setting.declaration.minimum, setting.declaration.maximum
    if low is not None and high is not None:
        return f"{word}, {low:.12g} to {high:.12g}"
    if low is not None:
        return f"{word}, at least {low:.12g}"
    return f"{word}, at most {high:.12g}" if high is not None else word
