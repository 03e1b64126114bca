"""The compiled wire leaves and their Python twins do the same with everything."""

from __future__ import annotations

import struct
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pocketmq import _speedups
from pocketmq.errors import FrameTooLarge, MalformedFrame, MalformedHeader
from pocketmq.message.ids import offset_message_id
from pocketmq.protocol import framing, replies
from pocketmq.protocol.command import JSON, ROCKETMQ, WIRE_VERSION, Command
from pocketmq.protocol.framing import FRAME_BYTES_MAX, Frame, frame_to_command
from pocketmq.protocol.replies import SendReplies

compiled_only = pytest.mark.skipif(
    not _speedups.has("wire"), reason="the leaf `wire` is not compiled, or not wanted"
)

SEND = {
    "a": "pg", "b": "T", "c": "TBW102", "d": "4", "e": "1", "f": "0", "g": "17", "h": "0",
    "i": "K\x01v\x02", "j": "0", "k": "false", "l": "3", "m": "false",
}  # fmt: skip
PULL = {
    "consumerGroup": "g", "topic": "T", "queueId": "3", "queueOffset": "17", "maxMsgNums": "32",
    "sysFlag": "6", "commitOffset": "5", "suspendTimeoutMillis": "15000", "subscription": "*",
    "subVersion": "17", "expressionType": "TAG",
}  # fmt: skip


def outcome(data: bytes, parse: Any) -> list[str]:
    """What became of the bytes; `repr` tells True from 1 and str from bytes."""
    try:
        frames, consumed = parse(data)
    except (FrameTooLarge, MalformedFrame, MalformedHeader) as error:
        return [type(error).__name__]
    plain = [(*f[:7], f[7] if type(f[7]) is dict else tuple(f[7]), *f[8:]) for f in frames]
    return [repr(plain), repr(consumed)]


def parse_plainly(data: bytes) -> tuple[list[Frame], int]:
    frames: list[Frame] = []
    position = 0
    while position < len(data):
        frame = framing.parse_one(data, position, FRAME_BYTES_MAX)
        if frame is None:
            break
        frames.append(frame)
        position = frame[9]
    return frames, position


def read_by_both(data: bytes) -> tuple[list[str], list[str]]:
    """What becomes of the bytes with the leaf, and in plain Python."""
    return outcome(data, framing.parse_frames), outcome(data, parse_plainly)


def framed(header: bytes, serialization: int, body: bytes = b"body") -> bytes:
    word = serialization << 24 | len(header)
    return struct.pack(">iI", 4 + len(header) + len(body), word) + header + body


# -- JSON headers -------------------------------------------------------------------------------

numbers = st.sampled_from(
    ["0", "-0", "007", "1", "-1", "2147483647", "2147483648", "-2147483648", "-2147483649",
     "9223372036854775807", "-9223372036854775808", "9223372036854775808", "99999999999999999999",
     "1.0", "1e3", "+1", "-", "", " 1", "true", "null", "\u0661"]
)  # fmt: skip
plain_texts = st.one_of(
    numbers, st.text(max_size=5), st.sampled_from(["K\x01v\x02", "UNIQ_KEY\x01u\x02WAIT\x01false"])
)


def json_text(text: str, escapes: list[bool]) -> str:
    """The text as a JSON string; a True escapes a character that need not be."""
    short = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t", "/": "\\/"}
    out = []
    for at, letter in enumerate(text):
        escape = bool(escapes) and escapes[at % len(escapes)]
        if letter in '"\\' or ord(letter) < 32 or escape:
            units = letter.encode("utf-16-be", "surrogatepass")
            pairs = (units[i : i + 2].hex() for i in range(0, len(units), 2))
            out.append(short.get(letter) or "".join(f"\\u{pair}" for pair in pairs))
        else:
            out.append(letter)
    return f'"{"".join(out)}"'


@st.composite
def json_headers(draw: st.DrawFn) -> bytes:
    """A header of a send, a pull or something else, odd in a few ways."""
    code = draw(st.sampled_from([310, 320, 11, 361, 10, 34]))
    escapes = draw(st.sampled_from([[], [], [True], [False, True]]))
    blank = draw(st.sampled_from(["", "", " ", "\t\n"]))
    base = SEND if code in (310, 320) else PULL
    entries = list(base.items())
    names = st.sampled_from([*base, "ns", "AccessKey", "requestSource", "n", "", "\u00fc", 'q"'])
    entries += draw(st.lists(st.tuples(names, plain_texts), max_size=3))  # duplicates too
    for _ in range(draw(st.integers(0, 1))):
        entries.pop(draw(st.integers(0, len(entries) - 1)))
    bare = draw(st.sampled_from([False, False, True]))
    fields = f"{blank},{blank}".join(
        f"{json_text(key, [])}{blank}:{blank}"
        + (value if bare and value.isascii() and value.isdigit() else json_text(value, escapes))
        for key, value in entries
    )
    members = [
        ("code", str(code)),
        ("language", draw(st.sampled_from(['"JAVA"', '"GO"', '"HTTP"', '"?"', "0", "9", "99"]))),
        ("version", "479"),
        ("opaque", draw(st.sampled_from(["7", "-1", "2147483647", "2147483648", "0"]))),
        ("flag", draw(st.sampled_from(["0", "1", "2", "3"]))),
        ("extFields", f"{{{blank}{fields}{blank}}}"),
        ("serializeTypeCurrentRPC", '"JSON"'),
    ]
    more = st.sampled_from(
        [("remark", '"r\\u0041"'), ("remark", "null"), ("code", "310"), ("code", "null"),
         ("extFields", "{}"), ("extFields", "null"), ("unknown", "true"), ("unknown", "[1]"),
         ("flag", "1"), ("opaque", '"5"'), ("remark", '"twice"')]
    )  # fmt: skip
    members += draw(st.lists(more, max_size=2))
    members = draw(st.permutations(members))
    inner = f",{blank}".join(f'"{key}"{blank}:{value}' for key, value in members)
    return f"{blank}{{{inner}}}{blank}".encode("utf-8", "surrogatepass")


@compiled_only
@given(json_headers())
@example(b'{"code":34,"remark":"x","remark":null}')
@example(b'{"code":11,"extFields":{"topic":"T"},"extFields":null}')
@example(b'{"code":34,"code":null}')
@settings(max_examples=400, deadline=None)
def test_json_headers_are_read_the_same(header: bytes) -> None:
    leaf, twin = read_by_both(framed(header, JSON))
    assert leaf == twin


@compiled_only
@given(
    json_headers(),
    st.integers(0, 600),
    st.lists(st.tuples(st.integers(0, 600), st.integers(0, 255)), max_size=2),
)
@settings(max_examples=300, deadline=None)
def test_damaged_json_headers_are_read_the_same(
    header: bytes, cut: int, flips: list[tuple[int, int]]
) -> None:
    damaged = bytearray(header)
    for position, value in flips:
        if position < len(damaged):
            damaged[position] = value
    for each in (damaged, damaged[:cut]):
        leaf, twin = read_by_both(framed(bytes(each), JSON))
        assert leaf == twin


# -- binary headers -----------------------------------------------------------------------------


@st.composite
def binary_headers(draw: st.DrawFn) -> bytes:
    """A header whose entries may repeat, be odd, or have lengths that do not fit."""
    code = draw(st.sampled_from([310, 320, 11, 361, 10, 34]))
    base = SEND if code in (310, 320) else PULL
    entries = [(key.encode(), value.encode()) for key, value in base.items()]
    names = st.sampled_from([*(key for key, _ in entries), b"ns", b"Signature", b"", b"\xff"])
    values = st.one_of(
        plain_texts.map(lambda x: x.encode("utf-8", "replace")), st.binary(max_size=4)
    )
    entries += draw(st.lists(st.tuples(names, values), max_size=3))
    ext = b"".join(
        struct.pack(">h", len(key)) + key + struct.pack(">i", len(value)) + value
        for key, value in entries
    )
    remark = draw(st.sampled_from([b"", b"", b"remark", b"\xff"]))
    head = struct.pack(
        ">HBHiii",
        code,
        draw(st.sampled_from([0, 3, 9, 13, 14, 200])),
        479,
        draw(st.integers(-(2**31), 2**31 - 1)),
        draw(st.sampled_from([0, 1, 2, 3, -1])),
        len(remark) + draw(st.sampled_from([0, 0, 0, 1, -1])),
    )
    wrong = draw(st.sampled_from([0, 0, 0, 1, -1]))
    return head + remark + struct.pack(">i", len(ext) + wrong) + ext


@compiled_only
@given(binary_headers(), st.integers(0, 300), st.booleans())
@settings(max_examples=400, deadline=None)
def test_binary_headers_are_read_the_same(header: bytes, cut: int, damaged: bool) -> None:
    leaf, twin = read_by_both(framed(header[:cut] if damaged else header, ROCKETMQ))
    assert leaf == twin


@compiled_only
@given(st.lists(st.one_of(json_headers().map(lambda x: framed(x, JSON)),
                          binary_headers().map(lambda x: framed(x, ROCKETMQ))), max_size=4),
       st.integers(0, 3000))  # fmt: skip
@settings(max_examples=150, deadline=None)
def test_streams_of_mixed_frames_cut_anywhere_are_read_the_same(
    frames: list[bytes], cut: int
) -> None:
    stream = b"".join(frames)
    for each in (stream, stream[:cut]):
        leaf, twin = read_by_both(each)
        assert leaf == twin


# -- answers ------------------------------------------------------------------------------------

i32 = st.integers(-(2**31), 2**31 - 1)
i64 = st.integers(-(2**63), 2**63 - 1)
offsets = st.one_of(st.integers(0, 2**63 - 1), st.integers(0, 300))
encodings = st.sampled_from([JSON, ROCKETMQ])
hosts = st.sampled_from([b"\x7f\0\0\x01\0\0\x2a\x9f", bytes(range(20))])
keys = st.one_of(
    st.text(max_size=12).map(lambda text: text.encode("utf-8", "replace")),
    st.sampled_from([b"", b"7F000001002A9F00", b'say "no"', b"back\\slash", "\u00fc".encode()]),
    st.integers(200, 300).map(lambda n: b"k" * n),
)


def read_back(data: bytes) -> Command:
    (frame,), consumed = framing.parse_frames(data)
    assert consumed == len(data)
    return frame_to_command(data, frame)


@given(hosts, st.booleans(), encodings, i32, offsets, st.integers(0, 2**31 - 1), offsets, keys,
       st.sampled_from([0, 10]))  # fmt: skip
@settings(max_examples=250, deadline=None)
def test_the_answer_of_a_send_is_the_same_and_reads_back(
    host: bytes, trace: bool, encoding: int, opaque: int, log_offset: int, queue_id: int,
    queue_offset: int, key: bytes, code: int,
) -> None:  # fmt: skip
    written = SendReplies(host, "DefaultRegion", trace)
    arguments = (encoding, opaque, log_offset, queue_id, queue_offset, key, code)
    partial: Any = written.encode
    encode_plainly: Any = replies.encode_send_reply_plain
    plain = encode_plainly(*partial.args, *arguments)
    fast = written.encode(*arguments)
    assert fast is None or fast == plain
    if plain is not None and len(key) <= 256:
        assert fast == plain
    read = read_back(written.encode_any(*arguments))
    assert (read.code, read.opaque, read.flag, read.remark) == (code, opaque, 1, None)
    assert (read.serialization, read.version, bytes(read.body)) == (encoding, WIRE_VERSION, b"")
    expected = {
        "msgId": offset_message_id(host, log_offset),
        "queueId": str(queue_id),
        "queueOffset": str(queue_offset),
        "MSG_REGION": "DefaultRegion",
        "TRACE_ON": "true" if trace else "false",
    }
    if key:
        expected["transactionId"] = key.decode("utf-8", "replace")
    assert read.fields == expected


@given(encodings, i32, i64, offsets, i64, st.tuples(i32, i32, i32),
       st.sampled_from([0, 19, 20, 21]),
       st.sampled_from([b"FOUND", b"OFFSET_OVERFLOW_BADLY", b"OFFSET_RESET"]),
       st.integers(0, 400))  # fmt: skip
@settings(max_examples=250, deadline=None)
def test_the_head_of_a_pull_is_the_same_and_reads_back(
    encoding: int, opaque: int, next_offset: int, smallest: int, largest: int,
    small: tuple[int, int, int], code: int, remark: bytes, body_bytes: int,
) -> None:  # fmt: skip
    arguments = (
        encoding, opaque, next_offset, smallest, largest, *small, code, remark, WIRE_VERSION,
        body_bytes,
    )  # fmt: skip
    head = replies.encode_pull_head(*arguments)
    assert head == replies.encode_pull_head_plain(*arguments)
    assert head is not None
    read = read_back(head + bytes(body_bytes))
    assert (read.code, read.opaque, read.flag) == (code, opaque, 1)
    assert (read.remark, len(read.body)) == (remark.decode(), body_bytes)
    numbers = (small[0], next_offset, smallest, largest, *small[1:])
    assert list(read.fields.values()) == [str(number) for number in numbers]


def test_a_key_that_json_escapes_takes_the_ordinary_way() -> None:
    written = SendReplies(b"\x7f\0\0\x01\0\0\x2a\x9f", "R", True)
    for key in (b'"', b"\\", b"\x1f", "\u00fc".encode(), b"\x7f"):
        assert written.encode(JSON, 1, 0, 0, 0, key, 0) is None
        fields = read_back(written.encode_any(JSON, 1, 0, 0, 0, key, 0)).fields
        assert fields["transactionId"].encode() == key
