"""Asks servers with patience that ends: one that lets several questions time out is left alone."""

from __future__ import annotations

from pocketmq.admin.doctor.limits import Limits
from pocketmq.client.calls import Calls
from pocketmq.errors import RpcTimeout
from pocketmq.protocol.command import Command

_SUCCESS = frozenset((0,))


class Asking:
    """Counts time-outs by server."""

    def __init__(self, calls: Calls, limits: Limits) -> None:
        self._calls = calls
        self._limits = limits
        self._timeouts: dict[str, int] = {}

    async def ask(
        self,
        address: str,
        code: int,
        header: object = None,
        *,
        accept: frozenset[int] = _SUCCESS,
        patience: int = 1,
        relayed: bool = False,
    ) -> Command:
        """An answer. Raise what a call raises; RpcTimeout at once for a server that is given up.

        `patience` multiplies the time allowed; time-outs of relayed questions are their clients'.
        """
        if self._timeouts.get(address, 0) >= self._limits.timeouts_max:
            raise RpcTimeout(
                f"{address} let {self._limits.timeouts_max} questions time out and is not asked "
                "any more"
            )
        timeout_ms = self._limits.call_timeout_ms * patience
        try:
            return await self._calls.ask(
                address, code, header, timeout_ms=timeout_ms, accept=accept
            )
        except RpcTimeout:
            if not relayed:
                self._timeouts[address] = self._timeouts.get(address, 0) + 1
            raise
