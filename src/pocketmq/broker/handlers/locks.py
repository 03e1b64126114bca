"""Ordered consumers hold their queues: LOCK_BATCH_MQ (41) and UNLOCK_BATCH_MQ (42)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from pocketmq.broker.state.locks import LockTable
from pocketmq.errors import Refused
from pocketmq.net import Connection, Handler
from pocketmq.protocol.bodies.queues import LockReply, LockRequest
from pocketmq.protocol.codes import RequestCode, ResponseCode
from pocketmq.protocol.command import Command

QUEUES_PER_REQUEST_MAX: Final = 65_536


class LocksHandler:
    """Leases queues to clients."""

    def __init__(self, locks: LockTable) -> None:
        self._locks = locks

    def routes(self) -> Mapping[int, Handler]:
        """Request code -> handler."""
        return {RequestCode.LOCK_BATCH_MQ: self.lock, RequestCode.UNLOCK_BATCH_MQ: self.unlock}

    def lock(self, connection: Connection, command: Command) -> Command:
        """Lease queues to a client of a group; answer those it holds now."""
        request = _request(command)
        locked = self._locks.lock(request.consumer_group, request.client_id, request.mq_set)
        return command.reply(body=LockReply(tuple(locked)).to_json())

    def unlock(self, connection: Connection, command: Command) -> Command:
        """End a client's leases."""
        request = _request(command)
        self._locks.unlock(request.consumer_group, request.client_id, request.mq_set)
        return command.reply()


def _request(command: Command) -> LockRequest:
    request = LockRequest.from_request(command.body)
    if not request.consumer_group or not request.client_id:
        raise Refused(
            ResponseCode.INVALID_PARAMETER, "locking queues needs a consumerGroup and a clientId"
        )
    if len(request.mq_set) > QUEUES_PER_REQUEST_MAX:
        raise Refused(
            ResponseCode.INVALID_PARAMETER,
            f"{len(request.mq_set)} queues in one request; send at most {QUEUES_PER_REQUEST_MAX}",
        )
    return request
