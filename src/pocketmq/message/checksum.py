"""The CRC-32 of zlib over a whole buffer."""

from __future__ import annotations

import mmap
import zlib

from pocketmq import _speedups


def crc32_plain(data: bytes | bytearray | memoryview | mmap.mmap) -> int:
    """Return the checksum, not yet cut to the 31 bits that records keep."""
    return zlib.crc32(data)


if _speedups.has("crc"):
    from pocketmq._speedups.crc import crc32 as crc32
else:
    crc32 = crc32_plain
