"""The timer's files: messages that wait for a moment, in Apache's bytes."""

from __future__ import annotations

from pocketmq.store.timer.timer_log import TimerUnit
from pocketmq.store.timer.timers import TimerFiles, Timers

__all__ = ["TimerFiles", "TimerUnit", "Timers"]
