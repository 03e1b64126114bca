"""Tells the replicas of a broker that their smallest id has changed: who leads now.

A notice is a oneway request to the replica's own port. One that cannot be delivered soon is
dropped; the replica asks again with its next registration.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Final

from pocketmq.errors import NetError
from pocketmq.nameserver.route_table import Notice
from pocketmq.net import RpcClient
from pocketmq.protocol.codes import RequestCode
from pocketmq.protocol.command import Command
from pocketmq.protocol.fields import encode_fields

_log = logging.getLogger(__name__)

CONNECT_TIMEOUT_MS: Final = 300
UNDER_WAY_MAX: Final = 1000


class NoticeService:
    """Sends notices without holding up whoever causes them."""

    def __init__(self) -> None:
        self._client = RpcClient(connect_timeout_ms=CONNECT_TIMEOUT_MS)
        self._under_way: set[asyncio.Task[None]] = set()

    def send(self, notice: Notice) -> None:
        """Tell every target."""
        _log.info(
            "smallest broker id changed name=%s id=%s targets=%s",
            *(notice.change.broker_name, notice.change.min_broker_id, ",".join(notice.targets)),
        )
        for address in notice.targets:
            if len(self._under_way) >= UNDER_WAY_MAX:
                _log.warning("notice dropped, too many are under way address=%s", address)
                continue
            task = asyncio.ensure_future(self._tell(address, notice))
            self._under_way.add(task)
            task.add_done_callback(self._under_way.discard)

    async def stop(self) -> None:
        """Drop what is under way and close the connections."""
        for task in self._under_way:
            task.cancel()
        if self._under_way:
            await asyncio.wait(self._under_way)
        await self._client.close()

    async def _tell(self, address: str, notice: Notice) -> None:
        fields = encode_fields(notice.change)
        command = Command.request(RequestCode.NOTIFY_MIN_BROKER_ID_CHANGE, fields, oneway=True)
        try:
            await self._client.notify(address, command)
        except (NetError, ValueError) as error:
            _log.warning("notice not delivered address=%s reason=%s", address, error)
