"""Stored messages as a pull or pop brings them, made into what users hold.

A body of an answer holds whole records back to back, see `message/record.py`. A record that says
NEEDS_UNWRAP holds a batch, whose items share its queue offset, counting up from it. One that cannot
be taken apart is handed over whole.
"""

from __future__ import annotations

import struct
from typing import Final

from pocketmq.client.compression import decompress
from pocketmq.client.messages import ReceivedMessage
from pocketmq.errors import BodyUndecodable, CorruptRecord, MalformedBody
from pocketmq.message.batch import decode_batch
from pocketmq.message.flags import BORN_HOST_V6, COMPRESSED, NEEDS_UNWRAP, STORE_HOST_V6
from pocketmq.message.record import MAGIC_V1, MAGIC_V2, RECORD_BYTES_MIN, decode_record
from pocketmq.protocol.command import Body

# Everything before the body, of a record with IPv4 addresses.
_HEAD: Final = struct.Struct(">IIiiiqqiq8sq8siqi")
_LENGTH: Final = struct.Struct(">h")
_V6: Final = BORN_HOST_V6 | STORE_HOST_V6
_BODY_AT: Final = _HEAD.size


def decode_messages(data: Body, broker_name: str) -> list[ReceivedMessage]:
    """The messages of an answer, in order. Raise CorruptRecord when they are not whole.

    Bodies and properties are copied out of `data`, so that one message kept does not keep all.
    """
    data = bytes(data)
    messages: list[ReceivedMessage] = []
    append = messages.append
    unpack = _HEAD.unpack_from
    end = len(data)
    at = 0
    topic = ""
    topic_bytes = b""
    while at < end:
        if end - at < RECORD_BYTES_MIN:
            raise CorruptRecord(at, f"{end - at} bytes are left over")
        (
            size, magic, body_crc, queue_id, flag, queue_offset, log_offset, sys_flag,
            born_ms, born_host, store_ms, store_host, reconsume_times, prepared, body_bytes,
        ) = unpack(data, at)  # fmt: skip
        if magic != MAGIC_V1 or sys_flag & (_V6 | NEEDS_UNWRAP):
            at += _decode_odd(data, at, broker_name, messages)
            continue
        topic_at = at + _BODY_AT + body_bytes + 1
        properties_at = topic_at + 2
        if body_bytes < 0 or properties_at > end:
            raise CorruptRecord(at, f"its body claims {body_bytes} bytes")
        properties_at += data[topic_at - 1]
        if (
            properties_at > end
            or properties_at + _LENGTH.unpack_from(data, properties_at - 2)[0] != at + size
        ):
            raise CorruptRecord(at, "its lengths do not add up")
        if data[topic_at : properties_at - 2] != topic_bytes:
            topic_bytes = data[topic_at : properties_at - 2]
            topic = topic_bytes.decode("utf-8", "replace")
        body = data[at + _BODY_AT : topic_at - 1]
        at += size
        append(
            ReceivedMessage(
                topic, broker_name, queue_id, queue_offset, log_offset, flag, sys_flag, body_crc,
                born_ms, born_host, store_ms, store_host, reconsume_times, prepared,
                body, data[properties_at:at],
            )
        )  # fmt: skip
    return messages


def _decode_odd(data: bytes, at: int, broker_name: str, messages: list[ReceivedMessage]) -> int:
    """Decode a record with a long topic, IPv6 addresses or a batch inside; return its size."""
    (magic,) = struct.unpack_from(">I", data, at + 4)
    if magic not in (MAGIC_V1, MAGIC_V2):
        raise CorruptRecord(at, f"its magic is {magic:08X}")
    record = decode_record(data, at, verify_crc=False)
    body, properties = bytes(record.body), bytes(record.raw_properties)
    message = ReceivedMessage(
        record.topic, broker_name, record.queue_id, record.queue_offset, record.log_offset,
        record.flag, record.sys_flag, record.body_crc, record.born_timestamp_ms,
        record.born_host, record.store_timestamp_ms, record.store_host, record.reconsume_times,
        record.prepared_offset, body, properties,
    )  # fmt: skip
    try:
        messages += unwrap(message) if record.sys_flag & NEEDS_UNWRAP else [message]
    except (BodyUndecodable, MalformedBody):
        messages.append(message)  # `message.decoded` says why; a queue must not stand still for it
    return record.size


def unwrap(batch: ReceivedMessage) -> list[ReceivedMessage]:
    """The messages of a batch that is stored as one record. Raise BodyUndecodable when it does not
    decompress, MalformedBody when it is no batch."""
    body = bytes(batch.raw_body)
    sys_flag = batch.sys_flag & ~NEEDS_UNWRAP
    if sys_flag & COMPRESSED:
        body = decompress(body, sys_flag)
        sys_flag &= ~COMPRESSED
    return [
        ReceivedMessage(
            batch.topic, batch.broker_name, batch.queue_id, batch.queue_offset + place,
            batch.log_offset, item.flag, sys_flag, batch.body_crc, batch.born_timestamp_ms,
            batch.born_host_packed, batch.store_timestamp_ms, batch.store_host_packed,
            batch.reconsume_times, batch.prepared_offset, bytes(item.body),
            bytes(item.properties),
        )
        for place, item in enumerate(decode_batch(body))
    ]  # fmt: skip
