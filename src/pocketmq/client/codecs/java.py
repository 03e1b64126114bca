"""The codecs of Java's two ways to write objects, over their readers and writers."""

from __future__ import annotations

from typing import Any

from pocketmq.client.codecs.bounds import DecodeLimits
from pocketmq.client.codecs.hessian_reader import read_hessian
from pocketmq.client.codecs.hessian_writer import write_hessian
from pocketmq.client.codecs.java_reader import read_java
from pocketmq.client.codecs.java_writer import write_java


class JavaCodec:
    """Java serialization: what ObjectOutputStream writes and ObjectInputStream reads.

    >>> codec = JavaCodec()
    >>> codec.decode(codec.encode({"id": 7, "lines": ["a", "b"]}))
    {'id': 7, 'lines': ['a', 'b']}
    """

    name = "java"

    def __init__(self, limits: DecodeLimits | None = None) -> None:
        self._limits = limits or DecodeLimits()

    def encode(self, value: Any) -> bytes:
        """The stream of one object. Raise BodyUnencodable."""
        return write_java(value)

    def decode(self, body: bytes) -> Any:
        """The one object of a stream. Raise BodyUndecodable."""
        return read_java(body, self._limits)


class HessianCodec:
    """Hessian 2: what Hessian2Output writes and Hessian2Input reads.

    >>> codec = HessianCodec()
    >>> codec.decode(codec.encode(["a", 1, True, None]))
    ['a', 1, True, None]
    """

    name = "hessian"

    def __init__(self, limits: DecodeLimits | None = None) -> None:
        self._limits = limits or DecodeLimits()

    def encode(self, value: Any) -> bytes:
        """The bytes of one value. Raise BodyUnencodable."""
        return write_hessian(value)

    def decode(self, body: bytes) -> Any:
        """The one value of a body. Raise BodyUndecodable."""
        return read_hessian(body, self._limits)
