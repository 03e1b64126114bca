"""Answers that leave together, at the end of a round of the event loop.

Where connections are not served in turns, the event loop brings the reads of a round one by one.
An answer that is written at once wakes a client that has gone to sleep, which on a virtual machine
costs more than the writing; of answers written one right after the other only the first does.
"""

from __future__ import annotations

import asyncio
from typing import Protocol


class Answering(Protocol):
    """Whoever has answers to write."""

    def write_answers(self) -> None:
        """Write them."""
        ...


class Burst:
    """Those of one server who have answers to write."""

    def __init__(self) -> None:
        self._waiting: list[Answering] = []

    def add(self, one: Answering) -> None:
        """Let one write its answers when this round is over; called once a round for each."""
        if not self._waiting:
            asyncio.get_running_loop().call_soon(self._write)
        self._waiting.append(one)

    def _write(self) -> None:
        waiting, self._waiting = self._waiting, []
        for one in waiting:
            one.write_answers()
