"""Bodies as people read them: text, JSON, hexadecimal, Java's serialization, Hessian.

Nothing in a body is ever run or trusted: each view is a text, and reading is bounded.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pocketmq.client.codecs import HessianCodec, JavaArray, JavaCodec, JavaEnum, JavaObject
from pocketmq.client.messages import ReceivedMessage
from pocketmq.errors import BodyUndecodable, PocketMQError
from pocketmq.message.flags import COMPRESSED

SHOWN_BYTES_MAX = 256 * 1024
HEX_BYTES_MAX = 16 * 1024
DECODED_BYTES_MAX = 1024 * 1024
PREVIEW_CHARS_MAX = 200
_DEPTH_MAX = 24
_ITEMS_MAX = 2000
_JAVA_MAGIC = b"\xac\xed\x00\x05"
_PLAIN_CONTROLS = frozenset("\t\n\r")


@dataclass(frozen=True, slots=True)
class Views:
    """One body in several forms; null: it is not of this form."""

    text: str | None
    json: str | None
    hex: str
    java: str | None
    hessian: str | None


@dataclass(frozen=True, slots=True)
class BodyPicture:
    """A body. Beyond 256 KiB `base64` and the views are cut; the attachment is whole."""

    size: int
    base64: str
    cut: bool
    compressed: bool
    problem: str | None
    """Why it is shown as it was stored, for example because it cannot be decompressed."""
    guess: str
    views: Views


def body_of(message: ReceivedMessage) -> tuple[bytes, str | None]:
    """The body, decompressed where that is possible, and why it is not."""
    try:
        return bytes(message.body), None
    except BodyUndecodable as error:
        return bytes(message.raw_body), str(error)


def picture_of(message: ReceivedMessage) -> BodyPicture:
    """The body of a message, in all its forms."""
    body, problem = body_of(message)
    shown = body[:SHOWN_BYTES_MAX]
    cut = len(body) > len(shown)
    views = Views(
        _text(shown, cut=cut), _json(body, cut=cut), hex_dump(body), _java(body), _hessian(body)
    )
    return BodyPicture(
        len(body),
        base64.b64encode(shown).decode(),
        cut,
        bool(message.sys_flag & COMPRESSED),
        problem,
        _guess(views),
        views,
    )


def preview_of(message: ReceivedMessage) -> str | None:
    """How the body begins, when it is text."""
    body, _ = body_of(message)
    text = _text(body[: PREVIEW_CHARS_MAX * 4], cut=len(body) > PREVIEW_CHARS_MAX * 4)
    return text[:PREVIEW_CHARS_MAX] if text is not None else None


def hex_dump(body: bytes) -> str:
    """Lines of offset, sixteen bytes and their characters."""
    lines = []
    for at in range(0, min(len(body), HEX_BYTES_MAX), 16):
        row = body[at : at + 16]
        shown = "".join(chr(byte) if 32 <= byte < 127 else "." for byte in row)
        lines.append(f"{at:08x}  {row.hex(' '):<47}  {shown}")
    if len(body) > HEX_BYTES_MAX:
        lines.append(f"… {len(body) - HEX_BYTES_MAX} more bytes")
    return "\n".join(lines)


def _text(body: bytes, *, cut: bool) -> str | None:
    """The body as UTF-8, when it is that and has no control characters."""
    for missing in range(4 if cut else 1):  # a cut may go through a character
        try:
            text = body[: len(body) - missing].decode()
        except UnicodeDecodeError:
            continue
        odd = any(char < " " and char not in _PLAIN_CONTROLS for char in text)
        return None if odd else text
    return None


def _json(body: bytes, *, cut: bool) -> str | None:
    if cut or body[:1] not in (b"{", b"[", b" ", b"\n", b'"'):
        return None
    try:
        return json.dumps(json.loads(body), indent=2, ensure_ascii=False)
    except (ValueError, RecursionError):
        return None


def _java(body: bytes) -> str | None:
    if not body.startswith(_JAVA_MAGIC) or len(body) > DECODED_BYTES_MAX:
        return None
    return _decoded(JavaCodec(), body)


def _hessian(body: bytes) -> str | None:
    """Any byte is a number in Hessian, so text is not tried."""
    if not body or len(body) > DECODED_BYTES_MAX or body.startswith(_JAVA_MAGIC):
        return None
    if _text(body, cut=False) is not None:
        return None
    return _decoded(HessianCodec(), body)


def _decoded(codec: JavaCodec | HessianCodec, body: bytes) -> str | None:
    try:
        value = codec.decode(body)
    except (PocketMQError, ValueError, RecursionError):
        return None
    return json.dumps(_Tree().plain(value, 0), indent=2, ensure_ascii=False)[:SHOWN_BYTES_MAX]


class _Tree:
    """Turns Java's values into JSON's, without end in neither depth nor number."""

    def __init__(self) -> None:
        self._left = _ITEMS_MAX

    def plain(self, value: Any, depth: int) -> Any:
        """One value. What holds itself ends at the depth that is shown."""
        self._left -= 1
        if self._left < 0 or depth > _DEPTH_MAX:
            return "…"
        if value is None or isinstance(value, (bool, int, float)):
            return value
        if isinstance(value, str):
            return str(value)
        if isinstance(value, (bytes, bytearray)):
            return f"{len(value)} bytes: {bytes(value[:64]).hex()}"
        if isinstance(value, JavaEnum):
            return str(value)
        if isinstance(value, JavaObject):
            fields = {name: self.plain(inner, depth + 1) for name, inner in value.items()}
            return {"@class": value.class_name, **fields}
        if isinstance(value, Mapping):
            return {str(key): self.plain(inner, depth + 1) for key, inner in value.items()}
        if isinstance(value, JavaArray):
            value = value.items
        if isinstance(value, (list, tuple, set, frozenset)):
            return [self.plain(inner, depth + 1) for inner in value]
        return str(value)


def _guess(views: Views) -> str:
    for name in ("json", "text", "java", "hessian"):
        if getattr(views, name) is not None:
            return name
    return "hex"
