"""The two header encodings of a command: JSON text and the binary ROCKETMQ form.

ROCKETMQ (type 1), all integers big-endian and signed unless said otherwise:

    code           2 bytes   truncated to 16 bits, as Apache does
    language       1 byte    unsigned
    version        2 bytes
    opaque         4 bytes
    flag           4 bytes
    remark length  4 bytes   0 means none
    remark         n bytes   UTF-8
    ext length     4 bytes   bytes of all entries together
    ext entries              key length 2, key, value length 4, value; repeated

An empty value in the binary form means "absent". The JSON form (type 0) has the same fields as
an object whose keys Java writes sorted; `extFields` maps strings to strings.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Callable
from json.encoder import encode_basestring
from typing import Any, Final

from pocketmq.errors import MalformedBody, MalformedHeader
from pocketmq.protocol.command import ROCKETMQ

LANGUAGES: Final = (
    "JAVA",
    "CPP",
    "DOTNET",
    "PYTHON",
    "DELPHI",
    "ERLANG",
    "RUBY",
    "OTHER",
    "HTTP",
    "GO",
    "PHP",
    "OMS",
    "RUST",
    "NODE_JS",
)
LANGUAGE_NUMBERS: Final = {name: number for number, name in enumerate(LANGUAGES)}
_LANGUAGE_UNKNOWN: Final = 7  # OTHER
JSON_HEADER_BYTES_MAX: Final = 1024 * 1024
"""How long a JSON header may be. Nobody else is served while it is read."""

_decoder: Any = json.JSONDecoder()  # `scan_once` is public, but its type is not told
_scan_json: Callable[[str, int], tuple[Any, int]] = _decoder.scan_once
_HEAD = struct.Struct(">hBhii")
_U32 = struct.Struct(">i")
_ENTRY_KEY = struct.Struct(">h")

Head = tuple[int, int | None, int, int, int, str | None, dict[str, str]]
"""code, language, version, opaque, flag, remark, fields"""


def decode_header(data: bytes | memoryview, serialization: int) -> Head:
    """The fields of one header. Raise MalformedHeader when it cannot be read."""
    if serialization == ROCKETMQ:
        return _decode_binary(bytes(data))
    return _decode_json(bytes(data))


def encode_json(head: Head) -> bytes:
    """The header as Java writes it: sorted keys, nulls left out, raw UTF-8."""
    code, language, version, opaque, flag, remark, fields = head
    parts = [f'{{"code":{code}']
    if fields:
        entries = ",".join(
            [f"{encode_basestring(k)}:{encode_basestring(v)}" for k, v in fields.items()]
        )
        parts.append(f',"extFields":{{{entries}}}')
    parts.append(f',"flag":{flag}')
    if language is not None:
        name = LANGUAGES[language] if 0 <= language < len(LANGUAGES) else "OTHER"
        parts.append(f',"language":"{name}"')
    parts.append(f',"opaque":{opaque}')
    if remark is not None:
        parts.append(f',"remark":{encode_basestring(remark)}')
    parts.append(f',"serializeTypeCurrentRPC":"JSON","version":{version}}}')
    return "".join(parts).encode("utf-8", "surrogatepass")


def encode_binary(head: Head) -> bytes:
    """The header in ROCKETMQ form. Codes are cut to 16 bits, as Apache does."""
    code, language, version, opaque, flag, remark, fields = head
    code = (code + 0x8000 & 0xFFFF) - 0x8000
    version = (version + 0x8000 & 0xFFFF) - 0x8000
    number = _LANGUAGE_UNKNOWN if language is None else language & 0xFF
    text = (remark or "").encode()
    entries = []
    for key, value in fields.items():
        key_bytes, value_bytes = key.encode(), value.encode("utf-8", "surrogatepass")
        entries.append(_ENTRY_KEY.pack(len(key_bytes)))
        entries.append(key_bytes)
        entries.append(_U32.pack(len(value_bytes)))
        entries.append(value_bytes)
    ext = b"".join(entries)
    head_bytes = _HEAD.pack(code, number, version, opaque, flag)
    return b"".join((head_bytes, _U32.pack(len(text)), text, _U32.pack(len(ext)), ext))


def _decode_binary(data: bytes) -> Head:
    try:
        code, language, version, opaque, flag = _HEAD.unpack_from(data)
        position = _HEAD.size
        (remark_bytes,) = _U32.unpack_from(data, position)
        position += 4
        remark = _text(data, position, remark_bytes) if remark_bytes else None
        position += remark_bytes
        (ext_bytes,) = _U32.unpack_from(data, position)
        fields = _decode_entries(data, position + 4, ext_bytes) if ext_bytes else {}
    except (struct.error, UnicodeDecodeError) as error:
        raise MalformedHeader(
            f"a ROCKETMQ header of {len(data)} bytes is damaged: {error}"
        ) from None
    known = language if language < len(LANGUAGES) else None
    return code, known, version, opaque, flag, remark, fields


def _decode_entries(data: bytes, position: int, ext_bytes: int) -> dict[str, str]:
    end = position + ext_bytes
    if ext_bytes < 0 or end > len(data):
        raise MalformedHeader(f"a ROCKETMQ header announces {ext_bytes} bytes of fields, has less")
    fields = {}
    while position < end:
        (key_bytes,) = _ENTRY_KEY.unpack_from(data, position)
        key = _text(data, position + 2, key_bytes)
        position += 2 + key_bytes
        (value_bytes,) = _U32.unpack_from(data, position)
        value = _text(data, position + 4, value_bytes)
        position += 4 + value_bytes
        if key and value:
            fields[key] = value
    return fields


def _text(data: bytes, start: int, size: int) -> str:
    if size < 0 or start + size > len(data):
        raise MalformedHeader(f"a ROCKETMQ header field of {size} bytes does not fit its header")
    return data[start : start + size].decode()


def _decode_json(data: bytes) -> Head:
    document: Any
    if len(data) > JSON_HEADER_BYTES_MAX:
        raise MalformedHeader(
            f"a JSON header of {len(data)} bytes is too long; {JSON_HEADER_BYTES_MAX} are allowed"
        )
    try:
        text = data.decode("utf-8", "surrogatepass")
        document, end = _scan_json(text, 0)
        if end != len(text):
            document = json.loads(text)  # white space or worse around the object
    except (ValueError, RecursionError, StopIteration):
        document = _decode_lenient(data)
    if not isinstance(document, dict):
        raise MalformedHeader(f"a JSON header is not an object: {data[:60]!r}")
    try:
        code = int(document.get("code", 0))
        version = int(document.get("version", 0))
        opaque = int(document.get("opaque", 0))
        flag = int(document.get("flag", 0))
    except (TypeError, ValueError, OverflowError):
        raise MalformedHeader("code, flag, opaque and version must be numbers") from None
    if not -0x80000000 <= opaque <= 0x7FFFFFFF or not -0x80000000 <= code <= 0x7FFFFFFF:
        raise MalformedHeader("code and opaque must fit 32 bits")
    remark = document.get("remark")
    fields = document.get("extFields")
    if not isinstance(fields, dict):
        fields = {}
    return (
        code,
        _language(document.get("language")),
        version,
        opaque,
        flag,
        None if remark is None else _plain(remark),
        {
            key: value if type(value) is str else _plain(value)
            for key, value in fields.items()
            if value is not None
        },
    )


def _decode_lenient(data: bytes) -> Any:
    # Fastjson's dialect (unquoted keys, trailing commas) is rare in headers, so it is tried last.
    from pocketmq.protocol.bodies.fastjson import loads

    try:
        return loads(data, JSON_HEADER_BYTES_MAX)
    except MalformedBody as error:
        raise MalformedHeader(f"a JSON header cannot be read: {error}") from None


def _language(value: Any) -> int | None:
    if isinstance(value, str):
        return LANGUAGE_NUMBERS.get(value)
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < len(LANGUAGES):
        return value
    return None


def _plain(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (dict, list)):
        return json.dumps(value, separators=(",", ":"), ensure_ascii=False)
    return str(value)
