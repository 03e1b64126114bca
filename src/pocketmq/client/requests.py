"""Request and reply: a send whose answer is another message, pushed by the broker.

    requester --(CORRELATION_ID, REPLY_TO_CLIENT, TTL)--> topic --> replier
    requester <---(326)--- broker <---(325, MSG_TYPE=reply)-------- replier

The broker finds the requester by its client id, so it must have sent a heartbeat before.
"""

from __future__ import annotations

import asyncio
import secrets
from typing import TYPE_CHECKING, Final

from pocketmq.client.lanes import SEND_REPLY, Lane
from pocketmq.client.messages import MessageQueue, ReceivedMessage
from pocketmq.client.outgoing import Outgoing
from pocketmq.client.pushes import CORRELATION_ID
from pocketmq.errors import MessageInvalid, RequestTimeout
from pocketmq.message import properties as names
from pocketmq.message.topics import reply_topic
from pocketmq.net.address import Address

if TYPE_CHECKING:
    from pocketmq.client.instance import Instance
    from pocketmq.client.sending import Sender

REPLY_TO_CLIENT: Final = "REPLY_TO_CLIENT"
TTL: Final = "TTL"
REPLY: Final = "reply"


def new_correlation_id() -> str:
    """What ties a reply to its request."""
    return secrets.token_hex(16)


def request_properties(correlation_id: str, client_id: str, ttl_ms: int) -> dict[str, str]:
    """What makes a message a request."""
    return {CORRELATION_ID: correlation_id, REPLY_TO_CLIENT: client_id, TTL: str(ttl_ms)}


def reply_properties(request: ReceivedMessage) -> dict[str, str]:
    """What makes a message the reply to `request`. Raise MessageInvalid when it wants none."""
    found = {
        name: request.properties.get(name, "") for name in (CORRELATION_ID, REPLY_TO_CLIENT, TTL)
    }
    if not found[CORRELATION_ID] or not found[REPLY_TO_CLIENT]:
        raise MessageInvalid(
            f"message {request.message_id} wants no reply: it was not sent with request()"
        )
    found = {name: value for name, value in found.items() if value}
    return {**found, names.MESSAGE_TYPE: REPLY}


def reply_topic_of(request: ReceivedMessage) -> str:
    """Where the reply goes. Raise MessageInvalid when the request does not say."""
    cluster = request.properties.get(names.CLUSTER)
    if not cluster:
        raise MessageInvalid(
            f"message {request.message_id} does not say which cluster it came through, so there is "
            "no way back; the broker is too old for request and reply"
        )
    return reply_topic(cluster)


async def ask(
    instance: Instance, sender: Sender, out: Outgoing, correlation_id: str, timeout: float
) -> ReceivedMessage:
    """Send a request and wait for its reply.

    Raise RequestTimeout when nobody replies, or what a send raises.
    """
    loop = asyncio.get_running_loop()
    deadline = loop.time() + timeout
    waiter: asyncio.Future[ReceivedMessage] = loop.create_future()
    instance.reply_waiters[correlation_id] = waiter
    try:
        lanes = await sender.lanes(out.topic)
        await asyncio.gather(
            *(instance.heartbeats.ensure(address) for address in {x.address for x in lanes.all})
        )
        await sender.deliver(out, timeout)
        return await asyncio.wait_for(waiter, max(deadline - loop.time(), 0.001))
    except (asyncio.TimeoutError, TimeoutError):
        raise RequestTimeout(
            f"nobody replied to request {out.unique_key} on {out.user_topic} within {timeout:g} s; "
            "check that a consumer of the topic runs and replies"
        ) from None
    finally:
        instance.reply_waiters.pop(correlation_id, None)


async def reply(
    instance: Instance, group: str, request: ReceivedMessage, out: Outgoing, timeout_ms: int
) -> None:
    """Send a reply to the broker that the request came from. Raise what a call raises."""
    address = await _address_of(instance, request)
    queue = MessageQueue(out.topic, request.broker_name, 0)
    lane = Lane(group, queue, address, 1)
    await instance.calls.ask(
        address,
        SEND_REPLY,
        lane.fields(out),
        out.body,
        timeout_ms=timeout_ms,
        step=f"the reply to {request.message_id}",
    )


async def _address_of(instance: Instance, request: ReceivedMessage) -> str:
    if not request.broker_name:
        return str(Address(*request.store_host))
    for route in instance.routes.all():
        address = route.master(request.broker_name)
        if address is not None:
            return address
    route = await instance.routes.get(request.stored_topic)
    address = route.master(request.broker_name)
    if address is None:
        raise MessageInvalid(
            f"the broker {request.broker_name!r} that the request came from is not known any more"
        )
    return address
