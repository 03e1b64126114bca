"""Compressed bodies come out as they went in, or say why not."""

from __future__ import annotations

import importlib.util
import sys
import zlib

import pytest

from pocketmq.client.compression import Compression, compressor, decompress
from pocketmq.errors import BodyUndecodable, ConfigError
from pocketmq.message.flags import COMPRESSED, COMPRESSION_ZLIB

BODY = b"pocketmq " * 1000
HAS_LZ4 = importlib.util.find_spec("lz4") is not None
HAS_ZSTD = sys.version_info >= (3, 14) or any(
    importlib.util.find_spec(name) is not None
    for name in ("zstandard", "backports.zstd")
    if importlib.util.find_spec(name.partition(".")[0]) is not None
)


@pytest.mark.parametrize(
    "kind",
    [
        "zlib",
        pytest.param("lz4", marks=pytest.mark.skipif(not HAS_LZ4, reason="pip install lz4")),
        pytest.param(
            "zstd", marks=pytest.mark.skipif(not HAS_ZSTD, reason="pip install backports.zstd")
        ),
    ],
)
def test_what_goes_in_comes_out(kind: Compression) -> None:
    compress, flag = compressor(kind, 5)
    squeezed = compress(BODY)
    assert len(squeezed) < len(BODY) / 10
    assert decompress(squeezed, flag) == BODY
    assert decompress(memoryview(squeezed), flag) == BODY
    with pytest.raises(BodyUndecodable):
        decompress(squeezed[:-8], flag)
    with pytest.raises(BodyUndecodable):
        decompress(b"nonsense", flag)


@pytest.mark.parametrize(
    "kind",
    [
        "zlib",
        pytest.param("lz4", marks=pytest.mark.skipif(not HAS_LZ4, reason="pip install lz4")),
        pytest.param(
            "zstd", marks=pytest.mark.skipif(not HAS_ZSTD, reason="pip install backports.zstd")
        ),
    ],
)
def test_a_body_that_would_grow_without_bound_is_refused(kind: Compression) -> None:
    compress, flag = compressor(kind, 5)
    bomb = compress(bytes(1_000_000))
    assert len(bomb) < 10_000
    with pytest.raises(BodyUndecodable, match="would grow beyond 900000 bytes"):
        decompress(bomb, flag, 900_000)
    assert len(decompress(bomb, flag, 1_000_000)) == 1_000_000


def test_old_clients_mark_zlib_with_no_type_at_all() -> None:
    assert decompress(zlib.compress(BODY), COMPRESSED) == BODY
    assert decompress(zlib.compress(BODY), COMPRESSED | COMPRESSION_ZLIB) == BODY


def test_an_unknown_compression_is_told() -> None:
    with pytest.raises(BodyUndecodable, match="unknown way"):
        decompress(b"x", COMPRESSED | 0x400)
    with pytest.raises(ConfigError, match="say zlib, lz4, zstd or none"):
        compressor("snappy", 1)  # type: ignore[arg-type]


@pytest.mark.skipif(HAS_ZSTD, reason="zstd is installed here")
def test_a_missing_package_is_named() -> None:
    with pytest.raises(ConfigError, match=r"pip install backports\.zstd"):
        compressor("zstd", 1)
    with pytest.raises(BodyUndecodable, match=r"pip install backports\.zstd"):
        decompress(b"x", COMPRESSED | 0x200)
