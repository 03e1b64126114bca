"""A message or a topic put into the broker by the test itself, over the wire, without a client."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from pocketmq.errors import Refused
from pocketmq.message.ids import new_unique_key
from pocketmq.message.properties import DELAY, KEYS, TAGS, UNIQUE_KEY, encode_properties
from pocketmq.message.topics import AUTO_CREATE_TOPIC, PERM_READ_WRITE
from pocketmq.net import RpcClient
from pocketmq.protocol.codes import RequestCode, ResponseCode
from pocketmq.protocol.command import Command
from pocketmq.protocol.fields import encode_fields
from pocketmq.protocol.requests.send import SendRequest
from pocketmq.protocol.requests.topics import CreateTopicRequest
from pocketmq.testing.servers import Servers

_TIMER_DELAY_MS = "TIMER_DELAY_MS"
_GROUP = "pocketmq-testing"
_QUEUES = 4


async def put_message(
    servers: Servers, topic: str, body: bytes, properties: Mapping[str, str], queue_id: int
) -> None:
    """Send a message. Raise Refused, NetError."""
    request = SendRequest(
        producer_group=_GROUP,
        topic=topic,
        default_topic=AUTO_CREATE_TOPIC,
        default_topic_queue_nums=_QUEUES,
        queue_id=queue_id,
        sys_flag=0,
        born_timestamp=servers.clock.now_ms(),
        flag=0,
        properties=encode_properties(properties),
    )
    await _ask(servers, RequestCode.SEND_MESSAGE, encode_fields(request), body)


def next_queue(servers: Servers, topic: str, turn: int) -> int:
    """The queue for the next message: one after the other."""
    known = servers.running.tables.topics.find(topic)
    return turn % (_QUEUES if known is None else max(known.write_queue_nums, 1))


async def put_topic(servers: Servers, topic: str, queues: int) -> None:
    """Create a topic, or change how many queues it has. Raise Refused, NetError."""
    request = CreateTopicRequest(topic, AUTO_CREATE_TOPIC, queues, queues, PERM_READ_WRITE)
    await _ask(servers, RequestCode.UPDATE_AND_CREATE_TOPIC, encode_fields(request), b"")


def as_bytes(body: object) -> bytes:
    """bytes as they are, text as UTF-8, everything else as JSON."""
    if isinstance(body, (bytes, bytearray, memoryview)):
        return bytes(body)
    return body.encode() if isinstance(body, str) else json.dumps(body).encode()


def properties_of(
    given: Mapping[str, str],
    now_ms: int,
    *,
    tag: str | None,
    keys: str | Sequence[str],
    delay: float | None,
    delay_level: int,
) -> dict[str, str]:
    """A message's properties. Raise ValueError for two kinds of delay."""
    if delay is not None and delay_level:
        raise ValueError("give either delay, in seconds, or delay_level")
    properties = {**given, UNIQUE_KEY: new_unique_key(now_ms)}
    if tag is not None:
        properties[TAGS] = tag
    if keys:
        properties[KEYS] = keys if isinstance(keys, str) else " ".join(keys)
    if delay is not None:
        properties[_TIMER_DELAY_MS] = str(round(delay * 1000))
    if delay_level:
        properties[DELAY] = str(delay_level)
    return properties


async def _ask(servers: Servers, code: int, fields: dict[str, str], body: bytes) -> None:
    client = RpcClient()
    try:
        address = f"127.0.0.1:{servers.broker_port}"
        answer = await client.call(address, Command.request(code, fields, body))
    finally:
        await client.close()
    if answer.code != ResponseCode.SUCCESS:
        raise Refused(answer.code, answer.remark or f"answer {answer.code}")
