"""How far long work is: a line on standard error that grows, for people at a terminal alone."""

from __future__ import annotations

import sys
from types import TracebackType

from pocketmq.cli import terminal
from pocketmq.clock import SystemClock

_REDRAW_SECONDS = 0.1
_BAR = 24


class Progress:
    """A bar, drawn at most ten times a second and wiped at the end.

    >>> with Progress("giving back") as progress:
    ...     progress.update(1, 2)
    """

    def __init__(self, label: str) -> None:
        self._label = label
        self._shows = sys.stderr.isatty()
        self._drawn = 0.0
        self._clock = SystemClock()
        self._began = self._clock.monotonic()

    def __enter__(self) -> Progress:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._shows and self._drawn:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()

    def update(self, done: int, total: int = 0) -> None:
        """Say how much is done, and of how much if that is known."""
        now = self._clock.monotonic()
        if not self._shows or (now - self._drawn < _REDRAW_SECONDS and done != total):
            return
        self._drawn = now
        rate = done / max(now - self._began, 0.001)
        if total:
            full = round(_BAR * min(done / total, 1.0))
            bar = "█" * full + "░" * (_BAR - full)
            text = f"{self._label} {bar} {done} of {total}, {rate:.0f}/s"
            if 0 < done < total and rate > 0:
                text += f", {(total - done) / rate:.0f} s left"
        else:
            text = f"{self._label} {done}, {rate:.0f}/s"
        sys.stderr.write("\r\x1b[K" + terminal.cut(text, terminal.size()[0] - 1))
        sys.stderr.flush()
