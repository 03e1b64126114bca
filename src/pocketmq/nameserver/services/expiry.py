"""Looks for silent brokers, again and again."""

from __future__ import annotations

import asyncio
import logging

from pocketmq.nameserver.route_table import RouteTable

_log = logging.getLogger(__name__)


class ExpiryService:
    """Calls `expire` every `interval_ms`. A scan is short, so it runs on the event loop."""

    def __init__(self, table: RouteTable, interval_ms: int) -> None:
        self._table = table
        self._interval_ms = interval_ms
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Begin; the first scan is one interval away."""
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(self._interval_ms / 1000, self._scan)

    def stop(self) -> None:
        """Scan no more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _scan(self) -> None:
        self.start()
        expired = self._table.expire()
        if expired:
            _log.warning("silent brokers forgotten count=%d", expired)
