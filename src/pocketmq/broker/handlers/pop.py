"""POP_MESSAGE (200050): hand out messages for a time, to whoever asks.

A pop that finds nothing waits when its client allows it. One that needs pages which are not in
memory waits while another thread reads them in. With SYNC_FLUSH the answer waits until the disk has
the check points, which bring back what is not acknowledged.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Mapping
from typing import Final

from pocketmq.broker.handlers.pop_gate import PopGate, wrong
from pocketmq.broker.services.cold_reads import ColdReadService
from pocketmq.broker.services.flush import FlushService
from pocketmq.broker.services.pop_poll import Awaited, PopPollService
from pocketmq.broker.services.pops import PopService, Wish
from pocketmq.clock import Clock
from pocketmq.errors import Refused
from pocketmq.net import Connection, Handler
from pocketmq.protocol.codes import RequestCode, ResponseCode
from pocketmq.protocol.command import Command
from pocketmq.protocol.fields import decode_fields, encode_fields
from pocketmq.protocol.requests.pop import PopReply, PopRequest

SKEW_MS: Final = 500
HOLD_MS_MAX: Final = 300_000


class PopHandler:
    """Serves pops. Without a timer, which keeps their check points, there are no `pops`."""

    def __init__(
        self,
        gate: PopGate,
        pops: PopService | None,
        poll: PopPollService,
        cold_reads: ColdReadService,
        flush: FlushService,
        clock: Clock,
        *,
        invisible_ms_max: int,
    ) -> None:
        self._gate = gate
        self._pops = pops
        self._poll = poll
        self._cold_reads = cold_reads
        self._flush = flush
        self._clock = clock
        self._invisible_ms_max = invisible_ms_max

    def routes(self) -> Mapping[int, Handler]:
        """Request code -> handler."""
        return {RequestCode.POP_MESSAGE: self.pop}

    def pop(self, connection: Connection, command: Command) -> Awaitable[Command] | Command:
        """Hand out messages for a time. Raise Refused, ProtocolError."""
        request = decode_fields(PopRequest, command.fields)
        now_ms = self._clock.now_ms()
        born_ms = request.born_time or now_ms
        if now_ms - born_ms - request.poll_time > SKEW_MS:
            raise Refused(
                ResponseCode.POLLING_TIMEOUT,
                f"the request is {now_ms - born_ms} ms old; is the client's clock right?",
            )
        group, topic, gate = request.consumer_group, request.topic, self._gate
        gate.check_count(request.max_msg_nums)
        gate.admit(group, topic, request.queue_id)
        if not 0 < request.invisible_time <= self._invisible_ms_max:
            raise wrong(
                f"invisibleTime is {request.invisible_time} ms, not 1 to {self._invisible_ms_max}; "
                "see timerMaxDelaySec"
            )
        wanted = gate.wanted(group, topic, request.exp, request.exp_type)
        wish = Wish(
            group,
            topic,
            request.queue_id,
            request.max_msg_nums,
            request.invisible_time,
            request.init_mode == 1,
            wanted.tag_hashes,
            wanted.accept,
            bool(request.order),
            request.attempt_id,
        )
        reply = self._try(command, wish)
        if reply is not None:
            return reply
        until_ms = born_ms + min(request.poll_time, HOLD_MS_MAX)
        return self._wait(connection, command, wish, until_ms)

    def _try(self, command: Command, wish: Wish) -> Awaitable[Command] | Command | None:
        assert self._pops is not None, "the timer was checked"
        popped = self._pops.pop(wish)
        if popped.cold is not None:
            ready = asyncio.Event()
            self._cold_reads.bring_in(popped.cold, ready.set)
            return self._again(command, wish, ready)
        if not popped.count:
            return None
        if popped.left and not wish.ordered:
            self._poll.wake_one(wish.group, wish.topic)
        header = PopReply(
            popped.pop_time_ms,
            wish.invisible_ms,
            popped.revive_queue,
            popped.left,
            ";".join(popped.starts),
            ";".join(popped.offsets),
            ";".join(popped.counts) if wish.ordered else None,
        )
        body = popped.body[0] if len(popped.body) == 1 else b"".join(popped.body)
        reply = command.reply(0, "FOUND", encode_fields(header), body)
        needs_disk = self._flush.is_sync and not wish.ordered
        return self._when_durable(reply) if needs_disk else reply

    async def _when_durable(self, reply: Command) -> Command:
        """The answer, once its check points are on the disk or have had their time to get there."""
        durable: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._flush.call_when_durable(durable)
        await durable
        return reply

    async def _again(self, command: Command, wish: Wish, ready: asyncio.Event) -> Command:
        await ready.wait()
        reply = self._try(command, wish)
        if reply is None:
            return command.reply(ResponseCode.POLLING_TIMEOUT, "nothing to pop")
        return reply if isinstance(reply, Command) else await reply

    async def _wait(
        self, connection: Connection, command: Command, wish: Wish, until_ms: int
    ) -> Command:
        awaited = Awaited(wish.group, wish.topic, wish.queue_id, wish.tag_hashes, wish.accept)
        while (wait_ms := until_ms - self._clock.now_ms()) > 0:
            woken = self._poll.hold(connection, awaited, wait_ms)
            if woken is None:
                return command.reply(ResponseCode.POLLING_FULL, "too many pops wait already")
            if not await woken or not connection.is_open:
                break
            reply = self._try(command, wish)
            if reply is not None:
                return reply if isinstance(reply, Command) else await reply
        return command.reply(ResponseCode.POLLING_TIMEOUT, "nothing to pop")
