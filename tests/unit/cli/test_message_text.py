"""A message as commands show it, whatever its body is."""

from __future__ import annotations

import json

from pocketmq.cli.message_text import body_line, body_page, message_fields, message_json
from pocketmq.client.messages import ReceivedMessage
from pocketmq.message.flags import COMPRESSED
from pocketmq.message.ids import pack_host
from pocketmq.message.properties import encode_properties


def message(body: bytes, sys_flag: int = 0, **properties: str) -> ReceivedMessage:
    host = pack_host("10.0.0.1", 10911)
    raw = encode_properties(properties).encode()
    return ReceivedMessage(
        "orders", "broker-a", 3, 4711, 99, 0, sys_flag, 0, 1000, host, 1500, host, 2, 0, body, raw
    )


def test_a_body_in_one_line() -> None:
    assert body_line(message(b"two\npizzas\x1b[31m")) == r"two\npizzas\x1b[31m"
    assert body_line(message("世界".encode())) == "世界"
    assert body_line(message(b"x" * 300)) == "x" * 200 + "…"
    assert body_line(message("世".encode() * 300)) == "世" * 200 + "…"
    assert body_line(message(b"\x00\xff")) == "2 B of binary: 00 ff"
    assert body_line(message(b"x" * 799 + "世".encode() * 9)) == "x" * 200 + "…"


def test_a_body_as_a_page() -> None:
    assert body_page(message(b'{"b": [1, "\xe4\xb8\x96"]}')).splitlines() == [
        "{",
        '  "b": [',
        "    1,",
        '    "世"',
        "  ]",
        "}",
    ]
    assert body_page(message(b"{not json\tx\n\x1b[31m")) == "{not json   x\n\\x1b[31m"
    assert body_page(message(b"")) == ""
    assert body_page(message(b"\x00\xffab")).startswith("00000000  00 ff 61 62")
    page = body_page(message(b"x" * 70_000))
    assert page.endswith("\n… 4.4 KiB more; --body prints all of it")


def test_a_body_that_cannot_be_decompressed_is_shown_as_it_is() -> None:
    assert body_line(message(b"\x00\xff", COMPRESSED)) == "2 B of binary: 00 ff"


def test_a_message_for_scripts_and_for_people() -> None:
    told = message_json(message(b"pizza", KEYS="42 43", TAGS="new", UNIQ_KEY="ABC", size="xl"))
    assert json.loads(json.dumps(told))["keys"] == ["42", "43"]
    assert (told["message_id"], told["body"], told["attempt"]) == ("ABC", "pizza", 3)
    assert "body_base64" not in told
    assert message_json(message(b"\xff"))["body_base64"] == "/w=="
    fields = dict(message_fields(message(b"pizza", TAGS="new", size="xl")))
    assert fields["queue"] == "broker-a:3, offset 4711"
    assert (fields["size"], fields["tag"], fields["tries before"]) == ("xl", "new", 2)
    assert str(fields["stored"]).endswith("after 500 ms")
