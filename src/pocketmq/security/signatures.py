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
from typing import Final

from pocketmq.security.credentials import Credentials

ACCESS_KEY: Final = "AccessKey"
SIGNATURE: Final = "Signature"
SECURITY_TOKEN: Final = "SecurityToken"
# Clients up to 4.9.3 add this field after signing.
UNSIGNED_BY_OLD_CLIENTS: Final = "_UNIQUE_KEY_QUERY"
OLD_CLIENT_VERSION_MAX: Final = 399

Body = bytes | bytearray | memoryview


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
    # Only names beyond the basic plane sort differently by code units than by code points.
    plain = all(map(str.isascii, fields))
    content = "".join(
        "null" if fields[name] is None else str(fields[name])
        for name in sorted(fields, key=None if plain else _java_order)
        if name != SIGNATURE
    )
    # A lone surrogate cannot be UTF-8; Java writes a question mark for it.
    signed = hmac.new(secret_key.encode(), content.encode("utf-8", "replace"), "sha1")
    signed.update(body)
    return base64.b64encode(signed.digest()).decode()


def verify(
    fields: Mapping[str, str | None], body: Body, secret_key: str, *, version: int | None = None
) -> bool:
    """Whether a request is signed with this secret. `version` is what the client announced."""
    claimed = fields.get(SIGNATURE)
    if claimed is None:
        return False
    if version is not None and version <= OLD_CLIENT_VERSION_MAX:
        fields = {name: v for name, v in fields.items() if name != UNSIGNED_BY_OLD_CLIENTS}
    expected = base64.b64decode(signature_of(fields, body, secret_key))
    try:
        given = base64.b64decode(claimed, validate=True)
    except (binascii.Error, ValueError):
        return False
    return hmac.compare_digest(expected, given)


def _java_order(name: str) -> bytes:
    return name.encode("utf-16-be", "surrogatepass")
