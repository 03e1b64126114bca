"""What users hold in their hands: a message to send, a receipt for it, a message received."""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, cast

from pocketmq.client.compression import decompress
from pocketmq.errors import BodyUndecodable, ClientError
from pocketmq.message import properties as names
from pocketmq.message.flags import COMPRESSED, NEEDS_UNWRAP
from pocketmq.message.ids import offset_message_id, unpack_host
from pocketmq.message.properties import decode_property_bytes
from pocketmq.protocol.bodies.queues import MessageQueue

if TYPE_CHECKING:
    from pocketmq.client.codecs.registry import Codecs, Decoded

__all__ = ["Delay", "Message", "MessageQueue", "ReceivedMessage", "SendReceipt", "SendStatus"]

Delay = float | timedelta
"""Seconds, or a timedelta."""

Keys = str | Sequence[str]

# How the two ends of the SDK tell each other what a body is; see `client/codecs`.
CONTENT_TYPE = "CONTENT_TYPE"


@dataclass(frozen=True, slots=True)
class Message:
    """A message to send. Only `topic` and `body` are needed.

    >>> Message("orders", b"...", tag="paid", keys="42").tag
    'paid'
    """

    topic: str
    body: object = b""
    """bytes are sent as they are, str as UTF-8; anything else needs a codec."""
    tag: str = field(default="", kw_only=True)
    keys: Keys = field(default="", kw_only=True)
    """What the message can be found by; several as a list, none may contain a space."""
    properties: Mapping[str, str] = field(default_factory=dict, kw_only=True)
    order_by: str = field(default="", kw_only=True)
    """Messages with the same text here go to the same queue, so they are consumed in order."""
    delay: Delay | None = field(default=None, kw_only=True)
    """How long from now until consumers may see it."""
    deliver_at: datetime | float | None = field(default=None, kw_only=True)
    """When consumers may see it: a datetime, or seconds since 1970."""
    delay_level: int = field(default=0, kw_only=True)
    """1 to 18 for 1s 5s 10s 30s 1m 2m 3m 4m 5m 6m 7m 8m 9m 10m 20m 30m 1h 2h."""
    flag: int = field(default=0, kw_only=True)
    """A number of the application's own."""
    wait_stored: bool = field(default=True, kw_only=True)
    """False: answer before the message is flushed or replicated, whatever the broker's mode."""


class SendStatus(str, enum.Enum):
    """How safe a stored message is."""

    OK = "SEND_OK"
    FLUSH_DISK_TIMEOUT = "FLUSH_DISK_TIMEOUT"
    """Stored, but the broker's disk did not confirm in time."""
    FLUSH_REPLICA_TIMEOUT = "FLUSH_SLAVE_TIMEOUT"
    """Stored, but the replica did not confirm in time."""
    REPLICA_NOT_AVAILABLE = "SLAVE_NOT_AVAILABLE"
    """Stored, but there is no replica to copy it to."""


class SendReceipt(NamedTuple):
    """The broker has stored the message; where, and under which names."""

    topic: str
    broker_name: str
    queue_id: int
    queue_offset: int
    message_id: str
    """The unique key given by this client; what consoles and consumers show."""
    offset_message_id: str
    """Where the broker stored it; some operator commands want this one."""
    status: SendStatus = SendStatus.OK
    transaction_id: str = ""
    recall_handle: str = ""
    """For `recall`; empty unless the message is delayed by time."""

    @property
    def queue(self) -> MessageQueue:
        """The queue it was stored in."""
        return MessageQueue(self.topic, self.broker_name, self.queue_id)


class MessageHolder(Protocol):
    """Whatever keeps received messages until they are finished."""

    def retry(self, message: ReceivedMessage, delay: Delay | None) -> None:
        """Deliver it again, whatever its handler says."""
        ...

    def reject(self, message: ReceivedMessage) -> None:
        """Move it to the dead letters, whatever its handler says."""
        ...


class ReceivedMessage:
    """A message from a broker. Properties and body are decoded when first asked for.

    Positional arguments are the facts of its record, see `message/record.py`. The consumer that
    received it may set `topic` (without namespace, and the original one of a retried message).
    """

    __slots__ = (
        "_body",
        "_decoded",
        "_properties",
        "body_crc",
        "born_host_packed",
        "born_timestamp_ms",
        "broker_name",
        "codecs",
        "context",
        "flag",
        "log_offset",
        "prepared_offset",
        "queue_id",
        "queue_offset",
        "raw_body",
        "raw_properties",
        "reconsume_times",
        "store_host_packed",
        "store_timestamp_ms",
        "stored_topic",
        "sys_flag",
        "topic",
    )

    def __init__(
        self,
        topic: str,
        broker_name: str,
        queue_id: int,
        queue_offset: int,
        log_offset: int,
        flag: int,
        sys_flag: int,
        body_crc: int,
        born_timestamp_ms: int,
        born_host_packed: bytes,
        store_timestamp_ms: int,
        store_host_packed: bytes,
        reconsume_times: int,
        prepared_offset: int,
        raw_body: bytes | memoryview,
        raw_properties: bytes | memoryview,
    ) -> None:
        self.topic = topic
        self.stored_topic = topic
        self.broker_name = broker_name
        self.queue_id = queue_id
        self.queue_offset = queue_offset
        self.log_offset = log_offset
        self.flag = flag
        self.sys_flag = sys_flag
        self.body_crc = body_crc
        self.born_timestamp_ms = born_timestamp_ms
        self.born_host_packed = born_host_packed
        self.store_timestamp_ms = store_timestamp_ms
        self.store_host_packed = store_host_packed
        self.reconsume_times = reconsume_times
        self.prepared_offset = prepared_offset
        self.raw_body = raw_body
        """The body as it was stored, perhaps compressed."""
        self.raw_properties = raw_properties
        self.codecs: Codecs | None = None
        """What the consumer that received it decodes bodies with."""
        self._decoded: Decoded | None = None
        self.context: object = None
        """For the consumer that received it."""
        self._body: bytes | None = None
        self._properties: dict[str, str] | None = None

    @property
    def properties(self) -> dict[str, str]:
        """All properties, the system's included."""
        known = self._properties
        if known is None:
            known = self._properties = decode_property_bytes(self.raw_properties)
        return known

    @property
    def body(self) -> bytes:
        """The body, decompressed. Raise BodyUndecodable when it cannot be."""
        known = self._body
        if known is None:
            if self.sys_flag & COMPRESSED:
                known = decompress(self.raw_body, self.sys_flag)
            else:
                known = bytes(self.raw_body)
            self._body = known
        return known

    @property
    def decoded(self) -> Decoded:
        """The body's value, or the body itself and the reason why it has none.

        The codec is the one the message names, else that of its topic or of the consumer.
        """
        known = self._decoded
        if known is None:
            from pocketmq.client.codecs.registry import Codecs, Decoded

            try:
                if self.sys_flag & NEEDS_UNWRAP:
                    raise BodyUndecodable("it says that it is a batch and cannot be taken apart")
                codecs = self.codecs or Codecs()
                known = codecs.decode(self.topic, self.body, self.properties)
            except BodyUndecodable as error:
                known = Decoded(bytes(self.raw_body), "", error)
            self._decoded = known
        return known

    @property
    def value(self) -> Any:
        """What the body means: see `decoded`. Bytes as they came when it cannot be decoded."""
        return self.decoded.value

    @property
    def text(self) -> str:
        """The body as UTF-8 text. Raise UnicodeDecodeError for one that is none."""
        return self.body.decode()

    @property
    def tag(self) -> str:
        """The tag; empty when there is none."""
        return self.properties.get(names.TAGS, "")

    @property
    def keys(self) -> tuple[str, ...]:
        """The keys it can be found by."""
        return tuple(self.properties.get(names.KEYS, "").split())

    @property
    def message_id(self) -> str:
        """The unique key its producer gave it; of a very old producer, the offset message id."""
        return self.properties.get(names.UNIQUE_KEY) or self.offset_message_id

    @property
    def offset_message_id(self) -> str:
        """Where it is stored, as some operator commands want it."""
        return offset_message_id(self.store_host_packed, self.log_offset)

    @property
    def order_by(self) -> str:
        """What it was ordered by; empty when it was not."""
        return self.properties.get(names.SHARDING_KEY, "")

    @property
    def queue(self) -> MessageQueue:
        """The queue it came from."""
        return MessageQueue(self.stored_topic, self.broker_name, self.queue_id)

    @property
    def attempt(self) -> int:
        """1 when it is delivered for the first time, 2 after one failure, and so on."""
        return self.reconsume_times + 1

    @property
    def born_at(self) -> datetime:
        """When its producer made it, by the producer's clock."""
        return datetime.fromtimestamp(self.born_timestamp_ms / 1000, timezone.utc)

    @property
    def stored_at(self) -> datetime:
        """When the broker stored it."""
        return datetime.fromtimestamp(self.store_timestamp_ms / 1000, timezone.utc)

    @property
    def born_host(self) -> tuple[str, int]:
        """Where its producer connected from."""
        return unpack_host(self.born_host_packed)

    @property
    def store_host(self) -> tuple[str, int]:
        """The broker that stored it."""
        return unpack_host(self.store_host_packed)

    def retry(self, in_: Delay | None = None) -> None:
        """Have it delivered again although its handler ends well: after `in_`, or when the broker
        thinks best. Raise ClientError when nobody consumes it."""
        self._consumed_by().retry(self, in_)

    def reject(self) -> None:
        """Have it moved to the dead letters although its handler ends well.

        Raise ClientError when nobody consumes it.
        """
        self._consumed_by().reject(self)

    def _consumed_by(self) -> MessageHolder:
        if self.context is None:
            raise ClientError(
                "this message was not handed out by a consumer, so it cannot be given back to it"
            )
        return cast(MessageHolder, self.context)

    def __repr__(self) -> str:
        return (
            f"<ReceivedMessage {self.topic} queue={self.broker_name}/{self.queue_id} "
            f"offset={self.queue_offset} id={self.message_id} attempt={self.attempt} "
            f"{len(self.raw_body)} bytes>"
        )
