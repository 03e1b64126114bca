"""Frames in a byte stream, cut by the compiled and by the plain parser."""

from __future__ import annotations

import struct
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pocketmq.errors import FrameTooLarge, MalformedFrame, MalformedHeader
from pocketmq.protocol import framing
from pocketmq.protocol.command import JSON, ROCKETMQ, Command
from pocketmq.protocol.framing import (
    FRAME_BYTES_MAX,
    Frame,
    PullFields,
    SendFields,
    encode_frame,
    encode_head,
    frame_to_command,
    parse_rest,
    untyped,
)

Parse = Callable[[bytes], tuple[list[Frame], int]]

SEND = {
    "a": "pg",
    "b": "T",
    "c": "TBW102",
    "d": "4",
    "e": "1",
    "f": "0",
    "g": "1700000000000",
    "h": "0",
    "i": "TAGS\x01A\x02",
    "j": "0",
    "k": "false",
    "m": "false",
    "n": "broker-a",
}
PULL = {
    "consumerGroup": "g",
    "topic": "T",
    "queueId": "3",
    "queueOffset": "17",
    "maxMsgNums": "32",
    "sysFlag": "6",
    "commitOffset": "5",
    "suspendTimeoutMillis": "15000",
    "subscription": "*",
    "subVersion": "1700000000000",
    "expressionType": "TAG",
}


def parse_compiled(data: bytes, frame_bytes_max: int = FRAME_BYTES_MAX) -> tuple[list[Frame], int]:
    """What a server does: the compiled scan, or its twin where there is no compiler."""
    return framing.parse_frames(data, frame_bytes_max)


def parse_plainly(data: bytes, frame_bytes_max: int = FRAME_BYTES_MAX) -> tuple[list[Frame], int]:
    """Frame by frame, in Python."""
    frames: list[Frame] = []
    position = 0
    while position < len(data):
        frame = framing.parse_one(data, position, frame_bytes_max)
        if frame is None:
            break
        frames.append(frame)
        position = frame[9]
    return frames, position


@pytest.fixture(params=(parse_compiled, parse_plainly), ids=["compiled", "plain"])
def parse(request: pytest.FixtureRequest) -> Parse:
    chosen: Parse = request.param
    return chosen


def command_in(data: bytes, parse: Parse) -> Command:
    """The command of one whole frame."""
    (frame,), consumed = parse(data)
    assert consumed == len(data)
    return frame_to_command(data, untyped(frame))


def commands() -> list[Command]:
    """One of each kind."""
    made = []
    for serialization in (JSON, ROCKETMQ):
        for code, fields, body in (
            (310, SEND, b"hello"),
            (320, SEND, b"batch" * 100),
            (11, PULL, b""),
            (361, PULL, b""),
            (34, {}, b'{"clientID":"c"}'),
            (105, {"topic": "T\u00fcr \U0001f600"}, b""),
        ):
            command = Command.request(code, dict(fields), body)
            command.serialization = serialization
            made.append(command)
    return made


@pytest.mark.parametrize("command", commands(), ids=str)
def test_a_frame_comes_back_as_it_was_written(command: Command, parse: Parse) -> None:
    read = command_in(encode_frame(command), parse)
    known = {k: v for k, v in command.fields.items() if k != "n"}
    for name in ("code", "opaque", "flag", "language", "version", "remark", "serialization"):
        assert getattr(read, name) == getattr(command, name)
    assert {key: value for key, value in read.fields.items() if key != "n"} == known
    assert read.body == command.body


def test_a_frame_has_the_bytes_java_gives_it() -> None:
    command = Command(
        310, language=0, version=475, opaque=9, fields={"a": "pg"}, serialization=ROCKETMQ
    )
    assert encode_frame(command) == bytes.fromhex(
        "00000022 0100001e 0136 00 01db 00000009 00000000 00000000 00000009 0001 61 00000002 7067"
    )


def test_a_head_and_its_body_are_a_frame() -> None:
    command = Command.request(105, {"topic": "T"}, b"body")
    assert encode_head(command, 4) + b"body" == encode_frame(command)


def test_a_send_comes_out_typed(parse: Parse) -> None:
    for serialization in (JSON, ROCKETMQ):
        command = Command.request(310, dict(SEND), b"hello")
        command.serialization = serialization
        (frame,), _ = parse(encode_frame(command))
        fields = frame[7]
        assert type(fields) is not dict
        assert tuple(fields)[:13] == (
            *("pg", "T", "TBW102", 4, 1, 0, 1_700_000_000_000, 0, b"TAGS\x01A\x02"),
            *(0, False, -1, False),
        )
        named = SendFields(*fields)
        assert (named.topic, named.queue_id, named.max_reconsume_times) == ("T", 1, -1)


def test_a_pull_comes_out_typed(parse: Parse) -> None:
    for code in (11, 361):
        (frame,), _ = parse(encode_frame(Command.request(code, dict(PULL))))
        fields = PullFields(*frame[7])
        assert (fields.group, fields.topic, fields.queue_id) == ("g", "T", 3)
        assert (fields.queue_offset, fields.count_max, fields.commit_offset) == (17, 32, 5)
        assert (fields.subscription, fields.expression_type) == ("*", "TAG")


@pytest.mark.parametrize(
    ("code", "changes"),
    [
        pytest.param(310, {"e": "one"}, id="a number that is none"),
        pytest.param(310, {"e": "2147483648"}, id="too large for 32 bits"),
        pytest.param(310, {"g": "9223372036854775808"}, id="too large for 64 bits"),
        pytest.param(310, {"e": "+1"}, id="a sign Java does not print"),
        pytest.param(310, {"e": ""}, id="an empty number"),
        pytest.param(310, {"b": None}, id="no topic"),
        pytest.param(310, {"AccessKey": "k"}, id="signed"),
        pytest.param(310, {"ns": "n"}, id="in a namespace"),
        pytest.param(11, {"queueOffset": "x"}, id="an offset that is none"),
        pytest.param(11, {"topic": None}, id="a pull of nothing"),
        pytest.param(11, {"lo": "false"}, id="of a static topic"),
    ],
)
def test_an_odd_request_keeps_its_string_map(
    code: int, changes: dict[str, str | None], parse: Parse
) -> None:
    fields = (SEND if code == 310 else PULL) | changes
    command = Command.request(code, {k: v for k, v in fields.items() if v is not None})
    (frame,), _ = parse(encode_frame(command))
    assert frame[7] == command.fields


def test_a_response_with_the_code_of_a_send_is_not_typed(parse: Parse) -> None:
    answer = Command(310, flag=1, opaque=1, fields=dict(SEND))
    (frame,), _ = parse(encode_frame(answer))
    assert frame[7] == SEND


@given(st.lists(st.sampled_from(commands()), max_size=6), st.data())
@settings(max_examples=100)
def test_any_prefix_of_a_stream_yields_its_whole_frames(
    sent: list[Command], data: st.DataObject
) -> None:
    encoded = [encode_frame(command) for command in sent]
    stream = b"".join(encoded)
    cut = data.draw(st.integers(0, len(stream)))
    ends = [sum(map(len, encoded[: n + 1])) for n in range(len(encoded))]
    whole = [end for end in ends if end <= cut]
    for parse in (parse_compiled, parse_plainly):
        frames, consumed = parse(stream[:cut])
        assert consumed == (whole[-1] if whole else 0)
        assert [frame[9] for frame in frames] == whole
        assert [frame[0] for frame in frames] == [c.code for c in sent[: len(whole)]]
        again, end = parse_rest(stream, frames, consumed, FRAME_BYTES_MAX)
        assert (len(again), end) == (len(sent), len(stream))


# Requests that differ in what the compiled parser looks at: keys, order, escapes, numbers, types.
json_values = st.one_of(
    st.sampled_from(["0", "1", "-1", "007", "-0", " 1", "1 ", "1.0", "true", "TRUE", "tru", ""]),
    st.text(max_size=6),
    st.integers(-(2**65), 2**65).map(str),
)
names = st.sampled_from([*SEND, *PULL, "bname", "ns", "AccessKey", "x", "", "\u00fc"])


@given(
    st.sampled_from([310, 320, 11, 361, 10, 12]),
    st.dictionaries(names, json_values, max_size=4),
    st.sampled_from([JSON, ROCKETMQ]),
    st.sampled_from([0, 1, 2, 3]),
    st.one_of(st.none(), st.text(max_size=4)),
)
@settings(max_examples=300)
def test_both_parsers_read_the_same(
    code: int, changes: dict[str, str], serialization: int, flag: int, remark: str | None
) -> None:
    fields = (SEND if code in (310, 320) else PULL) | changes
    command = Command(code, flag=flag, opaque=7, remark=remark, fields=fields, body=b"b")
    command.serialization = serialization
    try:
        data = encode_frame(command)
    except UnicodeEncodeError:
        return
    assert parse_compiled(data) == parse_plainly(data)


@given(st.binary(max_size=60))
def test_both_parsers_agree_on_any_bytes(data: bytes) -> None:
    outcomes = []
    for parse in (parse_compiled, parse_plainly):
        try:
            outcomes.append(repr(parse(data)))
        except (FrameTooLarge, MalformedFrame, MalformedHeader) as error:
            outcomes.append(type(error).__name__)
    assert outcomes[0] == outcomes[1]


def test_the_largest_frame_is_read_and_a_larger_one_refused_before_it_has_come(
    parse: Parse,
) -> None:
    header = encode_frame(Command.request(34))[8:]
    room = FRAME_BYTES_MAX - 8 - len(header)
    prefix = struct.pack(">iI", FRAME_BYTES_MAX - 4, len(header))
    (frame,), consumed = parse(prefix + header + bytes(room))
    assert consumed == FRAME_BYTES_MAX == frame[9]
    with pytest.raises(FrameTooLarge) as refused:
        parse(struct.pack(">i", FRAME_BYTES_MAX - 3))
    assert refused.value.frame_bytes == FRAME_BYTES_MAX + 1
    with pytest.raises(FrameTooLarge):
        parse(b"\xff\xff\xff\xff")


@pytest.mark.parametrize(
    ("data", "error"),
    [
        pytest.param(struct.pack(">i", 3), MalformedFrame, id="no room for a header word"),
        pytest.param(struct.pack(">iI", 4, 1), MalformedFrame, id="header beyond the frame"),
        pytest.param(struct.pack(">iI", 4, 0x02000000), MalformedFrame, id="unknown header type"),
        pytest.param(struct.pack(">iI", 4, 0), MalformedHeader, id="an empty JSON header"),
        pytest.param(struct.pack(">iI", 4, 1 << 24), MalformedHeader, id="an empty binary header"),
    ],
)
def test_a_contradictory_frame_is_refused(
    data: bytes, error: type[Exception], parse: Parse
) -> None:
    with pytest.raises(error):
        parse(data)


def test_how_long_a_frame_will_be_is_known_from_four_bytes() -> None:
    assert framing.bytes_needed(b"\x00\x00\x00") == 0
    assert framing.bytes_needed(b"\x00\x00\x01\x00") == 260
