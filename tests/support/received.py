"""Received messages made by hand, and the stored records of which clients make them."""

from __future__ import annotations

from pocketmq.client.messages import ReceivedMessage
from pocketmq.message.properties import encode_properties
from pocketmq.message.record import magic_of_topic, write_record

HOST = b"\x7f\x00\x00\x01\x00\x00\x1f\x90"
HOST_V6 = bytes(15) + b"\x01\x00\x00\x1f\x90"


def received(
    queue_offset: int,
    body: bytes = b"body",
    *,
    topic: str = "T",
    attempt: int = 1,
    **properties: str,
) -> ReceivedMessage:
    """A message of queue 0 of a broker called b."""
    return ReceivedMessage(
        topic, "b", 0, queue_offset, queue_offset * 100, 0, 0, 0, 1_700_000_000_000, HOST,
        1_700_000_000_001, HOST, attempt - 1, 0, body, encode_properties(properties).encode(),
    )  # fmt: skip


def record(
    queue_offset: int,
    body: bytes = b"body",
    *,
    topic: str = "T",
    sys_flag: int = 0,
    born_host: bytes = HOST,
    store_host: bytes = HOST,
    **properties: str,
) -> bytes:
    """A stored message."""
    room = bytearray(len(body) + 2000)
    size = write_record(
        room, 0, len(room), queue_offset * 1000, queue_offset, 1_700_000_000_001,
        magic_of_topic(topic), 3, 7, sys_flag, 1_700_000_000_000, born_host, store_host, 2, 99,
        body, 12345, topic.encode(), encode_properties(properties).encode(),
    )  # fmt: skip
    assert size > 0
    return bytes(room[:size])
