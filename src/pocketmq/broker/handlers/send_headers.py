"""The headers of sends and replies, long names or one-letter ones, as one kind of fields."""

from __future__ import annotations

from typing import Final

from pocketmq.protocol.codes import RequestCode
from pocketmq.protocol.command import Command
from pocketmq.protocol.fields import decode_fields
from pocketmq.protocol.framing import SendFields
from pocketmq.protocol.requests.send import SendRequest, SendRequestV2

_LONG_NAMES: Final = (RequestCode.SEND_MESSAGE, RequestCode.SEND_REPLY_MESSAGE)


def read_send_fields(command: Command) -> SendFields:
    """What a request says about its message; it is not looked into. Raise ProtocolError."""
    header: SendRequest | SendRequestV2
    if command.code in _LONG_NAMES:
        header = decode_fields(SendRequest, command.fields)
    else:
        header = decode_fields(SendRequestV2, command.fields)
    times = header.max_reconsume_times
    return SendFields(
        header.producer_group,
        header.topic,
        header.default_topic,
        header.default_topic_queue_nums,
        header.queue_id,
        header.sys_flag,
        header.born_timestamp,
        header.flag,
        (header.properties or "").encode(),
        header.reconsume_times or 0,
        bool(header.unit_mode),
        -1 if times is None else times,
        bool(header.batch),
        b"",
        0,
    )
