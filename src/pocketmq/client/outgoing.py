"""From what a user wants sent to the parts of a request: checked, named, compressed.

properties   name 01 value 02 ..., the unique key first
sys_flag     whether the body is compressed, and whether this is half of a transaction
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final, Protocol

from pocketmq.client.messages import Delay, Keys, Message, MessageQueue
from pocketmq.errors import MessageInvalid, MessageTooLarge
from pocketmq.message import properties as names
from pocketmq.message.properties import PROPERTIES_BYTES_MAX
from pocketmq.message.topics import SEND_FORBIDDEN_TOPICS, topic_problem

if TYPE_CHECKING:
    from pocketmq.client.codecs.registry import Codec

DELAY_LEVELS: Final = 18

Selector = Callable[[Sequence[MessageQueue], Message], MessageQueue]
"""Chooses one of a topic's queues for a message."""


class BodyCodec(Protocol):
    """Turns a user's value into bytes; see `client/codecs`."""

    def encode(self, topic: str, value: object) -> tuple[bytes, Mapping[str, str]]:
        """The body, and properties that tell the other side how to read it."""
        ...


# Names that mean something to clients or brokers, so users cannot give them a meaning of their own.
RESERVED_NAMES: Final = frozenset(
    [
        "KEYS",
        "TAGS",
        "WAIT",
        "DELAY",
        "RETRY_TOPIC",
        "REAL_TOPIC",
        "REAL_QID",
        "TRAN_MSG",
        "PGROUP",
        "MIN_OFFSET",
        "MAX_OFFSET",
        "BUYER_ID",
        "ORIGIN_MESSAGE_ID",
        "TRANSFER_FLAG",
        "CORRECTION_FLAG",
        "MQ2_FLAG",
        "RECONSUME_TIME",
        "MSG_REGION",
        "TRACE_ON",
        "UNIQ_KEY",
        "EXTEND_UNIQ_INFO",
        "MAX_RECONSUME_TIMES",
        "CONSUME_START_TIME",
        "INNER_NUM",
        "INNER_BASE",
        "DUP_INFO",
        "CLUSTER",
        "MSG_TYPE",
        "POP_CK",
        "POP_CK_OFFSET",
        "1ST_POP_TIME",
        "TRAN_PREPARED_QUEUE_OFFSET",
        "TRANSACTION_CHECK_TIMES",
        "CORRELATION_ID",
        "REPLY_TO_CLIENT",
        "TTL",
        "ARRIVE_TIME",
        "PUSH_REPLY_TIME",
        "__transactionId__",
        "INSTANCE_ID",
        "__CRC32#",
        "TIMER_OUT_MS",
        "TIMER_ENQUEUE_MS",
        "TIMER_DEQUEUE_MS",
        "TIMER_ROLL_TIMES",
        "TIMER_DEL_UNIQKEY",
        "TIMER_DELAY_LEVEL",
        "TIMER_DELAY_SEC",
        "TIMER_DELAY_MS",
        "TIMER_DELIVER_MS",
        "__SHARDINGKEY",
        "REDIRECT",
        "PROPERTY_FORWARD_QUEUE_ID",
    ]
)

_INSTEAD: Final = {
    "KEYS": "keys=",
    "TAGS": "tag=",
    "DELAY": "delay_level=",
    "TIMER_DELAY_SEC": "delay=",
    "TIMER_DELAY_MS": "delay=",
    "TIMER_DELIVER_MS": "deliver_at=",
    "__SHARDINGKEY": "order_by=",
    "WAIT": "wait_stored=",
}


class Outgoing:
    """One message, or one batch, on its way. Made once and sent as often as it takes."""

    __slots__ = (
        "batch_size",
        "body",
        "born_ms",
        "flag",
        "kind",
        "needs_timer",
        "order_by",
        "properties",
        "queue",
        "sys_flag",
        "topic",
        "unique_key",
        "user_topic",
    )

    def __init__(
        self,
        user_topic: str,
        topic: str,
        body: bytes,
        properties: bytes,
        unique_key: str,
        born_ms: int,
        sys_flag: int = 0,
        flag: int = 0,
        kind: str = "normal",
    ) -> None:
        self.user_topic = user_topic
        self.topic = topic
        self.body = body
        self.properties = properties
        self.unique_key = unique_key
        self.born_ms = born_ms
        self.sys_flag = sys_flag
        self.flag = flag
        self.kind = kind
        self.order_by = ""
        self.queue: MessageQueue | None = None
        self.batch_size = 0
        self.needs_timer = False


def check_topic(topic: object) -> None:
    """Raise MessageInvalid for a name that cannot be sent to."""
    if not isinstance(topic, str):
        raise MessageInvalid(f"a topic is a str, not {topic!r}")
    problem = topic_problem(topic)
    if problem:
        raise MessageInvalid(problem)
    if topic in SEND_FORBIDDEN_TOPICS:
        raise MessageInvalid(f"the topic {topic} belongs to the broker; send to one of your own")


def body_bytes(
    topic: str, body: object, codec: BodyCodec | None, chosen: Codec | str | None = None
) -> tuple[bytes, Mapping[str, str] | None]:
    """The body as bytes, and what properties must say about it; `chosen` is for this body only.

    Raise MessageInvalid, or what the codec raises.
    """
    if chosen is not None:
        from pocketmq.client.codecs.registry import Codecs

        codecs = codec if isinstance(codec, Codecs) else Codecs()
        return codecs.encode(topic, body, chosen)
    if type(body) is bytes:
        return body, None
    if codec is not None:
        return codec.encode(topic, body)
    if isinstance(body, str):
        return body.encode(), None
    if isinstance(body, (bytes, bytearray, memoryview)):
        return bytes(body), None
    raise MessageInvalid(
        f"a body is bytes or str, not {type(body).__name__}; encode it, for example with "
        "json.dumps, or give the producer a codec="
    )


def plain_properties(unique_key: str, tag: str, keys: Keys, wait_stored: bool) -> str:
    """The properties of a message that has no others. Raise MessageInvalid."""
    text = f"UNIQ_KEY\x01{unique_key}\x02WAIT\x01{'true' if wait_stored else 'false'}\x02"
    if tag:
        check_property("tag", tag)
        text += f"TAGS\x01{tag}\x02"
    if keys:
        text += f"KEYS\x01{joined_keys(keys)}\x02"
    return text


def joined_keys(keys: Keys) -> str:
    """Keys as one text. Raise MessageInvalid for one that cannot be found again."""
    if isinstance(keys, str):
        check_property("keys", keys)
        return keys
    for key in keys:
        check_property("keys", key)
        if not key or " " in key:
            raise MessageInvalid(f"a key is a non-empty str without spaces, not {key!r}")
    return " ".join(keys)


def check_property(name: str, value: object) -> None:
    """Raise MessageInvalid for a value that would not survive the way."""
    if not isinstance(value, str):
        raise MessageInvalid(
            f"the property {name!r} is {value!r}; properties are str, so write str({value!r})"
        )
    if "\x01" in value or "\x02" in value:
        raise MessageInvalid(
            f"the property {name!r} contains a character 1 or 2, which separate properties; "
            "put such data into the body"
        )


def check_user_properties(properties: Mapping[str, str]) -> None:
    """Raise MessageInvalid for properties that are reserved or would not survive the way."""
    for name, value in properties.items():
        check_property("name", name)
        if not name.strip():
            raise MessageInvalid(f"a property needs a name, and {name!r} is none")
        if name in RESERVED_NAMES:
            cure = f"use {_INSTEAD[name]}" if name in _INSTEAD else "choose another name"
            raise MessageInvalid(f"the property name {name} is RocketMQ's own; {cure}")
        check_property(name, value)
        if not value:
            raise MessageInvalid(
                f"the property {name!r} is empty, and empty properties are lost on the way; "
                "leave it out"
            )


def delay_properties(
    delay: Delay | None, deliver_at: datetime | float | None, delay_level: int
) -> dict[str, str]:
    """The properties for a delayed message; empty for one that is not. Raise MessageInvalid."""
    given = (delay is not None) + (deliver_at is not None) + bool(delay_level)
    if not given:
        return {}
    if given > 1:
        raise MessageInvalid("give one of delay=, deliver_at= and delay_level=, not several")
    if delay_level:
        if not 1 <= delay_level <= DELAY_LEVELS:
            raise MessageInvalid(f"delay_level={delay_level}: levels go from 1 to {DELAY_LEVELS}")
        return {names.DELAY: str(delay_level)}
    if delay is not None:
        seconds = delay.total_seconds() if isinstance(delay, timedelta) else float(delay)
        if seconds < 0:
            raise MessageInvalid(f"delay={delay!r}: a delay cannot be negative")
        return {"TIMER_DELAY_MS": str(round(seconds * 1000))} if seconds else {}
    assert deliver_at is not None
    moment = deliver_at.timestamp() if isinstance(deliver_at, datetime) else float(deliver_at)
    if moment > 1e11:
        raise MessageInvalid(f"deliver_at={deliver_at!r}: give seconds since 1970, or a datetime")
    return {"TIMER_DELIVER_MS": str(round(moment * 1000))}


def check_sizes(body: bytes, properties: bytes, body_bytes_max: int) -> None:
    """Raise MessageTooLarge, or MessageInvalid for an empty body."""
    if not body:
        raise MessageInvalid("the body is empty, and RocketMQ stores no message without one")
    if len(body) > body_bytes_max:
        raise MessageTooLarge(
            "a body",
            len(body),
            body_bytes_max,
            "send a reference to the data, or raise body_bytes_max here and maxMessageSize on "
            "the broker",
        )
    if len(properties) > PROPERTIES_BYTES_MAX:
        raise MessageTooLarge(
            "properties", len(properties), PROPERTIES_BYTES_MAX, "put large values into the body"
        )
