"""Bodies as values: bytes, text, JSON, Java serialization, Hessian 2, and codecs of your own.

Names are loaded when they are first used: who sends bytes needs no reader of Java.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

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

_HOMES = {
    "BytesCodec": "plain",
    "Codec": "registry",
    "Codecs": "registry",
    "DecodeLimits": "bounds",
    "Decoded": "registry",
    "HessianCodec": "java",
    "JavaArray": "java_values",
    "JavaByte": "java_values",
    "JavaChar": "java_values",
    "JavaCodec": "java",
    "JavaEnum": "java_values",
    "JavaFloat": "java_values",
    "JavaLong": "java_values",
    "JavaObject": "java_values",
    "JavaShort": "java_values",
    "JsonCodec": "plain",
    "TextCodec": "plain",
}

__all__ = [*_HOMES]


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{home}"), name)
    globals()[name] = value
    return value
