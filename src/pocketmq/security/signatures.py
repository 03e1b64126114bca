"""Request signatures, as RocketMQ's access control 1.0 and 2.0 want them.

    content    = the values of all header fields but `Signature`, sorted by field name, joined
                 without separators, in UTF-8; then the body
    Signature  = base64(HMAC-SHA1(secret key, content))

The fields include `AccessKey`, and `SecurityToken` if there is one. Names sort as Java sorts them,
by UTF-16 code units. Code, opaque and flag are not covered, nor is there a time: a signature proves
who made the request, and that its fields and body are whole, but can be replayed.
"""

from __future__ import annotations

import base64
import binascii
import hmac
from collections.abc import Mapping, MutableMapping
from operator import itemgetter
from typing import Final

from pocketmq.security.credentials import Credentials

ACCESS_KEY: Final = "AccessKey"
SIGNATURE: Final = "Signature"
SECURITY_TOKEN: Final = "SecurityToken"
# Clients up to 4.9.3 add this field after signing.
UNSIGNED_BY_OLD_CLIENTS: Final = "_UNIQUE_KEY_QUERY"
OLD_CLIENT_VERSION_MAX: Final = 399

Body = bytes | bytearray | memoryview

_JOINED_BYTES_MAX: Final = 64 * 1024
_name_of: Final = itemgetter(0)


def sign(fields: MutableMapping[str, str], body: Body, credentials: Credentials) -> None:
    """Add access key, token and signature to a request's fields. Call it last: all is covered."""
    fields[ACCESS_KEY] = credentials.access_key
    token = credentials.security_token
    if token is not None:
        fields[SECURITY_TOKEN] = token
    fields[SIGNATURE] = signature_of(fields, body, credentials.secret_key)


def signature_of(fields: Mapping[str, str | None], body: Body, secret_key: str) -> str:
    """The signature of a request's fields and body.

    >>> signature_of({"AccessKey": "rocketmq2", "bname": "b", "topic": "T"}, b"", "12345678")
    'jCtmwkBrQMrLf/YC72O/RBI9lJY='
    """
    return binascii.b2a_base64(_digest_of(fields, body, secret_key), newline=False).decode()


def _digest_of(fields: Mapping[str, str | None], body: Body, secret_key: str) -> bytes:
    # Only names beyond the basic plane sort differently by code units than by code points.
    plain = "".join(fields).isascii()
    content = "".join(
        [
            "null" if value is None else value
            for name, value in sorted(fields.items(), key=_name_of if plain else _java_order)
            if name != SIGNATURE
        ]
    )
    # A lone surrogate cannot be UTF-8; Java writes a question mark for it.
    signed, key = content.encode("utf-8", "replace"), secret_key.encode()
    if len(body) <= _JOINED_BYTES_MAX:
        return hmac.digest(key, b"".join((signed, body)), "sha1")
    made = hmac.new(key, signed, "sha1")
    made.update(body)
    return made.digest()


def verify(
    fields: Mapping[str, str | None], body: Body, secret_key: str, *, version: int | None = None
) -> bool:
    """Whether a request is signed with this secret. `version` is what the client announced."""
    claimed = fields.get(SIGNATURE)
    if claimed is None:
        return False
    if version is not None and version <= OLD_CLIENT_VERSION_MAX:
        fields = {name: v for name, v in fields.items() if name != UNSIGNED_BY_OLD_CLIENTS}
    try:
        given = base64.b64decode(claimed, validate=True)
    except (binascii.Error, ValueError):
        return False
    return hmac.compare_digest(_digest_of(fields, body, secret_key), given)


def _java_order(item: tuple[str, object]) -> bytes:
    return item[0].encode("utf-16-be", "surrogatepass")
