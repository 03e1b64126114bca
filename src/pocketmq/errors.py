"""Every exception PocketMQ raises on purpose.

    PocketMQError
    ├── ConfigError            a setting is wrong; the text names the setting and the cure
    ├── ProtocolError          bytes from the network are not what they should be
    │   ├── FrameTooLarge      a length prefix beyond the limit
    │   ├── MalformedFrame     lengths inside a frame contradict each other
    │   ├── MalformedHeader    a header that cannot be decoded
    │   ├── MalformedBody      a body that cannot be decoded
    │   ├── MissingField       a required header field is absent
    │   └── MalformedField     a header field has the wrong form
    ├── Refused                a handler's answer: a response code and a remark
    ├── NetError               the connection to a peer failed
    │   ├── ConnectionLost     it closed before the answer came
    │   ├── ConnectFailed      it could not be opened
    │   ├── RpcTimeout         no answer in time
    │   └── ListenFailed       a port cannot be listened on
    └── StoreError             the disk side; its kinds are listed where they are defined below

Errors of the outside world carry values beside the prose, so that callers need not parse text.
"""

from __future__ import annotations


class PocketMQError(Exception):
    """The root of all deliberate errors."""


class ConfigError(PocketMQError):
    """A setting is wrong. The text names the setting, where it was given, and the cure."""


class ProtocolError(PocketMQError):
    """Bytes from a peer break the protocol."""


class FrameTooLarge(ProtocolError):
    """A frame announces more bytes than the limit allows. The connection is closed."""

    def __init__(self, frame_bytes: int, frame_bytes_max: int) -> None:
        super().__init__(
            f"a frame of {frame_bytes} bytes exceeds the limit of {frame_bytes_max}; "
            "raise frame_bytes_max on the server or send smaller messages"
        )
        self.frame_bytes = frame_bytes
        self.frame_bytes_max = frame_bytes_max


class MalformedFrame(ProtocolError):
    """The lengths inside a frame contradict each other. The connection is closed."""


class MalformedHeader(ProtocolError):
    """A header is neither valid JSON nor a valid ROCKETMQ header. The connection is closed."""


class MalformedBody(ProtocolError):
    """A request or response body cannot be decoded."""


class MissingField(ProtocolError):
    """A required header field is absent."""

    def __init__(self, header: str, field: str) -> None:
        super().__init__(f"the field `{field}` of {header} is required but absent")
        self.header = header
        self.field = field


class MalformedField(ProtocolError):
    """A header field cannot be read as its type."""

    def __init__(self, header: str, field: str, value: str, expected: str) -> None:
        super().__init__(f"the field `{field}` of {header} is {value[:80]!r}, expected {expected}")
        self.header = header
        self.field = field
        self.value = value


class Refused(PocketMQError):
    """A handler's refusal: the peer is answered with `code` and `remark`."""

    def __init__(self, code: int, remark: str) -> None:
        super().__init__(remark)
        self.code = code
        self.remark = remark


class NetError(PocketMQError):
    """A connection to a peer failed."""


class ConnectionLost(NetError):
    """The connection closed before the answer came."""


class ConnectFailed(NetError):
    """The connection could not be opened."""


class RpcTimeout(NetError):
    """The peer did not answer in time."""


class ListenFailed(NetError):
    """A port cannot be listened on. The text names the address and the cure."""
