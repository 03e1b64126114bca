"""Bodies squeezed by the producer and restored by the consumer; brokers keep them as they are.

zlib is always there. lz4 (frame format) and zstd are used when their packages are installed:
`pip install lz4`, and for zstd Python 3.14 or `pip install backports.zstd` (or `zstandard`).
"""

from __future__ import annotations

import importlib
import zlib
from collections.abc import Callable
from functools import cache
from typing import Any, Final, Literal, NoReturn

from pocketmq.errors import BodyUndecodable, ConfigError
from pocketmq.message.flags import (
    COMPRESSED,
    COMPRESSION_LZ4,
    COMPRESSION_MASK,
    COMPRESSION_ZLIB,
    COMPRESSION_ZSTD,
)

Compression = Literal["zlib", "lz4", "zstd", "none"]
Compress = Callable[[bytes], bytes]

BODY_BYTES_MAX: Final = 256 * 1024 * 1024
"""What a body may grow to when decompressed."""

_PIECE_BYTES: Final = 1024

_FLAGS: Final = {"zlib": COMPRESSION_ZLIB, "lz4": COMPRESSION_LZ4, "zstd": COMPRESSION_ZSTD}
_INSTALL: Final = {"lz4": "pip install lz4", "zstd": "pip install backports.zstd"}


def compressor(kind: Compression, level: int) -> tuple[Compress, int]:
    """The function that compresses a body, and the flag bits that say so.

    Raise ConfigError for an unknown kind, or one whose package is not installed.
    """
    if kind == "zlib":
        return (lambda body: zlib.compress(body, level)), COMPRESSED | COMPRESSION_ZLIB
    if kind not in _FLAGS:
        raise ConfigError(f"compression {kind!r} is unknown; say zlib, lz4, zstd or none")
    flag = COMPRESSED | _FLAGS[kind]
    module = _module(kind)
    if module is None:
        raise ConfigError(f"compression {kind} needs a package; {_INSTALL[kind]}, or use zlib")
    if kind == "lz4":
        return (lambda body: bytes(module.compress(body, compression_level=level))), flag
    if hasattr(module, "ZstdCompressor") and not hasattr(module, "CompressionParameter"):
        return (lambda body: bytes(module.ZstdCompressor(level=level).compress(body))), flag
    return (lambda body: bytes(module.compress(body, level=level))), flag


def decompress(body: bytes | memoryview, sys_flag: int, bytes_max: int = BODY_BYTES_MAX) -> bytes:
    """The body that was compressed as `sys_flag` says. Raise BodyUndecodable."""
    kind = sys_flag & COMPRESSION_MASK
    try:
        if kind in (0, COMPRESSION_ZLIB):
            return _inflate(body, bytes_max)
        name = "lz4" if kind == COMPRESSION_LZ4 else "zstd" if kind == COMPRESSION_ZSTD else ""
        if not name:
            raise BodyUndecodable(f"it is compressed in an unknown way (flag {kind:#x})")
        module = _module(name)
        if module is None:
            raise BodyUndecodable(f"it is compressed with {name}; {_INSTALL[name]}")
        return _expanded(module, name, bytes(body), bytes_max)
    except BodyUndecodable:
        raise
    except Exception as error:  # each package has errors of its own
        raise BodyUndecodable(f"it does not decompress: {error}") from error


def _inflate(body: bytes | memoryview, bytes_max: int) -> bytes:
    expander = zlib.decompressobj()
    data = expander.decompress(body, bytes_max)
    if not expander.eof:
        _refuse(bytes_max, is_cut_short=not expander.unconsumed_tail)
    return data


def _expanded(module: Any, name: str, body: bytes, bytes_max: int) -> bytes:
    if hasattr(module, "ZstdCompressionParameters"):
        return _expanded_by_zstandard(module, body, bytes_max)
    kind = module.LZ4FrameDecompressor if name == "lz4" else module.ZstdDecompressor
    expander = kind()
    data = bytes(expander.decompress(body, bytes_max))
    if not expander.eof:
        _refuse(bytes_max, is_cut_short=expander.needs_input)
    return data


def _expanded_by_zstandard(module: Any, body: bytes, bytes_max: int) -> bytes:
    """The package zstandard cannot bound its output, so it gets its input in small pieces."""
    expander = module.ZstdDecompressor().decompressobj()
    parts, size = [], 0
    for start in range(0, len(body), _PIECE_BYTES):
        parts.append(expander.decompress(body[start : start + _PIECE_BYTES]))
        size += len(parts[-1])
        if size > bytes_max:
            _refuse(bytes_max, is_cut_short=False)
    if not expander.eof:
        _refuse(bytes_max, is_cut_short=True)
    return b"".join(parts)


def _refuse(bytes_max: int, *, is_cut_short: bool) -> NoReturn:
    if is_cut_short:
        raise BodyUndecodable("its compressed form is cut short")
    raise BodyUndecodable(f"it would grow beyond {bytes_max} bytes")


@cache
def _module(kind: str) -> Any:
    """The module that speaks this format, or None."""
    names = ("lz4.frame",) if kind == "lz4" else _ZSTD_MODULES
    for name in names:
        try:
            return importlib.import_module(name)
        except ImportError:
            continue
    return None


_ZSTD_MODULES: Final = ("compression.zstd", "backports.zstd", "zstandard")
