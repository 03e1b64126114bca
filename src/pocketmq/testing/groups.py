"""Whether consumer groups are done with what there is for them.

A group is done with a queue when it has committed its end, or when its pull for more is held by the
broker and its members say, asked with GET_CONSUMER_RUNNING_INFO as an operator would, that they
hold nothing they have not consumed. So this works with clients of any language.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

from pocketmq.broker.running import RunningBroker
from pocketmq.broker.services.long_poll import HeldPull
from pocketmq.broker.state.clients import Client, ConsumerGroup
from pocketmq.errors import NetError, ProtocolError
from pocketmq.message.topics import pop_retry_topic, topic_of_pop_retry_topic
from pocketmq.protocol.bodies.running import ConsumerRunning
from pocketmq.protocol.codes import RequestCode, ResponseCode
from pocketmq.protocol.command import Command

_ASK_TIMEOUT_MS = 1000
_JOINING_SECONDS = 2.0
_PUSHED = "CONSUME_PASSIVELY"
_ANY_QUEUE = -1


class Groups:
    """Remembers what groups are known to have consumed."""

    def __init__(self) -> None:
        self._consumed: dict[tuple[str, str, int], int] = {}
        self._joined: dict[tuple[str, str], float] = {}

    def consumed_up_to(
        self, running: RunningBroker | None, group: str, topic: str, queue_id: int
    ) -> int:
        """The first queue offset that a group has not consumed, as far as is known."""
        key = (group, topic, queue_id)
        committed = None if running is None else running.tables.offsets.query(*key)
        return max(committed or 0, self._consumed.get(key, 0))

    async def busy(self, running: RunningBroker) -> list[str]:
        """What connected groups have yet to consume, one sentence each."""
        found: list[str] = []
        joining: list[str] = []
        for group in running.tables.clients.consumer_groups:
            joining += self._joining(running, group)
            behind = self._behind(running, group)
            if not behind and not _has_popped(running, group):
                continue
            coming = [
                f"{group.name!r} has yet to fetch {counted(end - position, 'message')} of "
                f"{topic!r} queue {queue_id}"
                for topic, queue_id, position, end in behind
                if not _is_held(running, group, topic, queue_id)
            ]
            found += coming or await self._ask_members(group, behind)
        return found or joining

    def _joining(self, running: RunningBroker, group: ConsumerGroup) -> Iterator[str]:
        """A group that has just begun: what is sent before it first asks for more may pass it by.

        It may have reasons to leave a queue out, so nobody waits for that long.
        """
        if group.consume_type != _PUSHED:
            return
        now = asyncio.get_running_loop().time()
        offsets = running.tables.offsets
        for topic in group.subscriptions:
            config = running.tables.topics.find(topic)
            since = self._joined.setdefault((group.name, topic), now)
            if config is None or now - since > _JOINING_SECONDS:
                continue
            for queue_id in range(config.read_queue_nums):
                key = (group.name, topic, queue_id)
                seen = offsets.pulled(*key), offsets.query(*key)
                if seen == (None, None) and not _is_held(running, group, topic, queue_id):
                    yield f"{group.name!r} has yet to begin with {topic!r} queue {queue_id}"
                    break

    def _behind(
        self, running: RunningBroker, group: ConsumerGroup
    ) -> list[tuple[str, int, int, int]]:
        """The queues whose end a group is not known to have reached."""
        found = []
        for topic in _topics_of(group):
            for queue_id in running.store.queue_ids(topic):
                end = running.store.queue_offsets(topic, queue_id)[1]
                position = self.consumed_up_to(running, group.name, topic, queue_id)
                if position < end:
                    found.append((topic, queue_id, position, end))
        return found

    async def _ask_members(
        self, group: ConsumerGroup, behind: list[tuple[str, int, int, int]]
    ) -> list[str]:
        """Whether members still work on what they were given; if not, the queues are consumed."""
        busy = []
        for client in group.clients:
            answer = await _running_state(group.name, client)
            if answer is None:
                return [_silent(group, client, behind)]
            for queue, state in answer.mq_table.items():
                count = state.cached_msg_count or state.transaction_msg_count
                if count and not state.dropped:
                    busy.append(
                        f"{group.name!r} is consuming {counted(count, 'message')} of "
                        f"{queue.topic!r} queue {queue.queue_id}"
                    )
            for queue, popped in answer.mq_pop_table.items():
                if popped.wait_ack_count and not popped.dropped:
                    busy.append(
                        f"{group.name!r} has popped "
                        f"{counted(popped.wait_ack_count, 'message')} of {queue.topic!r}"
                    )
        if not busy:
            for topic, queue_id, _, end in behind:
                self._consumed[(group.name, topic, queue_id)] = end
        return busy


def _topics_of(group: ConsumerGroup) -> Iterator[str]:
    """What a group consumes: the topics it names, and where what it popped comes again."""
    for topic in group.subscriptions:
        yield topic
        for second_form in (False, True):
            yield pop_retry_topic(group.name, topic, second_form=second_form)


def _has_popped(running: RunningBroker, group: ConsumerGroup) -> bool:
    """Whether messages are out that the group has popped and not acknowledged."""
    records = running.models.pops.records
    return records is not None and any(name == group.name for _, name in records.open_pops.groups())


def _is_held(running: RunningBroker, group: ConsumerGroup, topic: str, queue_id: int) -> bool:
    """Whether a member waits for more of a queue, and so has been given all there is."""
    end = running.store.queue_offsets(topic, queue_id)[1]
    for pull in running.long_poll.held_at(topic, queue_id):
        if pull.group == group.name and pull.connection.is_open:
            return not any(
                _wants(running, pull, offset) for offset in range(pull.queue_offset, end)
            )
    popped = topic_of_pop_retry_topic(topic, group.name)
    subscription = group.subscriptions.get(popped)
    # What is popped counts as committed, so only what a filter leaves out may lie before the end.
    passes_some_over = subscription is not None and not subscription.wants_all
    poll = running.models.pops.poll
    waiting = any(poll.count(group.name, popped, number) for number in (_ANY_QUEUE, queue_id))
    return waiting and (passes_some_over or not end)


def _wants(running: RunningBroker, pull: HeldPull, queue_offset: int) -> bool:
    """Whether a message will be given to a pull that waits, as soon as it is noticed."""
    topic, queue_id = pull.key
    entry = running.store.entry_of(topic, queue_id, queue_offset)
    if entry is None:
        return False
    log_offset, _, tag_hash = entry
    is_tagged = pull.tag_hashes is None or tag_hash in pull.tag_hashes
    return is_tagged and (pull.wants is None or pull.wants(log_offset))


def _silent(group: ConsumerGroup, client: Client, behind: list[tuple[str, int, int, int]]) -> str:
    words = f"{group.name!r} has not acknowledged what it has popped"
    if behind:
        topic, queue_id, position, end = behind[0]
        left = counted(end - position, "message")
        words = f"{group.name!r} has not committed {left} of {topic!r} queue {queue_id}"
    return f"{words}, and {client.client_id} does not say what it does"


async def _running_state(group: str, client: Client) -> ConsumerRunning | None:
    """What a consumer says it is doing; None when it does not say."""
    fields = {"consumerGroup": group, "clientId": client.client_id, "jstackEnable": "false"}
    question = Command.request(RequestCode.GET_CONSUMER_RUNNING_INFO, fields)
    try:
        answer = await client.connection.call(question, _ASK_TIMEOUT_MS)
        if answer.code != ResponseCode.SUCCESS:
            return None
        return ConsumerRunning.from_json(answer.body)
    except (NetError, ProtocolError):
        return None


def counted(number: int, noun: str) -> str:
    """`1 message`, `2 messages`."""
    return f"{number} {noun}" + ("" if number == 1 else "s")
