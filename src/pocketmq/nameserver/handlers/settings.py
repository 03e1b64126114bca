"""The name server's own settings: 318, 319."""

from __future__ import annotations

import logging
from typing import Final

from pocketmq.errors import ConfigError, Refused
from pocketmq.nameserver.live_settings import LiveSettings
from pocketmq.nameserver.services.kv_saving import KvSavingService
from pocketmq.net import Connection
from pocketmq.protocol.bodies.java_properties import format_properties, parse_properties
from pocketmq.protocol.codes import ResponseCode
from pocketmq.protocol.command import Command

_log = logging.getLogger(__name__)

REQUEST_BYTES_MAX: Final = 64 * 1024


class SettingsHandler:
    """Answers about the name server's settings, and changes those that are safe to change."""

    def __init__(self, settings: LiveSettings, saving: KvSavingService) -> None:
        self._settings = settings
        self._saving = saving

    async def update(self, connection: Connection, command: Command) -> Command:
        """UPDATE_NAMESRV_CONFIG: change settings, all or none. Answered when they are on disk."""
        if len(command.body) > REQUEST_BYTES_MAX:
            raise Refused(
                ResponseCode.INVALID_PARAMETER,
                f"{len(command.body)} bytes of settings; at most {REQUEST_BYTES_MAX} are read",
            )
        properties = parse_properties(command.body)
        if not "".join((*properties, *properties.values())).isprintable():
            raise Refused(
                ResponseCode.INVALID_PARAMETER,
                "a setting holds a line break or another character of control",
            )
        protected = self._settings.protected.intersection(properties)
        if protected:
            raise Refused(
                ResponseCode.NO_PERMISSION, f"{_listed(protected)} may not be changed by requests"
            )
        fixed = properties.keys() - self._settings.changeable
        if fixed:
            raise Refused(
                ResponseCode.NO_PERMISSION,
                f"{_listed(fixed)[:400]} cannot be changed while the name server runs; "
                f"these can: {_listed(self._settings.changeable)}",
            )
        try:
            self._settings.change(properties)
        except ConfigError as error:
            raise Refused(ResponseCode.SYSTEM_ERROR, str(error)) from None
        if properties:
            _log.warning("settings changed names=%s by=%s", _listed(properties), connection.peer)
            await self._save()
        return command.reply()

    async def _save(self) -> None:
        try:
            await self._saving.save()
        except OSError as error:
            _log.error("settings not saved reason=%s", error)
            raise Refused(
                ResponseCode.SYSTEM_ERROR,
                f"the change holds until a restart only, saving failed: {error}",
            ) from None

    def show(self, connection: Connection, command: Command) -> Command:
        """GET_NAMESRV_CONFIG: all settings, without secrets."""
        return command.reply(body=format_properties(self._settings.properties()))


def _listed(names: frozenset[str] | set[str] | dict[str, str]) -> str:
    return ", ".join(sorted(names))
