"""The settings that operators change while the name server runs: `overrides.json`.

They outlive a restart and win over the configuration, which the log says at start.
"""

from __future__ import annotations

import logging

from pocketmq.errors import ConfigError, MalformedBody
from pocketmq.nameserver.config import NameServerConfig, RoutingConfig
from pocketmq.protocol.bodies.fastjson import dumps_plain, loads
from pocketmq.settings import Entry, as_properties, resolve

_log = logging.getLogger(__name__)

_SECRET_PARTS = ("password", "secret")


class LiveSettings:
    """Holds the current `routing` settings; everything else stays as it was at the start."""

    def __init__(self, config: NameServerConfig) -> None:
        self._config = config
        self._changeable = frozenset(as_properties(config.routing))
        self._changed: dict[str, str] = {}
        self.routing: RoutingConfig = config.routing

    @property
    def changeable(self) -> frozenset[str]:
        """RocketMQ's names of the settings that `change` takes."""
        return self._changeable

    @property
    def protected(self) -> frozenset[str]:
        """Names that no request may change, whatever they mean."""
        named = (name.strip() for name in self._config.protected_settings.split(";"))
        return frozenset(("rocketmqHome", *named))

    def change(self, properties: dict[str, str]) -> None:
        """Apply settings, all or none. Raise ConfigError for a value that does not fit."""
        assert self._changeable.issuperset(properties), "the handler lets only these through"
        entries = [Entry(name, value, "the request") for name, value in properties.items()]
        self.routing = resolve({"routing": self.routing}, entries).config(RoutingConfig)
        now = as_properties(self.routing)
        self._changed |= {name: now[name] for name in properties}

    def encode(self) -> bytes:
        """The content of the file: what was changed."""
        return dumps_plain({"overrides": self._changed})

    def load(self, data: bytes) -> None:
        """Apply what a file says was changed. Raise MalformedBody when it cannot be read."""
        document = loads(data)
        changed = document.get("overrides") if isinstance(document, dict) else None
        if not isinstance(changed, dict):
            raise MalformedBody("there are no overrides in it")
        for name, value in changed.items():
            if name not in self._changeable:
                _log.warning("an earlier change is ignored setting=%s reason=not changeable", name)
                continue
            try:
                self.change({name: str(value)})
            except ConfigError as error:
                _log.warning("an earlier change is ignored setting=%s reason=%s", name, error)
            else:
                _log.warning("setting=%s value=%s from=updateNamesrvConfig", name, value)

    def properties(self) -> dict[str, str]:
        """All settings under RocketMQ's names, as they are now, without secrets."""
        shown = as_properties(self._config) | as_properties(self.routing)
        return {
            name: value
            for name, value in shown.items()
            if not any(part in name.lower() for part in _SECRET_PARTS)
        }
