"""What may be asked of pops without popping: NOTIFICATION (200054) answers when there is something,
PEEK_MESSAGE (200052) shows it, POLLING_INFO (200055) counts who waits."""

from __future__ import annotations

from collections.abc import Awaitable, Iterator, Mapping

from pocketmq.broker.handlers.pop import HOLD_MS_MAX
from pocketmq.broker.handlers.pop_gate import PopGate
from pocketmq.broker.services.pop_places import PopPlaces
from pocketmq.broker.services.pop_poll import Awaited, PopPollService
from pocketmq.clock import Clock
from pocketmq.errors import Refused
from pocketmq.net import Connection, Handler
from pocketmq.protocol.codes import RequestCode, ResponseCode
from pocketmq.protocol.command import Command
from pocketmq.protocol.fields import decode_fields, encode_fields
from pocketmq.protocol.requests.pop import (
    NotificationReply,
    NotificationRequest,
    PeekRequest,
    PollingReply,
    PollingRequest,
    PopReply,
)
from pocketmq.store import MessageStore


class PopViewsHandler:
    """Serves those who look and do not take."""

    def __init__(
        self,
        gate: PopGate,
        places: PopPlaces,
        poll: PopPollService,
        store: MessageStore,
        clock: Clock,
    ) -> None:
        self._gate = gate
        self._places = places
        self._poll = poll
        self._store = store
        self._clock = clock

    def routes(self) -> Mapping[int, Handler]:
        """Request code -> handler."""
        return {
            RequestCode.NOTIFICATION: self.notify,
            RequestCode.PEEK_MESSAGE: self.peek,
            RequestCode.POLLING_INFO: self.polling,
        }

    def notify(self, connection: Connection, command: Command) -> Awaitable[Command] | Command:
        """Say when there is something to pop. Raise Refused."""
        request = decode_fields(NotificationRequest, command.fields)
        self._gate.admit(request.consumer_group, request.topic, request.queue_id)
        if self._has_messages(request):
            return command.reply(fields=encode_fields(NotificationReply(True, False)))
        until_ms = (request.born_time or self._clock.now_ms()) + min(request.poll_time, HOLD_MS_MAX)
        return self._notify_later(connection, command, request, until_ms)

    async def _notify_later(
        self, connection: Connection, command: Command, request: NotificationRequest, until_ms: int
    ) -> Command:
        full = False
        awaited = Awaited(request.consumer_group, request.topic, request.queue_id)
        while (wait_ms := until_ms - self._clock.now_ms()) > 0:
            woken = self._poll.hold(connection, awaited, wait_ms)
            full = woken is None
            if woken is None or not await woken:
                break
            if self._has_messages(request):
                self._poll.wake_one(request.consumer_group, request.topic)
                return command.reply(fields=encode_fields(NotificationReply(True, False)))
        return command.reply(fields=encode_fields(NotificationReply(False, full)))

    def _has_messages(self, request: NotificationRequest) -> bool:
        group, places = request.consumer_group, self._places
        for topic, queue_id in self._queues(group, request.topic, request.queue_id):
            if request.order and (
                topic != request.topic
                or places.is_blocked(group, topic, queue_id, request.attempt_id)
            ):
                continue
            if places.left(group, topic, queue_id):
                return True
        return False

    def _queues(self, group: str, topic: str, queue_id: int) -> Iterator[tuple[str, int]]:
        """What a pop would look at: queues of the topic, then of its retry topics."""
        own = range(queue_id, queue_id + 1) if queue_id >= 0 else self._places.queues(topic)
        for each in own:
            yield topic, each
        for retry in self._places.retry_topics(group, topic):
            for each in self._places.queues(retry):
                yield retry, each

    def peek(self, connection: Connection, command: Command) -> Command:
        """Show what a pop would hand out. Raise Refused."""
        request = decode_fields(PeekRequest, command.fields)
        group = request.consumer_group
        self._gate.admit(group, request.topic, request.queue_id)
        self._gate.check_count(request.max_msg_nums)
        body: list[memoryview] = []
        count = left = 0
        for topic, queue_id in self._queues(group, request.topic, request.queue_id):
            at = self._places.next_offset(group, topic, queue_id)
            left += self._places.left(group, topic, queue_id)
            if count < request.max_msg_nums:
                result = self._store.pull(topic, queue_id, at, request.max_msg_nums - count)
                body += result.views
                count += result.count
        if not count:
            raise Refused(ResponseCode.PULL_NOT_FOUND, "nothing to peek at")
        header = PopReply(self._clock.now_ms(), 0, 0, left)
        return command.reply(0, "FOUND", encode_fields(header), b"".join(body))

    def polling(self, connection: Connection, command: Command) -> Command:
        """How many pops wait. Raise Refused."""
        request = decode_fields(PollingRequest, command.fields)
        self._gate.admit(request.consumer_group, request.topic, request.queue_id)
        count = self._poll.count(request.consumer_group, request.topic, request.queue_id)
        return command.reply(fields=encode_fields(PollingReply(count)))
