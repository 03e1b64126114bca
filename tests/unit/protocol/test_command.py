"""The envelope: what a request and its answer have in common."""

from __future__ import annotations

import pytest

from pocketmq.protocol import command as command_module
from pocketmq.protocol.command import JSON, ROCKETMQ, Command, next_opaque


def test_requests_are_numbered_differently() -> None:
    first, second = Command.request(10), Command.request(10)
    assert first.opaque != second.opaque
    assert not first.is_response and not first.is_oneway
    assert Command.request(10, oneway=True).is_oneway


def test_numbers_stay_in_31_bits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command_module, "_opaques", iter([0x7FFFFFFF, 0x80000000, 0x80000001]))
    assert [next_opaque() for _ in range(3)] == [0x7FFFFFFF, 0, 1]


@pytest.mark.parametrize("serialization", [JSON, ROCKETMQ])
def test_an_answer_has_the_number_and_encoding_of_its_request(serialization: int) -> None:
    request = Command(11, opaque=-5, flag=0, serialization=serialization, fields={"a": "b"})
    answer = request.reply(17, "no such topic", {"x": "y"}, b"body")
    assert (answer.code, answer.opaque, answer.serialization) == (17, -5, serialization)
    assert answer.is_response and not answer.is_oneway
    assert (answer.remark, answer.fields, answer.body) == ("no such topic", {"x": "y"}, b"body")


def test_an_answer_without_fields_does_not_share_them() -> None:
    request = Command.request(10)
    request.reply().fields["a"] = "b"
    assert request.reply().fields == {}


def test_a_command_is_shown_without_its_content() -> None:
    request = Command.request(10, {"secret": "value"}, b"12345")
    request.opaque = 7
    assert repr(request) == "<request code=10 opaque=7 fields=['secret'] body=5B>"
    assert repr(request.reply()) == "<response code=0 opaque=7 fields=[] body=0B>"
