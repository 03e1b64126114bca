"""The bits of a message's system flag (SYSFLAG in the record)."""

from __future__ import annotations

COMPRESSED = 0x1
MULTI_TAGS = 0x2
TRANSACTION_NONE = 0x0
TRANSACTION_PREPARED = 0x4
TRANSACTION_COMMIT = 0x8
TRANSACTION_ROLLBACK = 0xC
TRANSACTION_MASK = 0xC
BORN_HOST_V6 = 0x10
STORE_HOST_V6 = 0x20
NEEDS_UNWRAP = 0x40
INNER_BATCH = 0x80
COMPRESSION_LZ4 = 0x100
COMPRESSION_ZSTD = 0x200
COMPRESSION_ZLIB = 0x300
COMPRESSION_MASK = 0x700


def transaction_kind(sys_flag: int) -> int:
    """Return one of the four TRANSACTION_ values."""
    return sys_flag & TRANSACTION_MASK


def with_transaction_kind(sys_flag: int, kind: int) -> int:
    """Return the flag with its transaction bits replaced."""
    return sys_flag & ~TRANSACTION_MASK | kind
