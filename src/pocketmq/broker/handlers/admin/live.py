"""The settings that may be changed while a broker runs: a closed list, and who takes each change.

None of them names a file, a command, an address or a port, so that whoever reaches the broker
cannot make it touch, start or contact anything. A setting joins the list by being named here
together with the part of the broker that takes a changed group.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from operator import attrgetter
from typing import Any, Final

from pocketmq.broker.config import BrokerConfig
from pocketmq.errors import Refused
from pocketmq.protocol.codes import ResponseCode
from pocketmq.settings import apache, as_properties, settings_of
from pocketmq.settings.declaring import with_values
from pocketmq.settings.values import BadValue, parse, show

CHANGEABLE: Final = frozenset(
    (
        "topics.auto_create",
        "topics.auto_create_groups",
        "send.permission",
        "timers.recall",
        "timers.recall_read_only",
        "transactions.immunity_ms",
        "transactions.checks_max",
        "pop.retry_first_percent",
        "pop.waiting_per_queue_max",
        "pop.waiting_max",
        "pop.limit_out",
        "pop.out_max",
        "assignments.balance",
        "assignments.mode",
        "assignments.pop_share_queues",
        "clients.channel_expiry_ms",
        "clients.popped_expiry_ms",
        "clients.notify_changes",
        "store.retention.reserved_hours",
        "store.retention.delete_when",
        "store.retention.disk_used_percent_max",
        "store.retention.disk_clean_percent",
        "store.retention.disk_full_percent",
        "store.retention.clean_unexpired",
        "store.retention.files_per_step_max",
    )
)
"""The paths of all settings that can be changed by request."""

FORBIDDEN_BY_APACHE: Final = frozenset(("brokerConfigPath", "rocketmqHome", "configBlackList"))

Take = Callable[[Any], None]


class LiveSettings:
    """The broker's settings as they are now, and the takers of changed groups."""

    def __init__(self, config: BrokerConfig, takers: Mapping[str, Take]) -> None:
        groups = {path.rpartition(".")[0] for path in CHANGEABLE}
        assert groups == takers.keys(), "each group of changeable settings has a taker"
        self._takers = takers
        self.config = config
        self._settings = {s.path: s for s in settings_of(config)}
        self._paths = {path: path for path in self._settings} | {
            alias: path
            for path, declared in self._settings.items()
            for alias in declared.declaration.aliases
        }

    def shown(self) -> dict[str, str]:
        """All settings under RocketMQ's names, as they are now, without secrets."""
        shown = as_properties(self.config)
        shown["brokerName"] = self.config.identity.broker_name
        return shown

    def parsed(self, asked: Mapping[str, str]) -> dict[str, object]:
        """The changes that a request asks for, by path; what it repeats is none. Raise Refused.

        Nothing is changed when one of them may not be.
        """
        shown = self.shown()
        changes: dict[str, object] = {}
        for key, text in asked.items():
            if not (key + text).isprintable():
                raise _refused(f"{key[:80]!r} holds a line break or another character of control")
            path = self._paths.get(key)
            if path is None:
                raise _unknown(key)
            if path in CHANGEABLE:
                changes[path] = self._value(key, path, text)
            elif text.strip() != shown.get(key):
                raise Refused(
                    ResponseCode.NO_PERMISSION,
                    f"{key} cannot be changed by request; change the configuration and restart "
                    f"the broker. What can be changed: {', '.join(self.changeable)}",
                )
        return changes

    def change(self, changes: Mapping[str, object]) -> dict[str, tuple[str, str]]:
        """Apply parsed changes; return old and new texts of what differs, by RocketMQ's name."""
        before = self.config
        self.config = with_values(before, dict(changes))
        for group in {path.rpartition(".")[0] for path in changes}:
            new = attrgetter(group)(self.config)
            if new != attrgetter(group)(before):
                self._takers[group](new)
        texts = {
            self.name_of(path): (show(attrgetter(path)(before)), show(value))
            for path, value in changes.items()
        }
        return {name: (old, new) for name, (old, new) in texts.items() if old != new}

    @property
    def changeable(self) -> list[str]:
        """RocketMQ's names of what can be changed, sorted."""
        return sorted(map(self.name_of, CHANGEABLE))

    def name_of(self, path: str) -> str:
        """RocketMQ's name of a changeable setting."""
        return self._settings[path].declaration.aliases[0]

    def _value(self, key: str, path: str, text: str) -> object:
        declared = self._settings[path]
        scale = 1 if key == path else declared.declaration.alias_unit
        try:
            return parse(declared, text, scale)
        except BadValue as problem:
            raise _refused(f"{key} {problem}") from None


def _refused(remark: str) -> Refused:
    return Refused(ResponseCode.INVALID_PARAMETER, remark)


def _unknown(key: str) -> Refused:
    theirs = apache.spelling(key.lower())
    if theirs in FORBIDDEN_BY_APACHE:
        return Refused(ResponseCode.NO_PERMISSION, f"{theirs} cannot be changed by request")
    if theirs is not None:
        return _refused(f"RocketMQ's {theirs} has no effect here: {apache.reason(theirs)}")
    return _refused(f"no setting is called {key[:80]!r}; getBrokerConfig lists them all")
