"""Asks brokers and makes one page of metrics of what they tell.

    async with Collector("127.0.0.1:9876") as collector:
        page = await collector.collect()
        page.render(open_metrics=False)

Which brokers there are is asked each time, so a broker that registers is measured from then on. One
that does not answer is left out but for `pocketmq_broker_up`. Who asks while a page is being made
gets that page, so that several Prometheus servers cost the brokers no more than one.
"""

from __future__ import annotations

import asyncio
import logging
from types import TracebackType
from typing import Final

from pocketmq.admin import Admin, Broker
from pocketmq.client.config import ClientConfig, NameServers
from pocketmq.clock import SystemClock
from pocketmq.errors import PocketMQError
from pocketmq.metrics import families
from pocketmq.metrics.apache_reading import read_apache
from pocketmq.metrics.describing import Description, base_labels
from pocketmq.metrics.reading import Reading, read_figures
from pocketmq.metrics.text import Samples, label_text
from pocketmq.security import Credentials

_log = logging.getLogger(__name__)
_CLOCK: Final = SystemClock()

BROKER_SECONDS_MAX: Final = 8.0
"""Prometheus waits ten seconds for a page unless it is told otherwise."""


class Collector:
    """Collects from the brokers that name servers know, or from one broker at an address.

    `admin` shares an Admin that is open already, and stays open.
    """

    def __init__(
        self,
        name_servers: NameServers | ClientConfig = "",
        *,
        broker: str | None = None,
        credentials: Credentials | None = None,
        admin: Admin | None = None,
    ) -> None:
        self._owns = admin is None
        if admin is None:
            if broker is not None and not isinstance(name_servers, ClientConfig):
                name_servers = broker  # an Admin wants one; that only asks a broker never uses it
            admin = Admin(name_servers, credentials=credentials)
        self._admin = admin
        self._broker = broker
        self._running: asyncio.Task[Samples] | None = None
        self._problems: dict[str, str] = {}

    @property
    def admin(self) -> Admin:
        """What brokers are asked through."""
        return self._admin

    @property
    def is_alone(self) -> bool:
        """Whether one broker is asked, and no name server."""
        return self._broker is not None

    async def collect(self) -> Samples:
        """A page. What cannot be reached is told by the page itself; nothing is raised."""
        if self._running is None or self._running.done():
            self._running = asyncio.ensure_future(self._collect())
        return await asyncio.shield(self._running)

    async def brokers(self) -> list[Broker]:
        """The brokers to ask: masters alone. Raise NameServersUnreachable."""
        if self._broker is not None:
            return [Broker("", "", 0, self._broker)]
        return await self._admin.clusters.masters()

    async def start(self) -> None:
        """Nothing: connections are opened when they are needed."""

    async def stop(self) -> None:
        """Give up what is under way, and close connections that are our own."""
        if self._running is not None and not self._running.done():
            self._running.cancel()
            await asyncio.wait([self._running])
        if self._owns:
            await self._admin.close()

    async def __aenter__(self) -> Collector:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.stop()

    async def _collect(self) -> Samples:
        samples = Samples()
        try:
            brokers = await self.brokers()
        except PocketMQError as error:
            self._note("name servers", str(error))
            samples.add(families.NAME_SERVER_UP, "", 0)
            return samples
        self._note("name servers", "")
        if self._broker is None:
            samples.add(families.NAME_SERVER_UP, "", 1)
        await asyncio.gather(*(self._add(samples, broker) for broker in brokers))
        return samples

    async def _add(self, samples: Samples, broker: Broker) -> None:
        started = _CLOCK.monotonic()
        reading: Reading | None = None
        try:
            reading = await asyncio.wait_for(self._read(broker), BROKER_SECONDS_MAX)
            self._note(broker.address, "")
        except asyncio.TimeoutError:
            self._note(broker.address, f"no answer within {BROKER_SECONDS_MAX:g} s")
        except PocketMQError as error:
            self._note(broker.address, str(error))
        cluster, name = broker.cluster, broker.name
        if reading is not None:
            Description(samples, reading).add_all()
            cluster, name = reading.facts.get("cluster", ""), reading.facts.get("broker", "")
        base = base_labels(cluster, name)
        up = f"{base},{label_text(address=broker.address)}"
        samples.add(families.UP, up, int(reading is not None))
        samples.add(families.SCRAPE_SECONDS, base, round(_CLOCK.monotonic() - started, 6))

    async def _read(self, broker: Broker) -> Reading:
        calls = self._admin.calls
        found = await read_figures(calls, broker.address)
        if found is not None:
            return found
        return await read_apache(calls, broker.address, broker.cluster, broker.name)

    def _note(self, what: str, problem: str) -> None:
        """Log a problem when it is new, and its end."""
        before = self._problems.pop(what, "")
        if problem:
            self._problems[what] = problem
            if problem != before:
                _log.warning("metrics cannot be had from=%s reason=%s", what, problem)
        elif before:
            _log.info("metrics can be had again from=%s", what)
