"""The broker's settings by request: GET_BROKER_CONFIG (26) and UPDATE_BROKER_CONFIG (25).

Only the settings of a closed list can be changed while the broker runs. None of them names a file,
a command or an address, so that whoever reaches the port cannot make the broker touch another.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from pocketmq.broker.config import BrokerConfig
from pocketmq.broker.services.clients import ClientService
from pocketmq.broker.state.groups import GroupTable
from pocketmq.broker.state.overrides import OverrideTable
from pocketmq.broker.state.topics import TopicTable
from pocketmq.errors import Refused
from pocketmq.net import Connection, Handler
from pocketmq.protocol.bodies.java_properties import format_properties, parse_properties
from pocketmq.protocol.codes import RequestCode, ResponseCode
from pocketmq.protocol.command import Command
from pocketmq.protocol.fields import encode_fields
from pocketmq.protocol.requests.admin import BrokerConfigReply
from pocketmq.settings import Setting, as_properties, settings_of
from pocketmq.settings.values import BadValue, parse, show

_log = logging.getLogger(__name__)

BLACKLIST: Final = frozenset(("brokerConfigPath", "rocketmqHome", "configBlackList"))
_SECRETS: Final = frozenset(("tls.server.keyPassword",))

Apply = Callable[[Any], None]


def live_settings(
    topics: TopicTable, groups: GroupTable, clients: ClientService
) -> dict[str, Apply]:
    """The settings that can be changed while the broker runs, by RocketMQ's name."""
    return {
        "brokerPermission": topics.set_broker_permission,
        "autoCreateTopicEnable": topics.set_auto_create,
        "autoCreateSubscriptionGroup": groups.set_auto_create,
        "notifyConsumerIdsChangedEnable": clients.set_notices,
    }


class ConfigHandler:
    """Shows settings and changes those that may be changed."""

    def __init__(
        self,
        config: BrokerConfig,
        live: Mapping[str, Apply],
        overrides: OverrideTable,
        save: Callable[[], Awaitable[object]],
    ) -> None:
        self._shown = as_properties(config)
        self._shown["brokerName"] = config.identity.broker_name
        for key in _SECRETS & self._shown.keys():
            self._shown[key] = "******" if self._shown[key] else ""
        self._live = live
        self._settings: dict[str, Setting] = {
            alias: setting
            for setting in settings_of(config)
            for alias in setting.declaration.aliases
        }
        self._overrides = overrides
        self._save = save

    def routes(self) -> Mapping[int, Handler]:
        """Request code -> handler."""
        return {
            RequestCode.GET_BROKER_CONFIG: self.show,
            RequestCode.UPDATE_BROKER_CONFIG: self.update,
        }

    def apply_overrides(self) -> None:
        """Apply what was changed before the last stop; to be called once, at start."""
        for key, text in self._overrides.values.items():
            try:
                value = self._parsed(key, text)
            except Refused as error:
                _log.warning("an earlier change is ignored setting=%s reason=%s", key, error)
                continue
            if show(value) != self._shown[key]:
                _log.warning("setting=%s value=%s from=updateBrokerConfig", key, show(value))
            self._live[key](value)
            self._shown[key] = show(value)

    def show(self, connection: Connection, command: Command) -> Command:
        """All settings under RocketMQ's names."""
        version = self._overrides.changes.version.to_json().decode()
        return command.reply(
            fields=encode_fields(BrokerConfigReply(version)), body=format_properties(self._shown)
        )

    def update(self, connection: Connection, command: Command) -> Awaitable[Command] | Command:
        """Change settings; all are checked before any is changed. Unknown ones are ignored."""
        asked = parse_properties(command.body)
        values: dict[str, object] = {}
        unknown = []
        for key, text in asked.items():
            if key in BLACKLIST:
                raise Refused(ResponseCode.NO_PERMISSION, f"{key} cannot be changed by request")
            if key not in self._settings:
                unknown.append(key[:80])
            elif key in self._live or text.strip() != self._shown[key]:
                values[key] = self._parsed(key, text)
        remark = f"ignored, not known here: {', '.join(unknown[:20])}" if unknown else None
        if not values:
            return command.reply(remark=remark)
        for key, value in values.items():
            self._live[key](value)
            self._shown[key] = show(value)
        _log.info("settings changed peer=%s settings=%s", connection.peer, sorted(values))
        self._overrides.put({key: show(value) for key, value in values.items()})
        return self._saved(command.reply(remark=remark))

    async def _saved(self, reply: Command) -> Command:
        await self._save()
        return reply

    def _parsed(self, key: str, text: str) -> object:
        if key not in self._live:
            raise Refused(
                ResponseCode.NO_PERMISSION,
                f"{key} cannot be changed while the broker runs; change the configuration and "
                f"restart. What can be changed: {', '.join(sorted(self._live))}",
            )
        setting = self._settings[key]
        try:
            return parse(setting, text, setting.declaration.alias_unit)
        except BadValue as problem:
            raise Refused(ResponseCode.INVALID_PARAMETER, f"{key} {problem}") from None
