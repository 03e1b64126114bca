"""The one envelope of the remoting protocol: every request and every response is a `Command`.

A command has a small fixed head (code, opaque, flag, ...), a string map called `extFields` on the
wire (`fields` here), and an opaque body. `opaque` matches a response to its request; bit 0 of
`flag` marks a response and bit 1 a one-way request, which is never answered.
"""

from __future__ import annotations

import itertools
from typing import Final

JSON: Final = 0
ROCKETMQ: Final = 1

FLAG_RESPONSE: Final = 1
FLAG_ONEWAY: Final = 2

LANGUAGE_PYTHON: Final = 3
WIRE_VERSION: Final = 479  # what RocketMQ 5.3.3 announces; peers derive features from it

Body = bytes | bytearray | memoryview

_opaques = itertools.count(1)


def next_opaque() -> int:
    """A request number, unique in this process until it wraps at 2**31."""
    return next(_opaques) & 0x7FFFFFFF


class Command:
    """One request or response.

    `serialization` tells how the header travelled (JSON or ROCKETMQ); an answer travels the same
    way. `fields` is empty when the peer sent none. `body` is empty when there is none.
    """

    __slots__ = (
        "body",
        "code",
        "fields",
        "flag",
        "language",
        "opaque",
        "remark",
        "serialization",
        "version",
    )

    def __init__(
        self,
        code: int,
        *,
        language: int | None = LANGUAGE_PYTHON,
        version: int = WIRE_VERSION,
        opaque: int = 0,
        flag: int = 0,
        remark: str | None = None,
        fields: dict[str, str] | None = None,
        body: Body = b"",
        serialization: int = JSON,
    ) -> None:
        self.code = code
        self.language = language
        self.version = version
        self.opaque = opaque
        self.flag = flag
        self.remark = remark
        self.fields: dict[str, str] = {} if fields is None else fields
        self.body = body
        self.serialization = serialization

    @classmethod
    def request(
        cls,
        code: int,
        fields: dict[str, str] | None = None,
        body: Body = b"",
        *,
        oneway: bool = False,
    ) -> Command:
        """A new request with a fresh opaque."""
        flag = FLAG_ONEWAY if oneway else 0
        return cls(code, opaque=next_opaque(), flag=flag, fields=fields, body=body)

    def reply(
        self,
        code: int = 0,
        remark: str | None = None,
        fields: dict[str, str] | None = None,
        body: Body = b"",
    ) -> Command:
        """The response to this request: same opaque, same header encoding."""
        return Command(
            code,
            opaque=self.opaque,
            flag=FLAG_RESPONSE,
            remark=remark,
            fields=fields,
            body=body,
            serialization=self.serialization,
        )

    @property
    def is_response(self) -> bool:
        """True for an answer, false for a request."""
        return bool(self.flag & FLAG_RESPONSE)

    @property
    def is_oneway(self) -> bool:
        """True when no answer may be sent, not even an error."""
        return bool(self.flag & FLAG_ONEWAY)

    def __repr__(self) -> str:
        kind = "response" if self.is_response else "request"
        return (
            f"<{kind} code={self.code} opaque={self.opaque} fields={sorted(self.fields)} "
            f"body={len(self.body)}B>"
        )
