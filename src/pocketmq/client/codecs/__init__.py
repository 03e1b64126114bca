"""Bodies as values: bytes, text, JSON, Java serialization, Hessian 2, and codecs of your own.

Names are loaded when they are first used: who sends bytes needs no reader of Java.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pocketmq.lazy import loader

if TYPE_CHECKING:
    from pocketmq.client.codecs.bounds import DecodeLimits as DecodeLimits
    from pocketmq.client.codecs.java import HessianCodec as HessianCodec
    from pocketmq.client.codecs.java import JavaCodec as JavaCodec
    from pocketmq.client.codecs.java_values import JavaArray as JavaArray
    from pocketmq.client.codecs.java_values import JavaByte as JavaByte
    from pocketmq.client.codecs.java_values import JavaChar as JavaChar
    from pocketmq.client.codecs.java_values import JavaEnum as JavaEnum
    from pocketmq.client.codecs.java_values import JavaFloat as JavaFloat
    from pocketmq.client.codecs.java_values import JavaLong as JavaLong
    from pocketmq.client.codecs.java_values import JavaObject as JavaObject
    from pocketmq.client.codecs.java_values import JavaShort as JavaShort
    from pocketmq.client.codecs.plain import BytesCodec as BytesCodec
    from pocketmq.client.codecs.plain import JsonCodec as JsonCodec
    from pocketmq.client.codecs.plain import TextCodec as TextCodec
    from pocketmq.client.codecs.registry import Codec as Codec
    from pocketmq.client.codecs.registry import Codecs as Codecs
    from pocketmq.client.codecs.registry import Decoded as Decoded

_PLACES = {
    "BytesCodec": "pocketmq.client.codecs.plain",
    "Codec": "pocketmq.client.codecs.registry",
    "Codecs": "pocketmq.client.codecs.registry",
    "DecodeLimits": "pocketmq.client.codecs.bounds",
    "Decoded": "pocketmq.client.codecs.registry",
    "HessianCodec": "pocketmq.client.codecs.java",
    "JavaArray": "pocketmq.client.codecs.java_values",
    "JavaByte": "pocketmq.client.codecs.java_values",
    "JavaChar": "pocketmq.client.codecs.java_values",
    "JavaCodec": "pocketmq.client.codecs.java",
    "JavaEnum": "pocketmq.client.codecs.java_values",
    "JavaFloat": "pocketmq.client.codecs.java_values",
    "JavaLong": "pocketmq.client.codecs.java_values",
    "JavaObject": "pocketmq.client.codecs.java_values",
    "JavaShort": "pocketmq.client.codecs.java_values",
    "JsonCodec": "pocketmq.client.codecs.plain",
    "TextCodec": "pocketmq.client.codecs.plain",
}

__all__ = [*_PLACES]


if not TYPE_CHECKING:
    __getattr__ = loader(__name__, _PLACES)
