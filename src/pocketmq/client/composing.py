"""Makes `Outgoing` messages of what a producer's methods are given."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING

from pocketmq.client.compression import compressor, decompress
from pocketmq.client.hooks import SendContext
from pocketmq.client.messages import Delay, Keys, Message, MessageQueue
from pocketmq.client.namespaces import Namespace
from pocketmq.client.outgoing import (
    BodyCodec,
    Outgoing,
    body_bytes,
    check_sizes,
    check_topic,
    check_user_properties,
    delay_properties,
    joined_keys,
    plain_properties,
)
from pocketmq.client.sending import ProducerOptions
from pocketmq.client.unique_keys import unique_keys
from pocketmq.clock import SystemClock
from pocketmq.errors import MessageInvalid
from pocketmq.message import properties as names
from pocketmq.message.flags import COMPRESSED
from pocketmq.message.properties import decode_property_bytes, encode_properties

if TYPE_CHECKING:
    from pocketmq.client.codecs.registry import Codec

_now_ms = SystemClock.now_ms
_new_key = unique_keys.new
BULKY_BYTES = 256 * 1024
"""From here on compressing takes milliseconds, and is done on a thread where that is possible."""

_NAMES_OF_ITS_OWN = (
    names.UNIQUE_KEY,
    names.WAIT,
    names.TAGS,
    names.KEYS,
    names.SHARDING_KEY,
    names.DELAY,
    "TIMER_DELAY_MS",
    "TIMER_DELIVER_MS",
)


class Composer:
    """Checks, names and compresses messages for one producer."""

    def __init__(
        self, namespace: Namespace, options: ProducerOptions, codec: BodyCodec | None
    ) -> None:
        self._namespace = namespace
        self._codec = codec
        self._body_bytes_max = options.body_bytes_max
        self._compress_above = options.compress_above_bytes
        if options.compression == "none":
            self._compress_above = sys.maxsize
        else:
            kind, level = options.compression, options.compression_level
            self._compress, self._compressed_flag = compressor(kind, level)
        self._topics: dict[str, str] = {}

    def wire_topic(self, topic: str) -> str:
        """The topic with its namespace. Raise MessageInvalid for a name that is none."""
        known = self._topics.get(topic)
        if known is None:
            check_topic(topic)
            if len(self._topics) > 10_000:
                self._topics.clear()
            known = self._topics[topic] = self._namespace.outward(topic)
        return known

    def plain(self, topic: str, body: object, tag: str, keys: Keys, wait_stored: bool) -> Outgoing:
        """A message with nothing special about it. Raise MessageInvalid.

        A bulky body is not compressed yet: see `is_bulky` and `squeeze`.
        """
        wire_topic = self._topics.get(topic) or self.wire_topic(topic)
        data, extra = body_bytes(topic, body, self._codec)
        now_ms = _now_ms()
        key = _new_key(now_ms)
        text = plain_properties(key, tag, keys, wait_stored)
        if extra:
            text += encode_properties(extra)
        out = Outgoing(topic, wire_topic, data, text.encode(), key, now_ms)
        if len(data) >= self._compress_above:
            if len(data) >= BULKY_BYTES:
                return out
            self._squeeze(out)
        if not 0 < len(out.body) <= self._body_bytes_max or len(text) > 8000:
            check_sizes(out.body, out.properties, self._body_bytes_max)
        return out

    def full(
        self,
        message: Message,
        *,
        queue: MessageQueue | None = None,
        system: Mapping[str, str] | None = None,
        kind: str = "",
        compress: bool = True,
        own_topic: bool = True,
        codec: Codec | str | None = None,
    ) -> Outgoing:
        """Any message. `system` are properties that users cannot set. Raise MessageInvalid."""
        topic = message.topic
        wire_topic = self.wire_topic(topic) if own_topic else topic
        data, extra = body_bytes(topic, message.body, self._codec, codec)
        now_ms = _now_ms()
        key = _new_key(now_ms)
        properties = {
            names.UNIQUE_KEY: key,
            names.WAIT: "true" if message.wait_stored else "false",
        }
        if message.tag or message.keys or message.order_by:
            _add_names(properties, message)
        delay = delay_properties(message.delay, message.deliver_at, message.delay_level)
        if message.properties:
            check_user_properties(message.properties)
        properties.update(delay)
        properties.update(extra or {})
        properties.update(system or {})
        properties.update(message.properties)
        if not kind:
            kind = "delayed" if delay else "ordered" if message.order_by else "normal"
        text = encode_properties(properties).encode()
        out = Outgoing(topic, wire_topic, data, text, key, now_ms, 0, message.flag, kind)
        out.order_by = message.order_by
        out.queue = queue
        out.needs_timer = bool(delay) and names.DELAY not in delay
        if compress and len(data) >= self._compress_above:
            if len(data) >= BULKY_BYTES and system is None:
                return out
            self._squeeze(out)
        check_sizes(out.body, out.properties, self._body_bytes_max)
        return out

    def is_bulky(self, out: Outgoing) -> bool:
        """True for a message whose body is so large that `squeeze` belongs on a thread."""
        return (
            len(out.body) >= BULKY_BYTES
            and len(out.body) >= self._compress_above
            and not out.sys_flag & COMPRESSED
            and not out.batch_size
        )

    def squeeze(self, out: Outgoing) -> None:
        """Compress a body and check what is left of it. Raise MessageTooLarge."""
        self._squeeze(out)
        check_sizes(out.body, out.properties, self._body_bytes_max)

    def _squeeze(self, out: Outgoing) -> None:
        squeezed = self._compress(out.body)
        if len(squeezed) < len(out.body):
            out.body = squeezed
            out.sys_flag |= self._compressed_flag


def _add_names(properties: dict[str, str], message: Message) -> None:
    if message.tag:
        properties[names.TAGS] = joined_keys(message.tag)
    if message.keys:
        properties[names.KEYS] = joined_keys(message.keys)
    if message.order_by:
        properties[names.SHARDING_KEY] = joined_keys(message.order_by)


def message_of(out: Outgoing) -> Message:
    """The message as its user would send it again, for callbacks. Its body is encoded already."""
    properties = decode_property_bytes(out.properties)
    own = {name: properties.pop(name, "") for name in _NAMES_OF_ITS_OWN}
    is_compressed = out.sys_flag & COMPRESSED
    deliver_ms, delay_ms = own["TIMER_DELIVER_MS"], own["TIMER_DELAY_MS"]
    return Message(
        out.user_topic,
        decompress(out.body, out.sys_flag) if is_compressed else out.body,
        tag=own[names.TAGS],
        keys=own[names.KEYS],
        order_by=own[names.SHARDING_KEY],
        properties=properties,
        delay=int(delay_ms) / 1000 if delay_ms else None,
        deliver_at=int(deliver_ms) / 1000 if deliver_ms else None,
        delay_level=int(own[names.DELAY] or 0),
        flag=out.flag,
        wait_stored=own[names.WAIT] != "false",
    )


def context_of(items: list[Outgoing], group: str, client_id: str, kind: str) -> SendContext:
    """What hooks see of a send."""
    first = items[0]
    return SendContext(
        group,
        client_id,
        first.user_topic,
        kind or first.kind,
        [decode_property_bytes(item.properties) for item in items],
        [len(item.body) for item in items],
        [item.unique_key for item in items],
        first.born_ms,
    )


def given_message(
    message: Message | str,
    body: object,
    tag: str,
    keys: Keys,
    properties: Mapping[str, str] | None,
    order_by: str,
    delay: Delay | None,
    deliver_at: datetime | float | None,
    delay_level: int,
    flag: int,
    wait_stored: bool,
) -> Message:
    """What a method was given, as a message. Raise MessageInvalid when that is two messages."""
    if isinstance(message, Message):
        is_plain = delay is None and deliver_at is None and wait_stored and body == b""
        if tag or keys or properties or order_by or delay_level or flag or not is_plain:
            raise MessageInvalid("give a Message alone, or a topic with its details, not both")
        return message
    return Message(
        message,
        body,
        tag=tag,
        keys=keys,
        properties=properties or {},
        order_by=order_by,
        delay=delay,
        deliver_at=deliver_at,
        delay_level=delay_level,
        flag=flag,
        wait_stored=wait_stored,
    )
