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
    ├── SubscriptionInvalid    a filter expression that cannot be understood
    ├── FilterUnsupported      a kind of filter expression that this broker does not evaluate
    ├── NotSettled             a test's broker does not come to rest; an AssertionError too
    ├── ClientError            the SDK's; its kinds are listed where they are defined below
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
    """A handler's refusal: the peer is answered with `code`, `remark` and maybe header fields."""

    def __init__(self, code: int, remark: str, fields: dict[str, str] | None = None) -> None:
        super().__init__(remark)
        self.code = code
        self.remark = remark
        self.fields = fields


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

    def __init__(self, text: str, *, other_port_helps: bool = True) -> None:
        super().__init__(text)
        self.other_port_helps = other_port_helps


class SubscriptionInvalid(PocketMQError):
    """A filter expression cannot be understood. The text says why."""

    def __init__(self, expression: str, problem: str) -> None:
        super().__init__(f"the subscription {expression[:80]!r} is not valid: {problem}")
        self.expression = expression
        self.problem = problem


class FilterUnsupported(PocketMQError):
    """Messages cannot be filtered by this type of expression."""

    def __init__(self, expression_type: str) -> None:
        super().__init__(
            f"the broker does not support filtering messages by {expression_type}; "
            "subscribe with tags, or filter in the consumer"
        )
        self.expression_type = expression_type


class NotSettled(PocketMQError, AssertionError):
    """Something is in flight in a test's broker for longer than allowed; the text says what."""


# The store's errors:
#
#     StoreError
#     ├── StoreFull             the disk has no room; free some, then writes go on
#     ├── StoreNotWritable      writes are refused for good, until a restart
#     │   └── FlushFailed       because the disk did not keep what it was given
#     ├── RecordTooLarge        a body beyond the limit
#     ├── PropertiesTooLarge    properties beyond what the format can hold
#     ├── TopicTooLong          a topic name beyond what the format can hold
#     ├── BadTopicName          a topic name that cannot be a directory's name
#     ├── QueueIdOutOfRange     a queue number that no topic can have
#     ├── CorruptRecord         bytes that should be a record and are not
#     ├── CorruptStore          files that contradict each other or the settings
#     ├── NotInMemory           bytes that must be brought in from the disk first
#     └── DirectoryInUse        another process has the data directory


class StoreError(PocketMQError):
    """The disk side failed."""


class StoreFull(StoreError):
    """The disk has no room. Nothing was written; free space and try again."""

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(f"no room on the disk for {path} ({reason}); free space or add disk")
        self.path = path


class StoreNotWritable(StoreError):
    """The store refuses writes for good. The text says why and what to do."""


class FlushFailed(StoreNotWritable):
    """The disk failed to keep written data, so nothing written since can be trusted."""

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(
            f"flushing {path} failed ({reason}); the store refuses writes because data may be "
            "lost. Check the disk, then restart the broker"
        )
        self.path = path


class RecordTooLarge(StoreError):
    """A message body is larger than the limit."""

    def __init__(self, body_bytes: int, body_bytes_max: int) -> None:
        super().__init__(
            f"a message of {body_bytes} bytes exceeds the limit of {body_bytes_max}; "
            "raise maxMessageSize or send less"
        )
        self.body_bytes = body_bytes
        self.body_bytes_max = body_bytes_max


class PropertiesTooLarge(StoreError):
    """A message's properties are larger than a record can hold."""

    def __init__(self, properties_bytes: int, properties_bytes_max: int) -> None:
        super().__init__(
            f"properties of {properties_bytes} bytes exceed the limit of {properties_bytes_max}; "
            "put large values into the body"
        )
        self.properties_bytes = properties_bytes


class TopicTooLong(StoreError):
    """A topic name is longer than a record can hold."""

    def __init__(self, topic: str) -> None:
        super().__init__(
            f"the topic name {topic[:40]!r}... is too long; use at most 127 characters"
        )


class BadTopicName(StoreError):
    """A topic name that cannot be a directory's name."""

    def __init__(self, topic: str) -> None:
        super().__init__(f"the topic name {topic[:40]!r} cannot be used; take letters and digits")
        self.topic = topic


class QueueIdOutOfRange(StoreError):
    """A queue number that no topic can have."""

    def __init__(self, topic: str, queue_id: int) -> None:
        super().__init__(f"queue {queue_id} of {topic!r} does not exist; check the queue number")
        self.topic = topic
        self.queue_id = queue_id


class CorruptRecord(StoreError):
    """The bytes at a position are not a whole, undamaged record."""

    def __init__(self, position: int, reason: str) -> None:
        super().__init__(f"the record at {position} is damaged: {reason}")
        self.position = position
        self.reason = reason


class CorruptStore(StoreError):
    """The data directory contradicts itself or the settings. The text says what to do."""


class NotInMemory(StoreError):
    """What is looked up lies only on the disk; bring `ranges` in, then look again.

    `ranges` are (address, view) of mapped bytes, as `residency.bring_in` takes them.
    """

    def __init__(self, ranges: list[tuple[int, memoryview]]) -> None:
        super().__init__(f"{len(ranges)} stretches must be read from the disk first")
        self.ranges = ranges


class DirectoryInUse(StoreError):
    """Another process has the data directory."""

    def __init__(self, path: str, owner: str) -> None:
        super().__init__(f"{path} is in use by {owner}; stop it or choose another --data directory")
        self.path = path


# The SDK's errors:
#
#     ClientError
#     ├── ClientClosed          the producer or consumer was closed, or never started
#     ├── NoRoute               no broker serves the topic
#     ├── NameServersUnreachable  none of the name servers answers
#     ├── BrokerRefused         a server answered with an error code
#     ├── MessageInvalid        a message that no broker would take; also a ValueError
#     │   ├── MessageTooLarge   its body or its properties are too long
#     │   └── BodyUnencodable   its codec has no bytes for the value
#     ├── SendFailed            every attempt to send failed; `attempts` says how each did
#     │   └── SendTimeout       the time was over before an attempt succeeded
#     ├── TooManyInFlight       more unanswered sends than allowed, where waiting is impossible
#     ├── RequestTimeout        nobody replied in time (request/reply)
#     ├── RecallUnavailable     the message cannot be taken back
#     ├── FeatureUnavailable    the broker is too old for what was asked
#     │   └── AccessUnavailable it keeps no users and no rules
#     ├── PartlyDone            some brokers took a change, and some did not
#     └── BodyUndecodable       a received body cannot be decompressed or decoded


class ClientError(PocketMQError):
    """The SDK could not do what it was asked."""


class ClientClosed(ClientError):
    """The producer or consumer is closed, or was never started. The text says which."""


class NoRoute(ClientError):
    """No broker serves the topic. The text says what to do."""

    def __init__(self, topic: str, reason: str) -> None:
        super().__init__(f"no route for topic {topic}: {reason}")
        self.topic = topic


class NameServersUnreachable(ClientError):
    """None of the name servers answers."""

    def __init__(self, problems: dict[str, str]) -> None:
        listed = "; ".join(f"{address}: {problem}" for address, problem in problems.items())
        super().__init__(
            f"no name server answers ({listed}); check that they run and that this machine "
            "can reach them"
        )
        self.problems = problems


class BrokerRefused(ClientError):
    """A server answered a request with an error code."""

    def __init__(self, step: str, address: str, code: int, name: str, remark: str | None) -> None:
        said = f": {remark}" if remark else ""
        super().__init__(f"{step}: {address} answered {name} ({code}){said}")
        self.step = step
        self.address = address
        self.code = code
        self.remark = remark


class MessageInvalid(ClientError, ValueError):
    """A message that no broker would take. The text says what is wrong with it."""


class MessageTooLarge(MessageInvalid):
    """A message's body or its properties are too long."""

    def __init__(self, what: str, size_bytes: int, bytes_max: int, cure: str) -> None:
        super().__init__(f"{what} of {size_bytes} bytes exceeds the limit of {bytes_max}; {cure}")
        self.size_bytes = size_bytes
        self.bytes_max = bytes_max


class SendFailed(ClientError):
    """Every attempt to send a message failed. `attempts` lists (broker, what went wrong)."""

    def __init__(self, topic: str, attempts: list[tuple[str, BaseException]]) -> None:
        listed = "; ".join(_each_once(attempts))
        count = f"{len(attempts)} attempts" if len(attempts) != 1 else "one attempt"
        super().__init__(f"sending to {topic} failed after {count} ({listed})")
        self.topic = topic
        self.attempts = attempts


def _each_once(attempts: list[tuple[str, BaseException]]) -> list[str]:
    """What went wrong at each broker; what a broker answered several times is told once."""
    told: dict[tuple[str, object], list[BaseException]] = {}
    for broker, error in attempts:
        refusal = (error.code, error.remark) if isinstance(error, BrokerRefused) else str(error)
        told.setdefault((broker, refusal), []).append(error)
    return [
        f"{broker}: {errors[0]}" + (f" ({len(errors)} times)" if len(errors) > 1 else "")
        for (broker, _), errors in told.items()
    ]


class SendTimeout(SendFailed):
    """The time was over before an attempt to send succeeded. The message may be stored or not."""


class TooManyInFlight(ClientError):
    """There are more unanswered sends than allowed."""


class RequestTimeout(ClientError):
    """A request was delivered, but nobody replied in time."""


class RecallUnavailable(ClientError):
    """The message cannot be taken back. The text says why."""


class FeatureUnavailable(ClientError):
    """The broker is too old, or not set up, for what was asked. The text says what to do."""


class AccessUnavailable(FeatureUnavailable):
    """The broker keeps neither users nor rules. The text says what to set, `to_set` as a map."""

    def __init__(self, text: str, to_set: dict[str, str]) -> None:
        super().__init__(text)
        self.to_set = to_set


class PartlyDone(ClientError):
    """A change that is for several brokers was made on some of them only."""

    def __init__(self, done: list[str], problems: dict[str, str]) -> None:
        listed = "; ".join(f"{broker}: {problem}" for broker, problem in problems.items())
        super().__init__(
            f"{', '.join(done)} took the change, and {', '.join(problems)} did not ({listed}); "
            "do it again when that is mended"
        )
        self.done = done
        self.problems = problems


class BodyUndecodable(ClientError):
    """A received body cannot be decompressed or decoded; `raw_body` has it as it came."""


class BodyUnencodable(MessageInvalid):
    """A value that the codec has no bytes for. The text says what to send instead."""
