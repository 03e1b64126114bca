"""The settings that operators change while the name server runs."""

from __future__ import annotations

from pocketmq.nameserver.config import NameServerConfig, RoutingConfig
from pocketmq.settings import Entry, as_properties, resolve

_SECRET_PARTS = ("password", "secret")


class LiveSettings:
    """Holds the current `routing` settings; everything else stays as it was at the start."""

    def __init__(self, config: NameServerConfig) -> None:
        self._config = config
        self._changeable = frozenset(as_properties(config.routing))
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

    def properties(self) -> dict[str, str]:
        """All settings under RocketMQ's names, as they are now, without secrets."""
        shown = as_properties(self._config) | as_properties(self.routing)
        return {
            name: value
            for name, value in shown.items()
            if not any(part in name.lower() for part in _SECRET_PARTS)
        }
