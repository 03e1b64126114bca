"""Registration: telling name servers who this broker is and which topics it has.

Each name server has a link of its own (`name_server_link.py`), so one that is down or slow delays
nobody. What they are told is put together here. A full registration names all topics; after it, a
change is told at once by a registration of the changed topics alone. A name server that does not
know this broker refuses the latter, so the first one is always full.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable

from pocketmq.broker.config import RegistrationConfig
from pocketmq.broker.services.announcement import Announcement, Presence
from pocketmq.broker.services.name_server_link import RETRY_MS, Learned, NameServerLink
from pocketmq.broker.state.topics import TopicTable
from pocketmq.errors import ConfigError
from pocketmq.net import Address, RpcClient

__all__ = ["Learned", "Presence", "RegistrationService", "parse_name_servers"]


class RegistrationService:
    """Keeps this broker registered with all name servers."""

    def __init__(
        self,
        config: RegistrationConfig,
        presence: Presence,
        topics: TopicTable,
        on_learned: Callable[[Learned], None] | None = None,
        *,
        retry_ms: int = RETRY_MS,
    ) -> None:
        self._config = config
        self._announcement = Announcement(presence, topics)
        self._on_learned = on_learned
        self._retry_ms = retry_ms
        self._client = RpcClient()
        self._links: dict[str, NameServerLink] = {}
        self._running = False
        self._addresses = parse_name_servers(config.name_servers)
        topics.on_change(self._topics_changed)

    @property
    def name_servers(self) -> list[str]:
        """The addresses of the name servers."""
        return list(self._addresses)

    @property
    def registered_with(self) -> list[str]:
        """Those that know this broker now."""
        return [address for address, link in self._links.items() if link.is_registered]

    def start(self) -> None:
        """Register with all name servers, now and again. Call on the event loop."""
        self._running = True
        for address in self._addresses:
            self._open(address)

    async def first_round(self, timeout_seconds: float) -> bool:
        """Wait until each name server was tried once, at most this long. True if all answered."""
        tried = [asyncio.ensure_future(link.tried.wait()) for link in self._links.values()]
        if tried:
            _, late = await asyncio.wait(tried, timeout=timeout_seconds)
            for task in late:
                task.cancel()
            await asyncio.gather(*tried, return_exceptions=True)
        return len(self.registered_with) == len(self._addresses)

    async def tell_changes(self, timeout_seconds: float) -> None:
        """Wait until all reachable name servers know of the latest changes, at most this long."""
        waiting = [asyncio.ensure_future(link.told.wait()) for link in self._links.values()]
        if waiting:
            _, late = await asyncio.wait(waiting, timeout=timeout_seconds)
            for task in late:
                task.cancel()

    async def use_name_servers(self, text: str) -> None:
        """Register with these name servers from now on. Raise ConfigError for a bad address."""
        self._addresses = parse_name_servers(text)
        if not self._running:
            return
        gone = [self._links.pop(a) for a in list(self._links) if a not in self._addresses]
        for address in self._addresses:
            if address not in self._links:
                self._open(address)
        await asyncio.gather(*(link.stop() for link in gone))

    async def stop(self) -> None:
        """Say goodbye to all name servers, in parallel, and close the connections."""
        self._running = False
        links, self._links = list(self._links.values()), {}
        await asyncio.gather(*(link.stop() for link in links))
        await self._client.close()

    def register_now(self) -> None:
        """Tell all name servers everything again, at once."""
        for link in self._links.values():
            link.register_fully()

    def _open(self, address: str) -> None:
        link = NameServerLink(
            address,
            self._config,
            self._announcement,
            self._client,
            self._learn,
            retry_ms=self._retry_ms,
        )
        self._links[address] = link
        link.start()

    def _topics_changed(self, names: Iterable[str]) -> None:
        changed = tuple(names)
        for link in self._links.values():
            link.topics_changed(changed)

    def _learn(self, learned: Learned) -> None:
        if self._on_learned is not None:
            self._on_learned(learned)


def parse_name_servers(text: str) -> list[str]:
    """The addresses in `a;b`, each once. Raise ConfigError for one that is none."""
    addresses = [part.strip() for part in text.replace(",", ";").split(";") if part.strip()]
    for address in addresses:
        try:
            Address.parse(address)
        except ValueError as error:
            raise ConfigError(f"registration.name_servers (namesrvAddr): {error}") from None
    return list(dict.fromkeys(addresses))
