"""What a request may be answered with instead of success, and how errors become that.

{"error": {"code": "no_such_topic", "message": "…", "hint": null, "details": {}}}
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from pocketmq.errors import (
    BrokerRefused,
    ConfigError,
    MalformedBody,
    MessageInvalid,
    NameServersUnreachable,
    NetError,
    NoRoute,
    PocketMQError,
    RpcTimeout,
)
from pocketmq.protocol.codes import ResponseCode


class Problem(Exception):
    """An answer that is no success. Raise it anywhere below an endpoint."""

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        hint: str | None = None,
        details: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.hint = hint
        self.details = dict(details or {})
        self.headers = dict(headers or {})

    def tree(self) -> dict[str, Any]:
        """The document that is sent."""
        return {
            "error": {
                "code": self.code,
                "message": self.message,
                "hint": self.hint,
                "details": self.details,
            }
        }


def bad_request(message: str, field: str | None = None, hint: str | None = None) -> Problem:
    """A parameter or a body is wrong."""
    return Problem(
        400, "bad_request", message, hint=hint, details={} if field is None else {"field": field}
    )


def not_found(noun: str, name: str, hint: str | None = None) -> Problem:
    """There is no such thing; `noun` is a word as in `no_such_topic`."""
    return Problem(404, f"no_such_{noun}", f"the {noun} {name[:255]} does not exist", hint=hint)


def problem_of(error: PocketMQError) -> Problem:
    """The answer for an error of PocketMQ's own."""
    match error:
        case NoRoute():
            return not_found("topic", error.topic, "topics that exist are listed at /api/v1/topics")
        case BrokerRefused():
            return _refused(error)
        case NameServersUnreachable():
            return Problem(502, "unreachable", str(error), details={"addresses": error.problems})
        case RpcTimeout():
            return Problem(504, "timeout", str(error), details=_address(error))
        case NetError():
            return Problem(502, "unreachable", str(error), details=_address(error))
        case ConfigError() | MessageInvalid():
            return bad_request(str(error))
        case MalformedBody():
            return Problem(502, "unreadable", str(error))
    return Problem(422, "refused", str(error))


_NOUNS = {
    ResponseCode.TOPIC_NOT_EXIST: "topic",
    ResponseCode.SUBSCRIPTION_GROUP_NOT_EXIST: "group",
}


def _refused(error: BrokerRefused) -> Problem:
    details = {"broker": error.address, "code": error.code, "step": error.step}
    message = error.remark or str(error)
    if error.code in _NOUNS:
        return Problem(404, f"no_such_{_NOUNS[ResponseCode(error.code)]}", message, details=details)
    return Problem(422, "refused", message, details=details)


def _address(error: NetError) -> dict[str, Any]:
    found = re.search(r"[\w.\-\[\]:]+:\d+", str(error))
    return {"address": found[0]} if found else {}
