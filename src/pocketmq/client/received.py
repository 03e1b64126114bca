"""Received messages, made of stored records and of pushed replies."""

from __future__ import annotations

from pocketmq.client.messages import ReceivedMessage
from pocketmq.message.ids import pack_host
from pocketmq.message.record import Record
from pocketmq.net.address import Address
from pocketmq.protocol.command import Body
from pocketmq.protocol.requests.send import PushReplyRequest


def from_record(record: Record, broker_name: str) -> ReceivedMessage:
    """The message in a stored record."""
    return ReceivedMessage(
        record.topic,
        broker_name,
        record.queue_id,
        record.queue_offset,
        record.log_offset,
        record.flag,
        record.sys_flag,
        record.body_crc,
        record.born_timestamp_ms,
        record.born_host,
        record.store_timestamp_ms,
        record.store_host,
        record.reconsume_times,
        record.prepared_offset,
        record.body,
        record.raw_properties,
    )


def from_reply(request: PushReplyRequest, body: Body) -> ReceivedMessage:
    """The message in a reply that a broker pushes (326). It lies in no queue."""
    return ReceivedMessage(
        request.topic,
        "",
        request.queue_id,
        -1,
        -1,
        request.flag,
        request.sys_flag,
        0,
        request.born_timestamp,
        _packed(request.born_host),
        request.store_timestamp,
        _packed(request.store_host),
        request.reconsume_times or 0,
        0,
        bytes(body),
        (request.properties or "").encode(),
    )


def _packed(address: str) -> bytes:
    try:
        host, port = Address.parse(address.lstrip("/"))
        return pack_host(host, port)
    except ValueError:
        return bytes(8)
