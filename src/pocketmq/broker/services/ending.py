"""Ending many things, each of them also when another cannot be ended."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Awaitable, Callable

from pocketmq.errors import StoreError

_log = logging.getLogger(__name__)

End = Callable[[], Awaitable[object] | None]


async def end_all(*ends: End) -> None:
    """Run each in order. What the disk does not allow is logged: the next start will recover.

    Raise the first other failure, after all have run.
    """
    failure: Exception | None = None
    for end in ends:
        try:
            ending = end()
            if inspect.isawaitable(ending):
                await ending
        except StoreError as error:
            _log.error("part of the broker did not end cleanly reason=%s", error)
        except Exception as error:  # noqa: BLE001 - the edge of every part; raised below
            failure = failure or error
    if failure is not None:
        raise failure
