"""Giving a message back when its broker does not take it back: as a send to the retry topic.

Brokers refuse to take a message back when it has expired there, or by their own rules. Then a copy
is sent to the group's retry topic, on any broker that has it, with what the broker would have set:
how often it was tried, where it comes from and how long it waits. A broker that finds it was tried
more often than it may be moves it to the dead letters.
"""

from __future__ import annotations

from typing import Final

from pocketmq.client.assigned import GroupSession
from pocketmq.client.lanes import SEND, Lane, Lanes
from pocketmq.client.messages import ReceivedMessage
from pocketmq.client.outcomes import DEAD_LETTER, DELAY_LEVEL_SECONDS
from pocketmq.client.outgoing import Outgoing
from pocketmq.client.sending import STATUSES
from pocketmq.clock import SystemClock
from pocketmq.errors import BrokerRefused, ClientError, NetError, NoRoute
from pocketmq.message import properties as names
from pocketmq.message.flags import COMPRESSED, COMPRESSION_MASK
from pocketmq.message.properties import encode_properties
from pocketmq.message.topics import AUTO_CREATE_TOPIC, retry_topic

RETRIES_MAX: Final = 16
FIRST_LEVEL: Final = 3
QUEUES: Final = 1
STORED: Final = frozenset(STATUSES)

_NOT_COPIED: Final = (
    names.TRANSACTION_PREPARED,
    names.RECONSUME_TIME,
    names.MAX_RECONSUME_TIMES,
    "TIMER_DELAY_SEC",
    "TIMER_DELAY_MS",
    "TIMER_DELIVER_MS",
)


async def send_to_retry_topic(
    session: GroupSession, message: ReceivedMessage, level: int, attempts_max: int | None
) -> None:
    """Send a copy of a message that is to be delivered again, or is a dead letter by its level.

    Each broker with the retry topic is tried once. Raise NoRoute when there is none, else what the
    last one said.
    """
    lanes = await _lanes(session)
    retries_max = RETRIES_MAX if attempts_max is None else attempts_max - 1
    if level == DEAD_LETTER:
        retries_max = min(retries_max, message.reconsume_times)  # it has more than that now
    out = _copy(message, lanes.topic, level)
    problem: NetError | ClientError = NoRoute(lanes.topic, "no broker takes messages for it")
    for lane in _one_of_each_broker(lanes):
        fields = lane.fields(out)
        fields["j"] = str(message.reconsume_times + 1)
        fields["l"] = str(retries_max)
        try:
            await session.instance.calls.ask(
                lane.address, SEND, fields, out.body, step=lane, accept=STORED
            )
        except (NetError, BrokerRefused) as error:
            problem = error
        else:
            return
    raise problem


async def _lanes(session: GroupSession) -> Lanes:
    topic = retry_topic(session.group)
    routes = session.instance.routes
    try:
        route = await routes.get(topic)
    except NoRoute:
        route = await routes.get(AUTO_CREATE_TOPIC)
    return Lanes(session.group, topic, route, QUEUES)


def _one_of_each_broker(lanes: Lanes) -> list[Lane]:
    found: dict[str, Lane] = {}
    for lane in lanes.all:
        found.setdefault(lane.broker_name, lane)
    return list(found.values())


def _copy(message: ReceivedMessage, topic: str, level: int) -> Outgoing:
    properties = dict(message.properties)
    for name in _NOT_COPIED:
        properties.pop(name, None)
    properties.setdefault(names.RETRY_TOPIC, message.stored_topic)
    properties.setdefault(names.ORIGIN_MESSAGE_ID, message.offset_message_id)
    properties[names.WAIT] = "false"
    if level == DEAD_LETTER:
        properties.pop(names.DELAY, None)
    else:
        longest = len(DELAY_LEVEL_SECONDS)
        properties[names.DELAY] = str(level or min(FIRST_LEVEL + message.reconsume_times, longest))
    return Outgoing(
        message.topic,
        topic,
        bytes(message.raw_body),
        encode_properties(properties).encode(),
        message.message_id,
        SystemClock.now_ms(),
        message.sys_flag & (COMPRESSED | COMPRESSION_MASK),
        message.flag,
    )
