"""Pop consumption: POP_MESSAGE, ACK_MESSAGE, BATCH_ACK_MESSAGE, CHANGE_MESSAGE_INVISIBLETIME,
NOTIFICATION, PEEK_MESSAGE and POLLING_INFO.

All are checked in Apache's order. An ack is right even when its check point is long settled: the
message then has come again already.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Mapping
from typing import Final

from pocketmq.broker.rules import permission
from pocketmq.broker.rules import pop as rules
from pocketmq.broker.rules.pop import CheckPoint, Handle, Key
from pocketmq.broker.services.cold_reads import ColdReadService
from pocketmq.broker.services.pop_poll import PopPollService
from pocketmq.broker.services.pops import PopService, Wish
from pocketmq.broker.services.revive import ReviveService
from pocketmq.broker.state.groups import GroupTable
from pocketmq.broker.state.offsets import OffsetTable
from pocketmq.broker.state.ordered_pops import OrderTable
from pocketmq.broker.state.topics import TopicTable
from pocketmq.clock import Clock
from pocketmq.errors import Refused, StoreError, SubscriptionInvalid
from pocketmq.filtering import Subscription, parse_subscription
from pocketmq.net import Connection, Handler
from pocketmq.protocol.bodies.pop import AckItem, BatchAck
from pocketmq.protocol.bodies.topic_config import TopicConfig
from pocketmq.protocol.codes import RequestCode, ResponseCode
from pocketmq.protocol.command import Command
from pocketmq.protocol.fields import decode_fields, encode_fields
from pocketmq.protocol.requests.pop import (
    AckRequest,
    ChangeInvisibleReply,
    ChangeInvisibleRequest,
    NotificationReply,
    NotificationRequest,
    PeekRequest,
    PollingReply,
    PollingRequest,
    PopReply,
    PopRequest,
)
from pocketmq.store import MessageStore

_log = logging.getLogger(__name__)

COUNT_MAX: Final = 32
SKEW_MS: Final = 500
HOLD_MS_MAX: Final = 300_000
_LONG_MAX: Final = 2**63 - 1


class PopHandler:
    """Serves pops. Without a timer it refuses them."""

    def __init__(
        self,
        pops: PopService | None,
        revive: ReviveService | None,
        poll: PopPollService,
        store: MessageStore,
        topics: TopicTable,
        groups: GroupTable,
        offsets: OffsetTable,
        orders: OrderTable,
        cold_reads: ColdReadService,
        clock: Clock,
        broker: str,
    ) -> None:
        self._pops = pops
        self._revive = revive
        self._poll = poll
        self._store = store
        self._topics = topics
        self._groups = groups
        self._offsets = offsets
        self._orders = orders
        self._cold_reads = cold_reads
        self._clock = clock
        self._broker = broker

    def routes(self) -> Mapping[int, Handler]:
        """Request code -> handler."""
        return {
            RequestCode.POP_MESSAGE: self.pop,
            RequestCode.ACK_MESSAGE: self.acknowledge,
            RequestCode.BATCH_ACK_MESSAGE: self.acknowledge_many,
            RequestCode.CHANGE_MESSAGE_INVISIBLETIME: self.change_invisible,
            RequestCode.NOTIFICATION: self.notify,
            RequestCode.PEEK_MESSAGE: self.peek,
            RequestCode.POLLING_INFO: self.polling,
        }

    # -- popping ------------------------------------------------------------------------------

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
        if not 1 <= request.max_msg_nums <= COUNT_MAX:
            self._check_readable()
            raise _wrong(f"maxMsgNums is {request.max_msg_nums}, not 1 to {COUNT_MAX}")
        self._check(request.topic, request.consumer_group, request.queue_id)
        if not 0 < request.invisible_time <= _LONG_MAX - now_ms:
            raise _wrong(f"invisibleTime is {request.invisible_time} ms")
        wanted = _parsed(request)
        wish = Wish(
            request.consumer_group,
            request.topic,
            request.queue_id,
            request.max_msg_nums,
            request.invisible_time,
            request.init_mode == 1,
            wanted.tag_hashes or None,
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
        return command.reply(0, "FOUND", encode_fields(header), body)

    async def _again(self, command: Command, wish: Wish, ready: asyncio.Event) -> Command:
        await ready.wait()
        reply = self._try(command, wish)
        if reply is None:
            return command.reply(ResponseCode.POLLING_TIMEOUT, "nothing to pop")
        return reply if isinstance(reply, Command) else await reply

    async def _wait(
        self, connection: Connection, command: Command, wish: Wish, until_ms: int
    ) -> Command:
        while (wait_ms := until_ms - self._clock.now_ms()) > 0:
            woken = self._poll.hold(
                connection, wish.group, wish.topic, wish.queue_id, wish.tag_hashes, wait_ms
            )
            if woken is None:
                return command.reply(ResponseCode.POLLING_FULL, "too many pops wait already")
            if not await woken or not connection.is_open:
                break
            reply = self._try(command, wish)
            if reply is not None:
                return reply if isinstance(reply, Command) else await reply
        return command.reply(ResponseCode.POLLING_TIMEOUT, "nothing to pop")

    def notify(self, connection: Connection, command: Command) -> Awaitable[Command] | Command:
        """Say when there is something to pop."""
        request = decode_fields(NotificationRequest, command.fields)
        self._check(request.topic, request.consumer_group, request.queue_id)
        if self._has_messages(request):
            return command.reply(fields=encode_fields(NotificationReply(True, False)))
        until_ms = (request.born_time or self._clock.now_ms()) + min(request.poll_time, HOLD_MS_MAX)
        return self._notify_later(connection, command, request, until_ms)

    async def _notify_later(
        self, connection: Connection, command: Command, request: NotificationRequest, until_ms: int
    ) -> Command:
        full = False
        while (wait_ms := until_ms - self._clock.now_ms()) > 0:
            woken = self._poll.hold(
                connection,
                request.consumer_group,
                request.topic,
                request.queue_id,
                None,
                wait_ms,
            )
            full = woken is None
            if woken is None or not await woken:
                break
            if self._has_messages(request):
                return command.reply(fields=encode_fields(NotificationReply(True, False)))
        return command.reply(fields=encode_fields(NotificationReply(False, full)))

    def _has_messages(self, request: NotificationRequest) -> bool:
        group, topic = request.consumer_group, request.topic
        now_ms = self._clock.now_ms()
        for queue_id in self._queues(topic, request.queue_id):
            info = self._orders.find(topic, group, queue_id) if request.order else None
            if info is not None and info.blocks(request.attempt_id, now_ms):
                continue
            if self._left(group, topic, queue_id):
                return True
        if request.order:
            return False
        return any(self._left(group, retry, 0) for retry in _retries(group, topic))

    def _left(self, group: str, topic: str, queue_id: int) -> int:
        first, end = self._store.queue_offsets(topic, queue_id)
        return max(end - max(self._offsets.query(group, topic, queue_id) or 0, first), 0)

    def _queues(self, topic: str, queue_id: int) -> range:
        config = self._topics.find(topic)
        if queue_id >= 0 or config is None:
            return range(queue_id, queue_id + 1)
        return range(config.read_queue_nums)

    def peek(self, connection: Connection, command: Command) -> Command:
        """Show what a pop would hand out."""
        request = decode_fields(PeekRequest, command.fields)
        group, topic = request.consumer_group, request.topic
        self._check(topic, group, request.queue_id)
        if not 1 <= request.max_msg_nums <= COUNT_MAX:
            raise _wrong(f"maxMsgNums is {request.max_msg_nums}, not 1 to {COUNT_MAX}")
        body: list[memoryview] = []
        count = left = 0
        for queue_id in self._queues(topic, request.queue_id):
            first, end = self._store.queue_offsets(topic, queue_id)
            at = max(self._offsets.query(group, topic, queue_id) or 0, first)
            if count < request.max_msg_nums:
                result = self._store.pull(topic, queue_id, at, request.max_msg_nums - count)
                body += result.views
                count += result.count
                at = max(at, result.next_offset) if result.count else at
            left += max(end - at, 0)
        if not count:
            raise Refused(ResponseCode.PULL_NOT_FOUND, "nothing to peek at")
        header = PopReply(self._clock.now_ms(), 0, 0, left)
        return command.reply(0, "FOUND", encode_fields(header), b"".join(body))

    def polling(self, connection: Connection, command: Command) -> Command:
        """How many pops wait."""
        request = decode_fields(PollingRequest, command.fields)
        self._check(request.topic, request.consumer_group, request.queue_id)
        count = self._poll.count(request.consumer_group, request.topic, request.queue_id)
        return command.reply(fields=encode_fields(PollingReply(count)))

    # -- acknowledging ------------------------------------------------------------------------

    def acknowledge(self, connection: Connection, command: Command) -> Command:
        """A message is done with."""
        request = decode_fields(AckRequest, command.fields)
        first, end = self._span(request.topic, request.queue_id)
        if not first <= request.offset <= end:
            raise _no_message(request.offset, first, end)
        handle = _handle(request.extra_info)
        self._ack(request.consumer_group, request.topic, request.queue_id, request.offset, handle)
        return command.reply()

    def acknowledge_many(self, connection: Connection, command: Command) -> Command:
        """Messages of several pops are done with; what cannot be meant is passed over."""
        acks = BatchAck.from_json(command.body).acks
        if not acks:
            raise Refused(ResponseCode.NO_MESSAGE, "the list of acks is empty")
        for ack in acks:
            try:
                self._ack_item(ack)
            except (Refused, ValueError) as error:
                _log.debug("batch ack passed over: %s", error)
        return command.reply()

    def _ack_item(self, ack: AckItem) -> None:
        topic = ack.topic
        if ack.retry in ("1", "2") and not topic.startswith("%RETRY%"):
            topic = _retries(ack.consumer_group, topic)[ack.retry == "2"]
        first, end = self._span(topic, ack.queue_id)
        handle = Handle(
            ack.start_offset,
            ack.pop_time,
            ack.invisible_time,
            ack.revive_queue_id,
            0,
            self._broker,
            ack.queue_id,
        )
        handle = rules.parse_handle(handle.encode())
        for bit in rules.parse_bits(ack.bits):
            offset = ack.start_offset + bit
            if first <= offset < end:
                self._ack(ack.consumer_group, topic, ack.queue_id, offset, handle)

    def _ack(self, group: str, topic: str, queue_id: int, offset: int, handle: Handle) -> None:
        if handle.revive_queue == rules.ORDERED_REVIVE_QUEUE:
            self._ack_ordered(group, topic, queue_id, offset, handle)
            return
        self._put_ack(group, topic, queue_id, offset, handle)

    def _put_ack(self, group: str, topic: str, queue_id: int, offset: int, handle: Handle) -> None:
        key: Key = (topic, group, queue_id, handle.start_offset, handle.pop_time_ms)
        try:
            self._reviving().put_ack(key, offset, handle.revive_queue, handle.due_ms)
        except (Refused, StoreError) as error:
            _log.warning("ack not stored topic=%s offset=%d: %s", topic, offset, error)

    def _ack_ordered(
        self, group: str, topic: str, queue_id: int, offset: int, handle: Handle
    ) -> None:
        if offset < (self._offsets.query(group, topic, queue_id) or 0):
            return
        info = self._orders.find(topic, group, queue_id)
        if info is None:
            self._offsets.commit(group, topic, queue_id, offset + 1)
            return
        if info.pop_time_ms != handle.pop_time_ms:
            return
        at = self._orders.acknowledge(info, offset)
        if at is None:
            raise Refused(
                ResponseCode.MESSAGE_ILLEGAL, f"offset {offset} is not of the queue's last pop"
            )
        self._offsets.commit(group, topic, queue_id, at)
        if not info.blocks(None, self._clock.now_ms()):
            self._poll.wake(group, topic)

    def change_invisible(self, connection: Connection, command: Command) -> Command:
        """Hide a message for another while."""
        request = decode_fields(ChangeInvisibleRequest, command.fields)
        group, topic, queue_id = request.consumer_group, request.topic, request.queue_id
        first, end = self._span(topic, queue_id)
        if not first <= request.offset < end:
            raise _no_message(request.offset, first, end)
        handle = _handle(request.extra_info)
        now_ms = self._clock.now_ms()
        if not 0 <= request.invisible_time <= _LONG_MAX - now_ms:
            raise _wrong(f"invisibleTime is {request.invisible_time} ms")
        if handle.revive_queue == rules.ORDERED_REVIVE_QUEUE:
            info = self._orders.find(topic, group, queue_id)
            committed = self._offsets.query(group, topic, queue_id) or 0
            if request.offset < committed or info is None:
                return command.reply()
            if info.pop_time_ms != handle.pop_time_ms:
                return command.reply()
            until_ms = now_ms + request.invisible_time
            self._orders.hide(info, request.offset, until_ms)
            header = ChangeInvisibleReply(
                handle.pop_time_ms, until_ms - handle.pop_time_ms, handle.revive_queue
            )
            return command.reply(fields=encode_fields(header))
        point = CheckPoint(
            topic,
            group,
            queue_id,
            request.offset,
            now_ms,
            request.invisible_time,
            (0,),
            self._broker,
        )
        try:
            self._reviving().put_check_point(point, handle.revive_queue)
        except StoreError as error:
            raise Refused(ResponseCode.SYSTEM_ERROR, f"nothing changed: {error}") from None
        self._put_ack(group, topic, queue_id, request.offset, handle)
        header = ChangeInvisibleReply(now_ms, request.invisible_time, handle.revive_queue)
        return command.reply(fields=encode_fields(header))

    # -- checks -------------------------------------------------------------------------------

    def _check_readable(self) -> None:
        if not permission.readable(self._topics.broker_permission):
            raise Refused(ResponseCode.NO_PERMISSION, "this broker is not readable")

    def _reviving(self) -> ReviveService:
        if self._revive is None:
            raise Refused(
                ResponseCode.SYSTEM_ERROR, "pops need the timer, which is off; see timerWheelEnable"
            )
        return self._revive

    def _check(self, topic: str, group: str, queue_id: int) -> None:
        self._check_readable()
        self._reviving()
        config = self._topic(topic)
        if not permission.readable(config.perm):
            raise Refused(ResponseCode.NO_PERMISSION, f"topic {topic!r} is not readable")
        if not -1 <= queue_id < config.read_queue_nums:
            raise _wrong(f"queue {queue_id} of topic {topic!r} does not exist")
        found = self._groups.find_or_create(group)
        if found is None:
            raise Refused(
                ResponseCode.SUBSCRIPTION_GROUP_NOT_EXIST,
                f"consumer group {group!r} does not exist; create it with updateSubGroup",
            )
        if not found.consume_enable:
            raise Refused(
                ResponseCode.NO_PERMISSION, f"consuming is switched off for group {group!r}"
            )

    def _topic(self, topic: str) -> TopicConfig:
        config = self._topics.find(topic)
        if config is None:
            raise Refused(ResponseCode.TOPIC_NOT_EXIST, f"topic {topic!r} does not exist")
        return config

    def _span(self, topic: str, queue_id: int) -> tuple[int, int]:
        config = self._topic(topic)
        if not 0 <= queue_id < config.read_queue_nums:
            raise _illegal(f"queue {queue_id} of topic {topic!r} does not exist")
        return self._store.queue_offsets(topic, queue_id)


def _retries(group: str, topic: str) -> tuple[str, str]:
    stem = f"%RETRY%{group}"
    return f"{stem}_{topic}", f"{stem}+{topic}"


def _parsed(request: PopRequest) -> Subscription:
    try:
        wanted = parse_subscription(request.topic, request.exp or "*", request.exp_type or "TAG")
    except SubscriptionInvalid as error:
        raise Refused(ResponseCode.SUBSCRIPTION_PARSE_FAILED, str(error)) from None
    if not wanted.is_tag_filter:
        raise Refused(
            ResponseCode.SYSTEM_ERROR, f"{wanted.expression_type} filters do not work with pops"
        )
    return wanted


def _handle(text: str) -> Handle:
    try:
        return rules.parse_handle(text)
    except ValueError as error:
        raise _illegal(str(error)) from None


def _illegal(remark: str) -> Refused:
    return Refused(ResponseCode.MESSAGE_ILLEGAL, remark)


def _wrong(remark: str) -> Refused:
    return Refused(ResponseCode.INVALID_PARAMETER, remark)


def _no_message(offset: int, first: int, end: int) -> Refused:
    return Refused(ResponseCode.NO_MESSAGE, f"there is no message {offset}, but {first} to {end}")
