"""Taking messages back: those that are delayed by time and not delivered yet.

The receipt of such a message has a recall handle, in base64: `v1 topic broker deliver_ms key`.
"""

from __future__ import annotations

import base64

from pocketmq.client.hooks import RecallContext
from pocketmq.client.messages import SendReceipt
from pocketmq.client.outbox import Outbox
from pocketmq.clock import SystemClock
from pocketmq.errors import BrokerRefused, RecallUnavailable
from pocketmq.protocol.codes import RequestCode
from pocketmq.protocol.requests.send import RecallRequest

_now_ms = SystemClock.now_ms


async def recall(
    outbox: Outbox, group: str, wire_group: str, receipt: SendReceipt | str, handle: str
) -> str:
    """Take a message back and return its unique key. Raise RecallUnavailable, or as a send."""
    topic = receipt if isinstance(receipt, str) else receipt.topic
    handle = handle if isinstance(receipt, str) else receipt.recall_handle
    if not handle:
        raise RecallUnavailable(
            "there is no recall handle: only messages sent with delay= or deliver_at= to "
            "RocketMQ 5.3.1 or later can be recalled"
        )
    wire_topic = outbox.composer.wire_topic(topic)
    broker_name = broker_of_handle(handle)
    address = (await outbox.sender.lanes(wire_topic)).route.master(broker_name)
    if address is None:
        raise RecallUnavailable(f"the broker {broker_name} that has the message is not known")
    started, error = _now_ms(), None
    try:
        answer = await outbox.instance.calls.ask(
            address,
            RequestCode.RECALL_MESSAGE,
            RecallRequest(wire_topic, handle, wire_group),
            step=f"the recall of a message of {topic}",
        )
    except BrokerRefused as refused:
        error = refused
        raise RecallUnavailable(str(refused)) from refused
    finally:
        if outbox.hooks:
            key = receipt.message_id if isinstance(receipt, SendReceipt) else ""
            cost_ms = _now_ms() - started
            client_id = outbox.instance.client_id
            outbox.hooks.after_recall(
                RecallContext(group, client_id, topic, key, started, cost_ms, error)
            )
    return answer.fields.get("msgId", "")


def broker_of_handle(handle: str) -> str:
    """The broker named in a recall handle. Raise RecallUnavailable when it is none."""
    try:
        text = base64.urlsafe_b64decode(handle + "=" * (-len(handle) % 4)).decode()
        version, _, broker_name, _, _ = text.split(" ")
    except ValueError:
        raise RecallUnavailable(f"{handle[:80]!r} is not a recall handle") from None
    if version != "v1":
        raise RecallUnavailable(f"recall handles of version {version} are not known to this client")
    return broker_name
