"""Frames: how commands lie in the byte stream.

    length         4 bytes   bytes that follow = 4 + header + body
    header word    4 bytes   high byte: 0 JSON, 1 ROCKETMQ; low 24 bits: header length
    header         n bytes   see headers.py
    body           the rest

The whole frame, prefix included, is at most 16 MiB. `parse_frames` cuts one read into requests.
The two requests that make a broker busy come out already typed, as plain tuples, because building
a string map for each of them costs more than storing the message:

    SEND_MESSAGE_V2, SEND_BATCH_MESSAGE   -> SendFields
    PULL_MESSAGE, LITE_PULL_MESSAGE       -> PullFields

Every other frame carries its string map. A typed request that is odd in any way (a number that is
none, a missing field, a key signed for authentication) comes out as a string map too, and takes
the general path, which explains what is wrong with it.
"""

from __future__ import annotations

import struct
from typing import Final, NamedTuple

from pocketmq import _speedups
from pocketmq.errors import FrameTooLarge, MalformedFrame
from pocketmq.message.send_properties import scan_send_properties
from pocketmq.protocol import headers
from pocketmq.protocol.command import FLAG_RESPONSE, JSON, ROCKETMQ, Command
from pocketmq.protocol.usual_sends import read_usual_send

FRAME_BYTES_MAX: Final = 16 * 1024 * 1024
SEND_CODES: Final = frozenset((310, 320))
PULL_CODES: Final = frozenset((11, 361))
MAP_CODES: Final = frozenset((37, 200051))
"""END_TRANSACTION and ACK_MESSAGE: busy too, but with few fields. Their frames carry a string map,
and a broker may serve them without making a `Command` of it."""

_PREFIX = struct.Struct(">iI")
_LENGTH = struct.Struct(">i")


class SendFields(NamedTuple):
    """The fields of SEND_MESSAGE_V2 that storing needs; `properties` is UTF-8 as it is stored."""

    group: str
    topic: str
    default_topic: str
    default_queue_count: int
    queue_id: int
    sys_flag: int
    born_timestamp_ms: int
    flag: int
    properties: bytes
    reconsume_times: int
    unit_mode: bool
    max_reconsume_times: int  # -1: the request names none
    batch: bool
    unique_key: bytes  # of the properties; empty when absent
    marks: int  # what the properties ask for, see message/send_properties.py


class PullFields(NamedTuple):
    """The fields of a pull. `subscription` and `expression_type` are None when absent."""

    group: str
    topic: str
    queue_id: int
    queue_offset: int
    count_max: int
    sys_flag: int
    commit_offset: int
    suspend_timeout_ms: int
    subscription: str | None
    sub_version: int
    expression_type: str | None


Fields = dict[str, str] | tuple[object, ...]

Frame = tuple[int, int, int, int, "int | None", int, "str | None", Fields, int, int]
"""code, opaque, flag, serialization, language, version, remark, fields, body start, body end

Plain tuples: positions in the buffer given to `parse_frames`, no copies of bodies.
"""


def parse_frames(data: bytes, frame_bytes_max: int = FRAME_BYTES_MAX) -> tuple[list[Frame], int]:
    """All whole frames at the start of `data`, and how many bytes they take.

    Raise FrameTooLarge, MalformedFrame or MalformedHeader for the first bad frame; frames before it
    are lost with the connection, which cannot be used further.
    """
    frames, position = scan_frames(data, 0, frame_bytes_max)
    return parse_rest(data, frames, position, frame_bytes_max)


def parse_rest(
    data: bytes, frames: list[Frame], position: int, frame_bytes_max: int
) -> tuple[list[Frame], int]:
    """What `scan_frames` left over: an incomplete frame, or one that only `parse_one` can read."""
    size = len(data)
    while position != size:
        frame = parse_one(data, position, frame_bytes_max)
        if frame is None:
            break
        frames.append(frame)
        more, position = scan_frames(data, frame[9], frame_bytes_max)
        frames += more
    return frames, position


def parse_one(data: bytes, position: int, frame_bytes_max: int) -> Frame | None:
    """The frame that begins at `position`; None while it is incomplete.

    Raise FrameTooLarge, MalformedFrame or MalformedHeader.
    """
    available = len(data) - position
    if available < 4:
        return None
    (length,) = _LENGTH.unpack_from(data, position)
    if length + 4 > frame_bytes_max or length < 0:
        raise FrameTooLarge((length & 0xFFFFFFFF) + 4, frame_bytes_max)
    if length < 4:
        raise MalformedFrame(f"a frame of length {length} has no room for its header word")
    if available < length + 4:
        return None
    _, word = _PREFIX.unpack_from(data, position)
    start, end = position + 8, position + 4 + length
    header_end = start + (word & 0xFFFFFF)
    serialization = word >> 24
    if serialization not in (JSON, ROCKETMQ):
        raise MalformedFrame(f"unknown header type {serialization}; known are 0 and 1")
    if header_end > end:
        raise MalformedFrame("a header is longer than its frame")
    code, language, version, opaque, flag, remark, fields = headers.decode_header(
        data[start:header_end], serialization
    )
    typed = _typed(code, flag, fields) or fields
    return code, opaque, flag, serialization, language, version, remark, typed, header_end, end


def scan_frames_plain(data: bytes, position: int, frame_bytes_max: int) -> tuple[list[Frame], int]:
    """The regular frames of `data` from `position` on, and where the first other byte is.

    The compiled twin stops before an incomplete frame and before any that is odd; this one knows
    only sends and leaves every other frame to `parse_one`.
    """
    frames: list[Frame] = []
    size = len(data)
    while size - position >= 8:
        length, word = _PREFIX.unpack_from(data, position)
        start, end = position + 8, position + 4 + length
        header_end = start + word  # a JSON header; of others this is far behind the end
        if end > size or header_end > end or length + 4 > frame_bytes_max:
            break
        send = read_usual_send(data, start, header_end)
        if send is None:
            break
        code, opaque, flag, language, version, fields = send
        if flag & FLAG_RESPONSE:
            break
        frames.append((code, opaque, flag, JSON, language, version, None, fields, header_end, end))
        position = end
    return frames, position


def bytes_needed(data: bytes) -> int:
    """How long the frame that begins `data` is, prefix included; 0 when that is not known yet."""
    return _LENGTH.unpack_from(data)[0] + 4 if len(data) >= 4 else 0


def frame_to_command(data: bytes, frame: Frame) -> Command:
    """The command of a frame that came out with a string map."""
    code, opaque, flag, serialization, language, version, remark, fields, start, end = frame
    assert type(fields) is dict, "typed frames go to their own handlers"
    return Command(
        code,
        language=language,
        version=version,
        opaque=opaque,
        flag=flag,
        remark=remark,
        fields=fields,
        body=data[start:end],
        serialization=serialization,
    )


def untyped(frame: Frame) -> Frame:
    """The same frame with its typed fields turned back into the string map they came from."""
    fields = frame[7]
    if type(fields) is dict:
        return frame
    names = _SEND_NAMES if frame[0] in SEND_CODES else _PULL_NAMES
    texts = {
        name: value.decode()
        if type(value) is bytes
        else str(value).lower()
        if type(value) is bool
        else str(value)
        for name, value in zip(names, fields, strict=False)
        if value is not None
    }
    if frame[0] in SEND_CODES and texts["l"] == "-1":
        del texts["l"]
    return (*frame[:7], texts, *frame[8:])


def encode_frame(command: Command) -> bytes:
    """The whole frame of a command."""
    return b"".join((encode_head(command, len(command.body)), command.body))


def encode_head(command: Command, body_bytes: int) -> bytes:
    """Prefix and header of a frame whose body of `body_bytes` is sent separately."""
    head = (
        command.code,
        command.language,
        command.version,
        command.opaque,
        command.flag,
        command.remark,
        command.fields,
    )
    if command.serialization == ROCKETMQ:
        header = headers.encode_binary(head)
    else:
        header = headers.encode_json(head)
    word = command.serialization << 24 | len(header)
    return _PREFIX.pack(4 + len(header) + body_bytes, word) + header


_SEND_NAMES = ("a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l", "m")
_PULL_NAMES = (
    "consumerGroup",
    "topic",
    "queueId",
    "queueOffset",
    "maxMsgNums",
    "sysFlag",
    "commitOffset",
    "suspendTimeoutMillis",
    "subscription",
    "subVersion",
    "expressionType",
)
# Fields that change what a request means but have no place in the tuples.
_UNTYPED_KEYS = frozenset(("AccessKey", "Signature", "ns", "nsd", "lo", "requestSource"))


def _typed(code: int, flag: int, fields: dict[str, str]) -> Fields | None:
    """The typed form of a hot request, or None when it needs the general path."""
    if flag & FLAG_RESPONSE or not _UNTYPED_KEYS.isdisjoint(fields):
        return None
    try:
        if code in SEND_CODES:
            return _send_fields(fields)
        if code in PULL_CODES:
            return _pull_fields(fields)
    except (KeyError, ValueError):
        return None
    return None


def _send_fields(fields: dict[str, str]) -> SendFields:
    properties = fields.get("i", "").encode()
    return SendFields(
        fields["a"],
        fields["b"],
        fields["c"],
        int32(fields["d"]),
        int32(fields["e"]),
        int32(fields["f"]),
        int64(fields["g"]),
        int32(fields["h"]),
        properties,
        int32(fields.get("j", "0")),
        fields.get("k", "").lower() == "true",
        int32(fields.get("l", "-1")),
        fields.get("m", "").lower() == "true",
        *scan_send_properties(properties),
    )


def _pull_fields(fields: dict[str, str]) -> PullFields:
    return PullFields(
        fields["consumerGroup"],
        fields["topic"],
        int32(fields["queueId"]),
        int64(fields["queueOffset"]),
        int32(fields["maxMsgNums"]),
        int32(fields["sysFlag"]),
        int64(fields["commitOffset"]),
        int64(fields["suspendTimeoutMillis"]),
        fields.get("subscription"),
        int64(fields.get("subVersion", "0")),
        fields.get("expressionType"),
    )


def int32(text: str) -> int:
    """A decimal 32-bit number as Java prints it. Raise ValueError for anything else."""
    value = int(text)
    if -0x80000000 <= value <= 0x7FFFFFFF and str(value) == text:
        return value
    return _decimal(text, 0x7FFFFFFF)


def int64(text: str) -> int:
    """A decimal 64-bit number as Java prints it. Raise ValueError for anything else."""
    value = int(text)
    if -0x8000000000000000 <= value <= 0x7FFFFFFFFFFFFFFF and str(value) == text:
        return value
    return _decimal(text, 0x7FFFFFFFFFFFFFFF)


def _decimal(text: str, largest: int) -> int:
    digits = text[1:] if text[:1] == "-" else text
    if not digits.isascii() or not digits.isdigit() or len(digits) > 19:
        raise ValueError(f"not a number: {text[:40]!r}")
    value = int(text)
    if not -largest - 1 <= value <= largest:
        raise ValueError(f"out of range: {text[:40]!r}")
    return value


if _speedups.has("wire"):
    from pocketmq._speedups.wire import scan_frames as scan_frames
else:
    scan_frames = scan_frames_plain
