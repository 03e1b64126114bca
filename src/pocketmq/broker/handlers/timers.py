"""The timer's state for replicas: GET_TIMER_CHECK_POINT (60) and GET_TIMER_METRICS (61)."""

from __future__ import annotations

from collections.abc import Mapping

from pocketmq.broker.services.timer import TimerService
from pocketmq.errors import Refused
from pocketmq.net import Connection, Handler
from pocketmq.protocol.codes import RequestCode, ResponseCode
from pocketmq.protocol.command import Command


class TimersHandler:
    """Hands out what `timercheck` and `timermetrics` hold."""

    def __init__(self, timer: TimerService | None) -> None:
        self._timer = timer

    def routes(self) -> Mapping[int, Handler]:
        """Request code -> handler."""
        return {
            RequestCode.GET_TIMER_CHECK_POINT: self.progress,
            RequestCode.GET_TIMER_METRICS: self.waiting,
        }

    def progress(self, connection: Connection, command: Command) -> Command:
        """Seven numbers of eight bytes: how far the timer is."""
        return command.reply(body=self._running().progress_bytes())

    def waiting(self, connection: Connection, command: Command) -> Command:
        """How many messages wait, by topic."""
        return command.reply(body=self._running().waiting_bytes())

    def _running(self) -> TimerService:
        if self._timer is None:
            raise Refused(ResponseCode.SYSTEM_ERROR, "The timer is off; see timerWheelEnable")
        return self._timer
