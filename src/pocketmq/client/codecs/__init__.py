"""Bodies as values: bytes, text, JSON, Java serialization, Hessian 2, and codecs of your own."""

from __future__ import annotations

from pocketmq.client.codecs.bounds import DecodeLimits
from pocketmq.client.codecs.java import HessianCodec, JavaCodec
from pocketmq.client.codecs.java_values import (
    JavaArray,
    JavaByte,
    JavaChar,
    JavaEnum,
    JavaFloat,
    JavaLong,
    JavaObject,
    JavaShort,
)
from pocketmq.client.codecs.plain import BytesCodec, JsonCodec, TextCodec
from pocketmq.client.codecs.registry import Codec, Codecs, Decoded

__all__ = [
    "BytesCodec",
    "Codec",
    "Codecs",
    "DecodeLimits",
    "Decoded",
    "HessianCodec",
    "JavaArray",
    "JavaByte",
    "JavaChar",
    "JavaCodec",
    "JavaEnum",
    "JavaFloat",
    "JavaLong",
    "JavaObject",
    "JavaShort",
    "JsonCodec",
    "TextCodec",
]
