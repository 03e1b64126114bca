"""Files new records in the consume queues and the index, once per turn of the event loop.

Appending a message only wakes this service. All messages of one turn, of all connections, are then
dispatched together, and pulls that wait for one of them are served.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence

from pocketmq.errors import StoreError
from pocketmq.message.scan import Filed
from pocketmq.store import MessageStore

_log = logging.getLogger(__name__)

_RECORDS_PER_TURN = 2048
_RETRY_SECONDS = 1.0


class DispatchService:
    """Calls `store.dispatch` whenever something was appended or became durable."""

    def __init__(self, store: MessageStore, on_arrivals: Callable[[Sequence[Filed]], None]) -> None:
        self._store = store
        self._on_arrivals = on_arrivals
        self.is_scheduled = False
        self._failing = False
        self._loop = asyncio.get_running_loop()

    def wake(self) -> None:
        """There may be something to dispatch; it is looked at later in this turn of the loop."""
        if not self.is_scheduled:
            self.is_scheduled = True
            self._loop.call_soon(self._step)

    def drain(self) -> None:
        """Dispatch everything that may be dispatched, now."""
        while arrivals := self._store.dispatch(_RECORDS_PER_TURN):
            self._on_arrivals(arrivals)

    def _step(self) -> None:
        self.is_scheduled = False
        try:
            arrivals = self._store.dispatch(_RECORDS_PER_TURN)
        except (StoreError, OSError) as error:
            # Nothing is lost: the log keeps the records, and they are filed when this succeeds.
            if not self._failing:
                _log.error("messages are stored but cannot be filed reason=%s", error)
            self._failing = True
            self._loop.call_later(_RETRY_SECONDS, self.wake)
            return
        self._failing = False
        if arrivals:
            self._on_arrivals(arrivals)
        if len(arrivals) >= _RECORDS_PER_TURN:
            self.wake()
