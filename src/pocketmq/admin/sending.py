"""Putting copies of stored messages where an operator wants them."""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Final

from pocketmq.client.calls import Calls
from pocketmq.client.messages import MessageQueue, ReceivedMessage, SendReceipt
from pocketmq.client.sending import STATUSES
from pocketmq.clock import SystemClock
from pocketmq.errors import NoRoute
from pocketmq.message import properties as names
from pocketmq.message.ids import new_unique_key
from pocketmq.message.properties import encode_properties
from pocketmq.message.topics import AUTO_CREATE_TOPIC, PERM_WRITE
from pocketmq.protocol.bodies.route import MASTER_ID
from pocketmq.protocol.codes import RequestCode
from pocketmq.protocol.fields import decode_fields
from pocketmq.protocol.requests.send import SendReply, SendRequestV2

TOOLS_PRODUCER: Final = "TOOLS_PRODUCER"
_STORED: Final = frozenset(STATUSES)
_OF_THE_SYSTEM: Final = frozenset(
    (
        names.WAIT,
        names.DELAY,
        names.RETRY_TOPIC,
        names.REAL_TOPIC,
        names.REAL_QUEUE_ID,
        names.TRANSACTION_PREPARED,
        names.PRODUCER_GROUP,
        names.MIN_OFFSET,
        names.MAX_OFFSET,
        names.ORIGIN_MESSAGE_ID,
        names.TRANSFER_FLAG,
        names.CORRECTION_FLAG,
        names.MQ2_FLAG,
        names.RECONSUME_TIME,
        names.MAX_RECONSUME_TIMES,
        names.CONSUME_START_TIMESTAMP,
        names.INNER_NUM,
        names.INNER_BASE,
        names.DUP_INFO,
        names.CLUSTER,
        names.CRC32,
        *names.TIMER_REQUESTS,
        names.TIMER_OUT_MS,
        names.TIMER_ENQUEUE_MS,
        names.TIMER_DEQUEUE_MS,
        names.TIMER_ROLL_TIMES,
        names.TIMER_DEL_UNIQKEY,
        "DLQ_ORIGIN_TOPIC",
        "DLQ_ORIGIN_MESSAGE_ID",
        "1ST_POP_TIME",
        "POP_CK",
    )
)
"""What brokers and consumers noted about one delivery, which a copy does not inherit."""


def user_properties(message: ReceivedMessage) -> dict[str, str]:
    """What the producer said about a message: tag, keys and properties of its own."""
    return {name: value for name, value in message.properties.items() if name not in _OF_THE_SYSTEM}


async def put_copy(
    calls: Calls,
    message: ReceivedMessage,
    queue: MessageQueue,
    address: str,
    extra: Mapping[str, str] = {},
    *,
    same_id: bool = False,
) -> SendReceipt:
    """Store a copy of a message in a queue, with a new id unless it is to keep its own.

    Raise BrokerRefused or NetError, and BodyUndecodable for a compressed body that is damaged.
    """
    now_ms = SystemClock.now_ms()
    properties = user_properties(message)
    if not same_id or names.UNIQUE_KEY not in properties:
        properties[names.UNIQUE_KEY] = new_unique_key(now_ms)
    properties.update(extra)
    request = SendRequestV2(
        TOOLS_PRODUCER,
        queue.topic,
        AUTO_CREATE_TOPIC,
        1,
        queue.queue_id,
        0,
        now_ms,
        message.flag,
        encode_properties(properties),
        0,
        False,
        batch=False,
        broker_name=queue.broker_name,
    )
    answer = await calls.ask(
        address,
        RequestCode.SEND_MESSAGE_V2,
        request,
        message.body,
        step=f"the send to {queue.topic} on {queue.broker_name}",
        accept=_STORED,
    )
    reply = decode_fields(SendReply, answer.fields)
    return SendReceipt(
        queue.topic,
        queue.broker_name,
        queue.queue_id if reply.queue_id is None else reply.queue_id,
        -1 if reply.queue_offset is None else reply.queue_offset,
        properties[names.UNIQUE_KEY],
        reply.msg_id or "",
        STATUSES[answer.code],
    )


async def writable_queues(calls: Calls, topic: str) -> list[tuple[MessageQueue, str]]:
    """The queues of a topic that take messages, with their brokers' addresses. Raise NoRoute."""
    route = await calls.route(topic)
    if route is None:
        raise NoRoute(topic, f"it does not exist; create it with `topic create {topic}`")
    addresses = {
        data.broker_name: data.broker_addrs[MASTER_ID]
        for data in route.broker_datas
        if MASTER_ID in data.broker_addrs
    }
    found = [
        (MessageQueue(topic, data.broker_name, number), addresses[data.broker_name])
        for data in route.queue_datas
        if data.broker_name in addresses and data.perm & PERM_WRITE
        for number in range(data.write_queue_nums)
    ]
    if not found:
        raise NoRoute(
            topic,
            "none of its queues takes messages; allow it with "
            f"`topic update {topic} --permission both`",
        )
    random.shuffle(found)
    return found
