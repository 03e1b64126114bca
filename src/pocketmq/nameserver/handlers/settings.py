"""The name server's own settings: 318, 319."""

from __future__ import annotations

import logging

from pocketmq.errors import ConfigError, Refused
from pocketmq.nameserver.live_settings import LiveSettings
from pocketmq.net import Connection
from pocketmq.protocol.bodies.java_properties import format_properties, parse_properties
from pocketmq.protocol.codes import ResponseCode
from pocketmq.protocol.command import Command

_log = logging.getLogger(__name__)


class SettingsHandler:
    """Answers about the name server's settings, and changes those that are safe to change."""

    def __init__(self, settings: LiveSettings) -> None:
        self._settings = settings

    def update(self, connection: Connection, command: Command) -> Command:
        """UPDATE_NAMESRV_CONFIG: change settings until the next start, all or none."""
        properties = parse_properties(command.body)
        protected = self._settings.protected.intersection(properties)
        if protected:
            raise Refused(
                ResponseCode.NO_PERMISSION, f"{_listed(protected)} may not be changed by requests"
            )
        fixed = properties.keys() - self._settings.changeable
        if fixed:
            raise Refused(
                ResponseCode.NO_PERMISSION,
                f"{_listed(fixed)} cannot be changed while the name server runs; "
                f"these can: {_listed(self._settings.changeable)}",
            )
        try:
            self._settings.change(properties)
        except ConfigError as error:
            raise Refused(ResponseCode.SYSTEM_ERROR, str(error)) from None
        if properties:
            _log.info("settings changed names=%s by=%s", _listed(properties), connection.peer)
        return command.reply()

    def show(self, connection: Connection, command: Command) -> Command:
        """GET_NAMESRV_CONFIG: all settings, without secrets."""
        return command.reply(body=format_properties(self._settings.properties()))


def _listed(names: frozenset[str] | set[str] | dict[str, str]) -> str:
    return ", ".join(sorted(names))
