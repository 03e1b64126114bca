"""Which codec a body is for: the one its message names, else its topic's, else the default.

A producer names the codec in the property CONTENT_TYPE when a call chose another than the topic's.
A body that cannot be decoded is handed over as it came, with the reason.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol

from pocketmq.errors import BodyUndecodable, ConfigError

CONTENT_TYPE: Final = "CONTENT_TYPE"

ALIASES: Final = {
    "application/json": "json",
    "text/plain": "text",
    "application/octet-stream": "bytes",
    "application/x-java-serialized-object": "java",
    "application/x-hessian": "hessian",
    "x-application/hessian": "hessian",
}


class Codec(Protocol):
    """Turns values into bodies and back. Any object with these is one: Avro, protobuf, yours.

    `encode` raises BodyUnencodable and `decode` BodyUndecodable, or whatever error it likes: that
    becomes the reason. `decode` gets bytes from anybody, so it must not run what they say.
    """

    @property
    def name(self) -> str:
        """What messages call it in their CONTENT_TYPE."""
        ...

    def encode(self, value: Any) -> bytes:
        """The body of a value."""
        ...

    def decode(self, body: bytes) -> Any:
        """The value of a body."""
        ...


@dataclass(frozen=True, slots=True)
class Decoded:
    """A body's value, or the body itself and why it has none."""

    value: Any
    codec: str
    """The name of the codec that was asked."""
    problem: BodyUndecodable | None = None


class Codecs:
    """The codecs of a producer or consumer.

    >>> codecs = Codecs({"orders": "json"})
    >>> codecs.encode("orders", {"id": 7})
    (b'{"id":7}', {})
    >>> codecs.encode("other", {"id": 7}, codec="json")
    (b'{"id":7}', {'CONTENT_TYPE': 'json'})
    >>> codecs.decode("other", b'{"id":7}', {"CONTENT_TYPE": "json"}).value
    {'id': 7}
    """

    def __init__(
        self,
        topics: Mapping[str, str | Codec] | None = None,
        *,
        default: str | Codec = "bytes",
        more: Iterable[Codec] = (),
        property_name: str = CONTENT_TYPE,
    ) -> None:
        """`topics` and `default` take a codec or its name; `more` adds codecs to choose by name.

        Raise ConfigError for an unknown name.
        """
        self._named: dict[str, Codec] = {}
        self.property_name = property_name
        for codec in more:
            self._named[codec.name] = codec
        self._default = self._chosen(default)
        self._topics = {topic: self._chosen(codec) for topic, codec in (topics or {}).items()}

    def encode(
        self, topic: str, value: object, codec: str | Codec | None = None
    ) -> tuple[bytes, Mapping[str, str]]:
        """The body of a value, and the properties that tell others which codec made it.

        Raise BodyUnencodable, which says what to send instead.
        """
        usual = self._topics.get(topic, self._default)
        chosen = usual if codec is None else self._chosen(codec)
        return chosen.encode(value), {} if chosen is usual else {self.property_name: chosen.name}

    def decode(self, topic: str, body: bytes, properties: Mapping[str, str]) -> Decoded:
        """The value of a body; the body itself and the reason when it cannot be decoded."""
        named = properties.get(self.property_name)
        codec = self._topics.get(topic, self._default)
        if named:
            found = self._find(named)
            if found is None and codec is self._default:
                return Decoded(
                    body, named, BodyUndecodable(_unknown(named, "the message names is"))
                )
            codec = found or codec
        try:
            return Decoded(codec.decode(body), codec.name)
        except BodyUndecodable as error:
            return Decoded(body, codec.name, error)
        except Exception as error:  # noqa: BLE001 - a codec of the user's may raise anything
            problem = BodyUndecodable(f"the codec {codec.name} failed: {error!r}")
            problem.__cause__ = error
            return Decoded(body, codec.name, problem)

    def _chosen(self, codec: str | Codec) -> Codec:
        if not isinstance(codec, str):
            self._named.setdefault(codec.name, codec)
            return codec
        found = self._find(codec)
        if found is None:
            raise ConfigError(_unknown(codec, "asked for is"))
        return found

    def _find(self, name: str) -> Codec | None:
        plain = name.split(";")[0].strip().lower()
        known = self._named.get(name) or self._named.get(plain)
        if known is not None:
            return known
        make = _BUILT_IN.get(ALIASES.get(plain, plain))
        if make is None:
            return None
        made = make()
        return self._named.setdefault(made.name, made)


def codecs_of(given: Codecs | Codec | str | None) -> Codecs | None:
    """The codecs that `codec=` of a consumer means: several, or one for all topics.

    Raise ConfigError for an unknown name.
    """
    return given if given is None or isinstance(given, Codecs) else Codecs(default=given)


def _bytes() -> Codec:
    from pocketmq.client.codecs.plain import BytesCodec

    return BytesCodec()


def _text() -> Codec:
    from pocketmq.client.codecs.plain import TextCodec

    return TextCodec()


def _json() -> Codec:
    from pocketmq.client.codecs.plain import JsonCodec

    return JsonCodec()


def _java() -> Codec:
    from pocketmq.client.codecs.java import JavaCodec

    return JavaCodec()


def _hessian() -> Codec:
    from pocketmq.client.codecs.java import HessianCodec

    return HessianCodec()


# Built when first named, so that who sends bytes does not load a reader of Java.
_BUILT_IN: Final[dict[str, Callable[[], Codec]]] = {
    "bytes": _bytes,
    "text": _text,
    "json": _json,
    "java": _java,
    "hessian": _hessian,
}


def _unknown(name: str, who: str) -> str:
    known = ", ".join(_BUILT_IN)
    return (
        f"the codec {name[:80]!r} {who} unknown; there are {known}, and those given with "
        "Codecs(more=[...])"
    )
