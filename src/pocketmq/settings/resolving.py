"""From entries to configs: later entries win, unknown names are reported, never swallowed.

A section is one program's config ("broker", "nameserver"). A setting answers to its path
(`flush.interval_ms`), its path after the section (`broker.flush.interval_ms`), the last part of
its path where no other setting ends so, and its RocketMQ names; capitals do not matter.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, TypeVar

from pocketmq.errors import ConfigError
from pocketmq.settings import apache
from pocketmq.settings.declaring import Setting, settings_of, with_values
from pocketmq.settings.sources import Entry
from pocketmq.settings.values import BadValue, parse, show

C = TypeVar("C")

HIDDEN: Final = "******"
"""What is shown instead of a secret."""


@dataclass(frozen=True, slots=True)
class Resolved:
    """The configs, by section; where each changed setting was written; and what to warn about."""

    configs: dict[str, object]
    origins: dict[str, str]
    warnings: tuple[str, ...]

    def config(self, config_class: type[C]) -> C:
        """Return the config of this class."""
        for config in self.configs.values():
            if isinstance(config, config_class):
                return config
        raise KeyError(config_class.__name__)


@dataclass(frozen=True, slots=True)
class _Target:
    """A setting under one of its names; `scale` converts bare numbers of that name's writer."""

    section: str
    setting: Setting
    scale: int

    @property
    def full_path(self) -> str:
        return f"{self.section}.{self.setting.path}"


class Names:
    """Every name that settings of these sections answer to."""

    def __init__(self, sections: Mapping[str, object]) -> None:
        self.sections = sections
        self.environment: dict[str, str] = {}
        self._exact: dict[str, list[_Target]] = {}
        self._last_part: dict[str, list[_Target]] = {}
        self._spelling: dict[str, str] = {}
        for section, config in sections.items():
            for setting in settings_of(config):
                self._add(section, setting)

    def find(self, entry: Entry) -> _Target | None:
        """Return what an entry names, or None. Raise ConfigError when it names two settings."""
        key = _plain(entry.name)
        for table in (self._exact, self._last_part):
            found = table.get(key, [])
            if entry.section is not None:
                found = [target for target in found if target.section == entry.section] or found
            if len({target.full_path for target in found}) > 1:
                options = " or ".join(target.full_path for target in found)
                raise ConfigError(f"{entry.where}: {entry.name} is ambiguous; write {options}")
            if found:
                return found[0]
        return None

    def nearest(self, name: str) -> str | None:
        """Return the known name most like this one, or None when nothing is."""
        import difflib  # a slow import, and rarely needed

        known = [*self._spelling, *map(_plain, apache.KEYS)]
        for match in difflib.get_close_matches(_plain(name), known, n=1, cutoff=0.7):
            return self._spelling.get(match) or apache.spelling(match)
        return None

    def _add(self, section: str, setting: Setting) -> None:
        plain = _Target(section, setting, 1)
        for name in (setting.path, f"{section}.{setting.path}"):
            self._exact.setdefault(_plain(name), []).append(plain)
            self._spelling[_plain(name)] = name
        if "." in setting.path:
            self._last_part.setdefault(_plain(setting.name), []).append(plain)
        theirs = _Target(section, setting, setting.declaration.alias_unit)
        for alias in setting.declaration.aliases:
            self._exact.setdefault(_plain(alias), []).append(theirs)
            self._exact.setdefault(_plain(f"{section}.{alias}"), []).append(theirs)
            self._spelling[_plain(alias)] = alias
        if setting.declaration.environment is not None:
            self.environment.setdefault(setting.declaration.environment, plain.full_path)


def resolve(
    sections: Mapping[str, object], entries: Iterable[Entry], names: Names | None = None
) -> Resolved:
    """Apply entries to the configs, in order. Raise ConfigError for a value that does not fit."""
    names = names or Names(sections)
    values: dict[str, dict[str, object]] = {section: {} for section in sections}
    origins: dict[str, str] = {}
    unknown: dict[str, Entry] = {}
    for entry in entries:
        target = names.find(entry)
        if target is None:
            unknown[_plain(entry.name)] = entry
            continue
        values[target.section][target.setting.path] = _value(target, entry)
        origins[target.full_path] = entry.where
    warnings = tuple(_complaint(entry, names) for entry in unknown.values())
    configs: dict[str, object] = {}
    for section, config in sections.items():
        try:
            configs[section] = with_values(config, values[section])
        except ValueError as error:
            raise ConfigError(f"{section}: {error}") from None
    return Resolved(configs, origins, warnings)


def as_properties(config: object) -> dict[str, str]:
    """Return a config under RocketMQ's names, in RocketMQ's units, as its tools show it.

    A secret that is set shows as `HIDDEN`.
    """
    properties = {}
    for setting in settings_of(config):
        unit = setting.declaration.alias_unit
        value = setting.default
        if setting.declaration.secret and value:
            value = HIDDEN
        if unit != 1 and isinstance(value, (int, float)):
            value = value // unit
        for alias in setting.declaration.aliases:
            properties[alias] = show(value)
    return properties


def _value(target: _Target, entry: Entry) -> object:
    try:
        return parse(target.setting, entry.value, target.scale)
    except BadValue as problem:
        declared = target.setting
        if declared.declaration.secret:
            raise ConfigError(f"{entry.where}: {entry.name} {problem}") from None
        default = show(declared.default)
        hint = f"; the default is {default}" if default else ""
        raise ConfigError(
            f"{entry.where}: {entry.name} = {show(entry.value)!r} {problem}{hint}"
        ) from None


def _complaint(entry: Entry, names: Names) -> str:
    """Return the warning for an unknown name. Raise ConfigError where ignoring it is unsafe."""
    key = apache.spelling(_plain(entry.name)) or apache.spelling(
        _plain(entry.name.rpartition(".")[2])
    )
    if key is None:
        nearest = names.nearest(entry.name)
        hint = f"; did you mean {nearest}?" if nearest else ""
        return f"{entry.where}: no setting is called {entry.name}, so it is ignored{hint}"
    reason = apache.reason(key)
    if key in apache.SAFETY and str(entry.value).strip().lower() == "true":
        raise ConfigError(
            f"{entry.where}: {key} = true asks for the access control of RocketMQ 4, with users in "
            "plain_acl.yml, which PocketMQ does not read; set authenticationEnabled=true and "
            "authorizationEnabled=true with an initAuthenticationUser instead, or say "
            f"--set {key}=false to run open to everyone who can connect"
        )
    return f"{entry.where}: RocketMQ's {key} has no effect here: {reason}"


def _plain(name: str) -> str:
    """Return a name without what spellings differ in: capitals, dashes and dots."""
    return name.strip().lower().replace("-", "_").replace(".", "_")
