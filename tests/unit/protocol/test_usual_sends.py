"""Sends that match the usual pattern are read as the general way reads them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pocketmq.errors import ProtocolError
from pocketmq.protocol import framing
from pocketmq.protocol.command import Command
from pocketmq.protocol.framing import Frame, encode_frame, parse_one, scan_frames_plain
from pocketmq.protocol.usual_sends import read_usual_send

FRAME_BYTES_MAX = 1 << 20
FIELDS = {
    "a": "producers", "b": "%RETRY%orders", "c": "TBW102", "d": "4", "e": "3", "f": "0",
    "g": "1700000000000", "h": "7", "i": "UNIQ_KEY\x017F000001\x02KEYS\x01a b\x02", "j": "0",
    "k": "false", "l": "16", "m": "false", "n": "broker-a",
}  # fmt: skip

_odd_texts = st.sampled_from(
    ("", "0", "-1", "-0", "007", "1e3", "2147483647", "2147483648", "99999999999999999999", "٣",
     "true", "TRUE", "Größe", 'quo"te', "back\\slash", "\\u0001", "a\x01b\x02", "x\x7f", "tab\t")
)  # fmt: skip
_changes = st.dictionaries(st.sampled_from(sorted(FIELDS)), _odd_texts | st.none(), max_size=3)


def frame(opaque: int, changes: dict[str, str | None], **head: Any) -> bytes:
    fields = {key: value for key, value in {**FIELDS, **changes}.items() if value is not None}
    command = Command(head.pop("code", 310), opaque=opaque, fields=fields, body=b"body", **head)
    return encode_frame(command)


def general(data: bytes) -> Frame | None:
    try:
        return parse_one(data, 0, FRAME_BYTES_MAX)
    except ProtocolError:
        return None


def test_the_usual_send_of_a_client_matches() -> None:
    data = frame(1_000_000_000, {})
    ((code, opaque, *_, fields, start, end),), position = scan_frames_plain(
        data, 0, FRAME_BYTES_MAX
    )
    assert (code, opaque, data[start:end], position) == (310, 1_000_000_000, b"body", len(data))
    assert isinstance(fields, tuple)
    assert fields[1:5] == ("%RETRY%orders", "TBW102", 4, 3)
    assert fields[8] == FIELDS["i"].encode()


@pytest.mark.parametrize("absent", ["j", "k", "l", "m", "n"])
def test_what_older_clients_leave_out_may_be_absent(absent: str) -> None:
    data = frame(1, {absent: None})
    assert scan_frames_plain(data, 0, FRAME_BYTES_MAX) == ([general(data)], len(data))


@given(
    changes=_changes,
    opaque=st.sampled_from((0, 1, 1_000_000_000, 0x7FFFFFFF, -1)),
    code=st.sampled_from((310, 320, 11)),
    flag=st.sampled_from((0, 1, 2, 3)),
    language=st.sampled_from((None, 0, 3, 12)),
    version=st.sampled_from((0, 479, 70_000)),
)
def test_whatever_matches_is_read_as_the_general_way_reads_it(
    changes: dict[str, str | None], opaque: int, code: int, flag: int, language: int, version: int
) -> None:
    data = frame(opaque, changes, code=code, flag=flag, language=language, version=version)
    frames, position = scan_frames_plain(data, 0, FRAME_BYTES_MAX)
    if frames:
        assert position == len(data)
        assert frames == [general(data)]


@given(cut=st.integers(0, 600), put=st.binary(max_size=2), at=st.integers(8, 330))
def test_damaged_sends_are_never_read_otherwise(cut: int, put: bytes, at: int) -> None:
    data = frame(5, {})
    data = data[:at] + put + data[at + len(put) :]
    frames, _ = scan_frames_plain(data[: cut or None], 0, FRAME_BYTES_MAX)
    if frames:
        assert frames == [general(data[: cut or None])]


def test_frames_behind_a_bound_or_an_odd_one_are_left() -> None:
    usual, odd = frame(1, {}), frame(2, {"b": "Größe"})
    data = usual * 2 + odd + usual
    frames, position = scan_frames_plain(data, 0, FRAME_BYTES_MAX)
    assert (len(frames), position) == (2, 2 * len(usual))
    assert scan_frames_plain(usual, 0, len(usual) - 1) == ([], 0)
    assert framing.parse_frames(data)[1] == len(data)
    assert read_usual_send(b"", 0, 0) is None
