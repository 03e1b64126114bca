"""Answers that are kept for a short while, so that many viewers cost as much as one."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

from pocketmq.clock import Clock

T = TypeVar("T")


class Aged(Generic[T]):
    """Keeps values by key for `seconds`, the least recently asked going first beyond `keys_max`.

    Whoever asks for a key while it is being found out waits for that answer. An error is raised to
    all who wait, and not kept.
    """

    def __init__(self, clock: Clock, seconds: float, keys_max: int = 1) -> None:
        self._clock = clock
        self._seconds = seconds
        self._keys_max = keys_max
        self._kept: OrderedDict[Hashable, tuple[float, T]] = OrderedDict()
        self._asking: dict[Hashable, asyncio.Task[T]] = {}

    async def get(self, key: Hashable, find: Callable[[], Awaitable[T]]) -> T:
        """The value, kept or found out now."""
        found = self._kept.get(key)
        if found is not None and self._clock.monotonic() - found[0] < self._seconds:
            self._kept.move_to_end(key)
            return found[1]
        task = self._asking.get(key)
        if task is None:
            task = asyncio.ensure_future(self._find(key, find))
            self._asking[key] = task
        return await asyncio.shield(task)

    def forget(self, key: Hashable = None) -> None:
        """Forget one value, or all."""
        if key is None:
            self._kept.clear()
        else:
            self._kept.pop(key, None)

    async def close(self) -> None:
        """End what is being found out."""
        for task in self._asking.values():
            task.cancel()
        await asyncio.gather(*self._asking.values(), return_exceptions=True)

    async def _find(self, key: Hashable, find: Callable[[], Awaitable[T]]) -> T:
        try:
            value = await find()
            self._kept[key] = (self._clock.monotonic(), value)
            self._kept.move_to_end(key)
            while len(self._kept) > self._keys_max:
                self._kept.popitem(last=False)
            return value
        finally:
            del self._asking[key]
