"""The broker's settings by request: GET_BROKER_CONFIG (26) and UPDATE_BROKER_CONFIG (25).

Only the settings of a closed list can be changed while the broker runs (`live.py`). A request is
checked as a whole before anything changes, what changes is in effect at once, and the answer comes
when it is on the disk.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from pocketmq.broker.handlers.admin.live import LiveSettings
from pocketmq.broker.state.overrides import OverrideTable
from pocketmq.errors import Refused, StoreError
from pocketmq.net import Connection, Handler
from pocketmq.protocol.bodies.java_properties import format_properties, parse_properties
from pocketmq.protocol.codes import RequestCode, ResponseCode
from pocketmq.protocol.command import Command
from pocketmq.protocol.fields import encode_fields
from pocketmq.protocol.requests.admin import BrokerConfigReply

_log = logging.getLogger(__name__)

REQUEST_BYTES_MAX: Final = 64 * 1024


class ConfigHandler:
    """Shows settings and changes those that may be changed."""

    def __init__(
        self,
        settings: LiveSettings,
        overrides: OverrideTable,
        save: Callable[[], Awaitable[object]],
    ) -> None:
        self._settings = settings
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
                changed = self._settings.change(self._settings.parsed({key: text}))
            except Refused as error:
                _log.warning("an earlier change is ignored setting=%s reason=%s", key, error)
                continue
            for name, (_, value) in changed.items():
                _log.warning("setting=%s value=%s from=updateBrokerConfig", name, value)

    def show(self, connection: Connection, command: Command) -> Command:
        """All settings under RocketMQ's names."""
        version = self._overrides.changes.version.to_json().decode()
        return command.reply(
            fields=encode_fields(BrokerConfigReply(version)),
            body=format_properties(self._settings.shown()),
        )

    def update(self, connection: Connection, command: Command) -> Awaitable[Command] | Command:
        """Change settings, all or none."""
        if len(command.body) > REQUEST_BYTES_MAX:
            raise Refused(
                ResponseCode.INVALID_PARAMETER,
                f"{len(command.body)} bytes of settings; at most {REQUEST_BYTES_MAX} are read",
            )
        changed = self._settings.change(self._settings.parsed(parse_properties(command.body)))
        if not changed:
            return command.reply()
        for name, (old, new) in changed.items():
            _log.warning(
                "setting=%s value=%s was=%s changed_by=%s", name, new, old, connection.peer
            )
        shown = self._settings.shown()
        self._overrides.put({name: shown[name] for name in changed})
        return self._saved(command)

    async def _saved(self, command: Command) -> Command:
        try:
            await self._save()
        except (StoreError, OSError) as error:
            raise Refused(
                ResponseCode.SYSTEM_ERROR,
                f"the change holds until a restart only, as it could not be saved: {error}",
            ) from None
        return command.reply()
