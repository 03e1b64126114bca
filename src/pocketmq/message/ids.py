"""Message ids: the one that says where a message lies, and the one its producer gave it.

offset message id   upper-case hex of store host (address, port i32) and log offset i64:
                    32 characters for IPv4, 56 for IPv6
unique key          upper-case hex that the producer makes: address, process, class hash,
                    milliseconds, counter; the broker only keeps it
"""

from __future__ import annotations

import ipaddress
import itertools
import os
import secrets
import struct
from dataclasses import dataclass

from pocketmq import _speedups
from pocketmq.message.positions import LogOffset

_counter = itertools.count()


@dataclass(frozen=True, slots=True)
class MessagePlace:
    """What an offset message id says: which broker, and where in its commit log."""

    host: str
    port: int
    log_offset: LogOffset


def pack_host(host: str, port: int) -> bytes:
    """Return an address as records hold it: 4 or 16 address bytes and an i32 port."""
    return ipaddress.ip_address(host).packed + port.to_bytes(4, "big")


def unpack_host(packed: bytes | memoryview) -> tuple[str, int]:
    """Return address text and port of a packed host of 8 or 20 bytes."""
    address = ipaddress.ip_address(bytes(packed[:-4]))
    return str(address), int.from_bytes(packed[-4:], "big")


def offset_message_id(store_host: bytes, log_offset: int) -> str:
    """Return the id of the record at `log_offset` of the broker at `store_host`."""
    return (store_host.hex() + f"{log_offset:016x}").upper()


def offset_message_ids_plain(store_host: bytes, log_offset: int, sizes: list[int]) -> str:
    """Return the ids of records that follow each other, with commas between."""
    ids = []
    for size in sizes:
        ids.append(offset_message_id(store_host, log_offset))
        log_offset += size
    return ",".join(ids)


def decode_offset_message_id(text: str) -> MessagePlace:
    """Return what an offset message id says. Raise ValueError for anything else."""
    if len(text) not in (32, 56):
        raise ValueError(f"{text[:64]!r} is not an offset message id of 32 or 56 hex digits")
    raw = bytes.fromhex(text)
    host, port = unpack_host(raw[:-8])
    return MessagePlace(host, port, LogOffset(int.from_bytes(raw[-8:], "big", signed=True)))


def new_unique_key(now_ms: int) -> str:
    """Return a fresh unique key of 32 hex digits, unlike any other in practice."""
    count = next(_counter) & 0xFFFF
    head = struct.pack(">IHI", _PROCESS_TOKEN, os.getpid() & 0xFFFF, _CLASS_TOKEN)
    return (head + struct.pack(">IH", now_ms & 0xFFFFFFFF, count)).hex().upper()


_PROCESS_TOKEN = secrets.randbits(32)
_CLASS_TOKEN = secrets.randbits(32)


if _speedups.has("answers"):
    from pocketmq._speedups.answers import message_ids as offset_message_ids
else:
    offset_message_ids = offset_message_ids_plain

__all__ = [
    "MessagePlace",
    "decode_offset_message_id",
    "new_unique_key",
    "offset_message_id",
    "offset_message_ids",
    "pack_host",
    "unpack_host",
]
