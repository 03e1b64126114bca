"""What a popping consumer asks brokers: pop, acknowledge, hide for longer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from pocketmq.client.calls import Calls
from pocketmq.client.decoding import decode_messages
from pocketmq.client.messages import ReceivedMessage
from pocketmq.client.receipts import Receipt, ack_items, count_attempts, receipts_of
from pocketmq.errors import BrokerRefused, FeatureUnavailable
from pocketmq.filtering.subscriptions import Subscription
from pocketmq.message.positions import QueueOffset
from pocketmq.protocol.bodies.pop import BatchAck
from pocketmq.protocol.codes import RequestCode, ResponseCode
from pocketmq.protocol.fields import decode_fields
from pocketmq.protocol.requests.pop import (
    AckRequest,
    ChangeInvisibleReply,
    ChangeInvisibleRequest,
    PopRequest,
)

ANSWER_GRACE_MS: Final = 10_000
ANY_QUEUE: Final = -1
POP_MESSAGES_MAX: Final = 32
"""Brokers refuse to pop more at a time."""
_NOTHING: Final = frozenset(
    (ResponseCode.POLLING_TIMEOUT, ResponseCode.POLLING_FULL, ResponseCode.PULL_NOT_FOUND)
)
_ACCEPT: Final = _NOTHING | {ResponseCode.SUCCESS}


@dataclass(slots=True)
class Popped:
    """The answer to one pop."""

    messages: list[ReceivedMessage]
    receipts: list[Receipt]
    rest: int
    """How many messages the broker has beyond these, as far as it looked."""
    is_full: bool = False
    """True when the broker could not hold the pop, because too many others are held."""


async def pop(
    calls: Calls,
    address: str,
    broker_name: str,
    group: str,
    subscription: Subscription,
    *,
    messages_max: int,
    invisible_ms: int,
    wait_ms: int,
    now_ms: int,
    from_first: bool,
    queue_id: int = ANY_QUEUE,
    ordered: bool = False,
) -> Popped:
    """Pop once. An `ordered` pop of a queue gets nothing before the last one is acknowledged.

    Raises what a call raises, and FeatureUnavailable for brokers before 5.0.
    """
    header = PopRequest(
        group,
        subscription.topic,
        queue_id,
        min(messages_max, POP_MESSAGES_MAX),
        invisible_ms,
        wait_ms,
        now_ms,
        0 if from_first else 1,
        subscription.expression_type,
        subscription.expression,
        ordered,
    )
    try:
        answer = await calls.ask(
            address,
            RequestCode.POP_MESSAGE,
            header,
            timeout_ms=wait_ms + ANSWER_GRACE_MS,
            accept=_ACCEPT,
        )
    except BrokerRefused as error:
        if error.code == ResponseCode.REQUEST_CODE_NOT_SUPPORTED:
            raise FeatureUnavailable(
                f"{address} is older than RocketMQ 5.0 and knows no pops; use Consumer instead"
            ) from None
        raise
    if answer.code != ResponseCode.SUCCESS:
        return Popped([], [], 0, answer.code == ResponseCode.POLLING_FULL)
    messages = decode_messages(answer.body, broker_name)
    receipts = receipts_of(messages, answer.fields, broker_name)
    if ordered:
        count_attempts(messages, answer.fields.get("orderCountInfo", ""))
    return Popped(messages, receipts, int(answer.fields.get("restNum", "0")))


async def acknowledge(
    calls: Calls,
    address: str,
    broker_name: str,
    group: str,
    acked: list[tuple[str, Receipt]],
) -> None:
    """Say that messages are consumed. `acked` holds popped topics and receipts."""
    if len(acked) == 1:
        topic, receipt = acked[0]
        header = AckRequest(
            group,
            receipt.topic(group, topic),
            receipt.queue_id,
            receipt.handle,
            QueueOffset(receipt.offset),
        )
        await calls.ask(address, RequestCode.ACK_MESSAGE, header)
        return
    body = BatchAck(broker_name, tuple(ack_items(group, acked)))
    await calls.ask(address, RequestCode.BATCH_ACK_MESSAGE, body=body.to_json())


async def hide(
    calls: Calls, address: str, group: str, topic: str, receipt: Receipt, invisible_ms: int
) -> Receipt:
    """Hide a message for so long from now. Returns the receipt that counts from now on."""
    header = ChangeInvisibleRequest(
        group,
        receipt.topic(group, topic),
        receipt.queue_id,
        receipt.handle,
        QueueOffset(receipt.offset),
        invisible_ms,
    )
    answer = await calls.ask(address, RequestCode.CHANGE_MESSAGE_INVISIBLETIME, header)
    if "popTime" not in answer.fields:
        return receipt  # an ordered message that was acknowledged meanwhile
    reply = decode_fields(ChangeInvisibleReply, answer.fields)
    return receipt.renewed(reply.pop_time, reply.invisible_time, reply.revive_qid)
