"""Bodies that need no Java: bytes, text and JSON."""

from __future__ import annotations

import json
from typing import Any

from pocketmq.errors import BodyUndecodable, BodyUnencodable


class BytesCodec:
    """The body as it is. A str is sent as UTF-8, since no reader could take it otherwise."""

    name = "bytes"

    def encode(self, value: Any) -> bytes:
        """The bytes to send. Raise BodyUnencodable."""
        if isinstance(value, (bytes, bytearray, memoryview)):
            return bytes(value)
        if isinstance(value, str):
            return value.encode()
        raise BodyUnencodable(
            f"a body is bytes or str, not {type(value).__name__}; encode it yourself, or name a "
            "codec: codec='json'"
        )

    def decode(self, body: bytes) -> Any:
        """The body itself."""
        return body


class TextCodec:
    """Text in UTF-8."""

    name = "text"

    def encode(self, value: Any) -> bytes:
        """UTF-8 of a str. Raise BodyUnencodable."""
        if not isinstance(value, str):
            raise BodyUnencodable(f"the text codec takes a str, not {type(value).__name__}")
        try:
            return value.encode()
        except UnicodeEncodeError as error:
            raise BodyUnencodable(f"the text cannot be UTF-8: {error.reason}") from None

    def decode(self, body: bytes) -> Any:
        """The text. Raise BodyUndecodable when it is not UTF-8."""
        try:
            return body.decode()
        except UnicodeDecodeError as error:
            raise BodyUndecodable(f"not UTF-8 at byte {error.start}: {error.reason}") from None


class JsonCodec:
    """A JSON document in UTF-8, as short as it can be."""

    name = "json"

    def encode(self, value: Any) -> bytes:
        """The document. Raise BodyUnencodable for what JSON has no word for."""
        try:
            text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
            return text.encode()
        except (TypeError, ValueError, RecursionError) as error:
            raise BodyUnencodable(f"the value cannot be JSON: {error}") from None

    def decode(self, body: bytes) -> Any:
        """The value. Raise BodyUndecodable."""
        try:
            return json.loads(body)
        except RecursionError:
            raise BodyUndecodable("JSON nested deeper than Python reads") from None
        except ValueError as error:
            raise BodyUndecodable(f"not JSON: {error}") from None
