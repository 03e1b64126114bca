"""The answers of sends and pulls, written without building a `Command`.

These two make up nearly all that a busy broker writes. `SendReplies` and `PullReplies` hold what
stays the same from answer to answer; the twins below show what the bytes are: the ordinary frame
of an ordinary response.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, partial
from typing import Final

from pocketmq import _speedups
from pocketmq.message.ids import offset_message_id
from pocketmq.protocol import headers
from pocketmq.protocol.command import (
    FLAG_RESPONSE,
    LANGUAGE_PYTHON,
    ROCKETMQ,
    WIRE_VERSION,
    Command,
)
from pocketmq.protocol.framing import encode_frame, encode_head

EncodeSendReply = Callable[[int, int, int, int, int, bytes, int], "bytes | None"]

__all__ = ["SendReplies", "encode_ok", "encode_pull_head", "encode_send_reply", "send_reply_fields"]


class SendReplies:
    """Writes the answers of stored messages for one broker.

    `encode(serialization, opaque, log_offset, queue_id, queue_offset, unique_key, code)` is the
    frame that answers one stored message, or None when the key needs escaping; `encode_any` takes
    the same and never fails.
    """

    def __init__(self, store_host: bytes, region: str, trace_on: bool) -> None:
        self.store_host = store_host
        self._constant = {"MSG_REGION": region, "TRACE_ON": "true" if trace_on else "false"}
        json_text = headers.encode_json((0, None, 0, 0, 0, None, self._constant))
        start = json_text.index(b'{"MSG_REGION"') + 1
        json_tail = b"," + json_text[start : json_text.rindex(b'},"flag"')]
        binary = headers.encode_binary((0, 0, 0, 0, 0, None, self._constant))
        self.tails = (json_tail, binary[21:])
        self.encode: EncodeSendReply = partial(
            encode_send_reply, store_host, *self.tails, WIRE_VERSION
        )

    @property
    def constant_fields(self) -> dict[str, str]:
        """The fields every answer to a send carries, errors included."""
        return dict(self._constant)

    def encode_any(
        self,
        serialization: int,
        opaque: int,
        log_offset: int,
        queue_id: int,
        queue_offset: int,
        unique_key: bytes,
        code: int,
    ) -> bytes:
        """The frame that answers one stored message, whatever its key."""
        encoded = self.encode(
            serialization, opaque, log_offset, queue_id, queue_offset, unique_key, code
        )
        if encoded is not None:
            return encoded
        ids = offset_message_id(self.store_host, log_offset)
        command = Command(code, opaque=opaque, flag=FLAG_RESPONSE, serialization=serialization)
        command.fields = send_reply_fields(ids, queue_id, queue_offset, unique_key)
        command.fields |= self._constant
        return encode_frame(command)


def encode_ok(serialization: int, opaque: int) -> bytes:
    """The frame that says a request was done, and nothing else."""
    if serialization == ROCKETMQ:
        return _OK_BINARY % opaque.to_bytes(4, "big", signed=True)
    digits = b"%d" % opaque
    length = _OK_JSON_BYTES + len(digits)
    return b"%b%b%b%b%b" % (
        (length + 4).to_bytes(4, "big"),
        length.to_bytes(4, "big"),
        _OK_JSON_HEAD,
        digits,
        _OK_JSON_TAIL,
    )


def _ok_binary() -> bytes:
    frame = encode_frame(Command(0, flag=FLAG_RESPONSE, serialization=ROCKETMQ))
    return frame[:13].replace(b"%", b"%%") + b"%b" + frame[17:].replace(b"%", b"%%")


_OK_BINARY: Final = _ok_binary()
_OK_JSON_HEAD, _, _OK_JSON_TAIL = headers.encode_json(
    (0, LANGUAGE_PYTHON, WIRE_VERSION, 1234567890, FLAG_RESPONSE, None, {})
).partition(b"1234567890")
_OK_JSON_BYTES: Final = len(_OK_JSON_HEAD) + len(_OK_JSON_TAIL)


def send_reply_fields(
    ids: str, queue_id: int, queue_offset: int, unique_key: bytes
) -> dict[str, str]:
    """The response fields of a stored message or batch (comma list in `ids`)."""
    fields = {"msgId": ids, "queueId": str(queue_id), "queueOffset": str(queue_offset)}
    if unique_key:
        fields["transactionId"] = unique_key.decode("utf-8", "replace")
    return fields


def encode_send_reply_plain(
    store_host: bytes,
    json_tail: bytes,
    binary_tail: bytes,
    version: int,
    serialization: int,
    opaque: int,
    log_offset: int,
    queue_id: int,
    queue_offset: int,
    unique_key: bytes,
    code: int,
) -> bytes | None:
    """The frame of a send's answer; None when the key has characters that JSON escapes."""
    if serialization == ROCKETMQ:
        ids = offset_message_id(store_host, log_offset)
        fields = send_reply_fields(ids, queue_id, queue_offset, unique_key)
        head = headers.encode_binary((code, 3, version, opaque, FLAG_RESPONSE, None, fields))
        ext = head[21:] + binary_tail
        header = head[:17] + len(ext).to_bytes(4, "big") + ext
    else:
        if unique_key.translate(None, _PLAIN):
            return None
        header = send_answer_template(store_host, json_tail, version) % (
            code, log_offset, queue_id, queue_offset, ANSWERED_KEY if unique_key else b"",
            unique_key, opaque,
        )  # fmt: skip
    size = len(header)
    return b"%b%b%b" % (
        (size + 4).to_bytes(4, "big"),
        (serialization << 24 | size).to_bytes(4, "big"),
        header,
    )


_PLAIN: Final = bytes(set(range(32, 127)) - {34, 92})
ANSWERED_KEY: Final = b'","transactionId":"'


@lru_cache(maxsize=16)
def send_answer_template(store_host: bytes, json_tail: bytes, version: int) -> bytes:
    """The JSON header of a send's answer, to be completed with `%`.

    That takes the code, log offset, queue id, queue offset, ANSWERED_KEY or nothing, the unique
    key, which is plain text, and the opaque.
    """
    return (
        b'{"code":%%d,"extFields":{"msgId":"%b%%016X","queueId":"%%d","queueOffset":"%%d%%b%%b"%b},'
        b'"flag":1,"language":"PYTHON","opaque":%%d,'
        b'"serializeTypeCurrentRPC":"JSON","version":%d}'
    ) % (store_host.hex().upper().encode(), json_tail.replace(b"%", b"%%"), version)


def encode_pull_head_plain(
    serialization: int,
    opaque: int,
    next_offset: int,
    min_offset: int,
    max_offset: int,
    broker_id: int,
    topic_sys_flag: int,
    group_sys_flag: int,
    code: int,
    remark: bytes,
    version: int,
    body_bytes: int,
) -> bytes | None:
    """Prefix and header of a pull's answer, whose body of `body_bytes` follows separately."""
    fields = {
        "suggestWhichBrokerId": str(broker_id),
        "nextBeginOffset": str(next_offset),
        "minOffset": str(min_offset),
        "maxOffset": str(max_offset),
        "topicSysFlag": str(topic_sys_flag),
        "groupSysFlag": str(group_sys_flag),
    }
    command = Command(
        code,
        version=version,
        opaque=opaque,
        flag=FLAG_RESPONSE,
        remark=remark.decode(),
        fields=fields,
        serialization=serialization,
    )
    return encode_head(command, body_bytes)


if _speedups.has("answers"):
    from pocketmq._speedups.answers import encode_pull_head as encode_pull_head
    from pocketmq._speedups.answers import encode_send_reply as encode_send_reply
else:
    encode_pull_head = encode_pull_head_plain
    encode_send_reply = encode_send_reply_plain
