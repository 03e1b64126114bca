"""What is fuzzed, and the only exceptions that input may cause there."""

from __future__ import annotations

import json
import random
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from fuzz.mutation import mutate
from fuzz.pulls import check_pulls, mutate_pull
from fuzz.sends import check_sends, check_usual_sends, mutate_send
from pocketmq import _speedups
from pocketmq.client.codecs import HessianCodec, JavaCodec
from pocketmq.errors import (
    BodyUndecodable,
    BodyUnencodable,
    FrameTooLarge,
    MalformedBody,
    MalformedField,
    MalformedFrame,
    MalformedHeader,
    MissingField,
    ProtocolError,
    SubscriptionInvalid,
)
from pocketmq.filtering import parse_subscription
from pocketmq.message.topics import group_problem, topic_problem
from pocketmq.protocol import framing, headers
from pocketmq.protocol.bodies import fastjson
from pocketmq.protocol.bodies.documents import Document
from pocketmq.protocol.bodies.heartbeat import Heartbeat
from pocketmq.protocol.bodies.java_properties import parse_properties
from pocketmq.protocol.bodies.offsets import ConsumerOffsets
from pocketmq.protocol.bodies.queues import LockRequest
from pocketmq.protocol.bodies.registration import Registration
from pocketmq.protocol.bodies.route import TopicRoute
from pocketmq.protocol.bodies.stats import ConsumeStats
from pocketmq.protocol.bodies.subscription_group import SubscriptionGroup
from pocketmq.protocol.bodies.topic_config import TopicConfigTable
from pocketmq.protocol.command import JSON, ROCKETMQ, Command
from pocketmq.protocol.fields import decode_fields, encode_fields
from pocketmq.protocol.requests.catalogue import HEADERS

FRAME_BYTES_MAX = 32 * 1024
"""Smaller than a server's limit, so that it is reached."""

Mutate = Callable[[random.Random, bytes, Sequence[bytes]], bytes]


@dataclass(frozen=True)
class Target:
    """One entrance for bytes: how inputs are damaged, what reads them, and what that may raise."""

    name: str
    mutate: Mutate
    check: Callable[[bytes], None]
    allowed: tuple[type[Exception], ...]


def check_frames(data: bytes) -> None:
    """The compiled and the plain parser agree, and what they read can be written and read again."""
    expected = _outcome(_parse_plainly, data)
    found = _outcome(_parse, data)
    if expected is MalformedHeader and not _is_text(data):
        # The compiled build does not look at values that nothing reads, so it may accept a header
        # that the plain one refuses for bytes which are no UTF-8.
        return
    assert found == expected, f"the builds of the parser disagree: {found} is not {expected}"
    frames, consumed = _parse(data)
    assert 0 <= consumed <= len(data)
    for frame in frames:
        plain = framing.untyped(frame)
        command = framing.frame_to_command(data, plain)
        again = framing.encode_frame(command)
        if len(again) <= FRAME_BYTES_MAX:
            (second,), size = _parse(again)
            assert size == len(again)
            read = framing.frame_to_command(again, framing.untyped(second))
            assert _facts(read) == _facts(command), "a frame changes when it is written again"


def check_json_header(data: bytes) -> None:
    """A JSON header is read or refused."""
    headers.decode_header(data, JSON)


def check_binary_header(data: bytes) -> None:
    """A ROCKETMQ header is read or refused."""
    headers.decode_header(data, ROCKETMQ)


def check_fields(data: bytes) -> None:
    """A header's map gives a typed header, which gives the same header again."""
    code, *_, fields = headers.decode_header(data, JSON)
    for cls in HEADERS.get(code, ()):
        if cls is not None:
            header = decode_fields(cls, fields)
            # A float that is no number is not equal to itself, so compare what is written.
            written = encode_fields(header)
            assert encode_fields(decode_fields(cls, written)) == written
    topic_problem(fields.get("topic", ""))
    group_problem(fields.get("consumerGroup", ""))
    parse_subscription("T", fields.get("subscription"), fields.get("expressionType"))


def check_documents(data: bytes) -> None:
    """A body is read as any of the documents a client may send, and written again."""
    value = fastjson.loads(data)
    fastjson.loads(fastjson.dumps(value))
    refused = 0
    for document in DOCUMENTS:
        try:
            read = document.from_tree(value)
        except MalformedBody:
            refused += 1
            continue
        # Half a surrogate and a number that is none are replaced when they are written first.
        written = document.from_json(read.to_json())
        assert document.from_json(written.to_json()) == written, f"{document.__name__} changes"
    if refused == len(DOCUMENTS):
        raise MalformedBody("no document at all")


def check_registration(data: bytes) -> None:
    """A registration is read, plain or compressed."""
    Registration.from_body(data)


def check_properties(data: bytes) -> None:
    """A properties text is read."""
    parse_properties(data)


DOCUMENTS: tuple[type[Document], ...] = (
    Heartbeat,
    LockRequest,
    SubscriptionGroup,
    TopicConfigTable,
    TopicRoute,
    ConsumeStats,
    ConsumerOffsets,
)


def check_java_body(data: bytes) -> None:
    """A body in Java serialization is read within its bounds, shown, and written if it can be."""
    _check_body(JavaCodec(), data)


def check_hessian_body(data: bytes) -> None:
    """The same for Hessian 2."""
    _check_body(HessianCodec(), data)


def _check_body(codec: JavaCodec | HessianCodec, data: bytes) -> None:
    value = codec.decode(data)
    repr(value)
    try:
        written = codec.encode(value)
    except BodyUnencodable:
        return  # what only Java can write
    # Not the same value: Java has more types for time than are written.
    codec.decode(written)


def _parse(data: bytes) -> tuple[list[framing.Frame], int]:
    return framing.parse_frames(data, FRAME_BYTES_MAX)


def _parse_plainly(data: bytes) -> tuple[list[framing.Frame], int]:
    frames, position = [], 0
    while (frame := framing.parse_one(data, position, FRAME_BYTES_MAX)) is not None:
        frames.append(frame)
        position = frame[9]
    return frames, position


def _is_text(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def _outcome(parse: Callable[[bytes], Any], data: bytes) -> Any:
    try:
        return parse(data)
    except ProtocolError as error:
        return type(error)


def _facts(command: Command) -> tuple[object, ...]:
    # The binary form has no way to say that the language is unknown.
    language = 7 if command.language is None else command.language
    head = (command.code, language, command.version, command.opaque, command.flag)
    return (*head, command.remark or None, command.fields, bytes(command.body))


def mutate_in_frame(source: random.Random, data: bytes, others: Sequence[bytes]) -> bytes:
    """Half the time, damage the header alone and keep the frame's lengths right."""
    if source.random() < 0.5 or len(data) < 8:
        return mutate(source, data, others)
    header_bytes = int.from_bytes(data[5:8], "big")
    header = mutate(source, data[8 : 8 + header_bytes], [other[8:] for other in others[:8]])
    body = data[8 + header_bytes :][:64]
    word = data[4] << 24 | len(header)
    return struct.pack(">iI", 4 + len(header) + len(body), word) + header + body


def mutate_map(source: random.Random, data: bytes, others: Sequence[bytes]) -> bytes:
    """Change entries of a JSON header's map, so that it stays a header."""
    try:
        document = json.loads(data)
        fields = dict(document["extFields"])
        key = source.choice(sorted(fields))
    except (ValueError, KeyError, IndexError, TypeError):
        return mutate(source, data, others)
    document["extFields"] = fields
    if source.random() < 0.3:
        del fields[key]
    else:
        text = str(fields[key]).encode("utf-8", "replace")
        fields[key] = mutate(source, text, others[:8]).decode("utf-8", "replace")
    return json.dumps(document).encode()


TARGETS = (
    Target(
        "frames", mutate_in_frame, check_frames, (FrameTooLarge, MalformedFrame, MalformedHeader)
    ),
    Target("json-headers", mutate, check_json_header, (MalformedHeader,)),
    Target("binary-headers", mutate, check_binary_header, (MalformedHeader,)),
    Target(
        "fields",
        mutate_map,
        check_fields,
        (MalformedHeader, MissingField, MalformedField, SubscriptionInvalid),
    ),
    Target("documents", mutate, check_documents, (MalformedBody,)),
    Target("registrations", mutate, check_registration, (MalformedBody,)),
    Target("properties", mutate, check_properties, (MalformedBody,)),
    Target("java-bodies", mutate, check_java_body, (BodyUndecodable,)),
    Target("hessian-bodies", mutate, check_hessian_body, (BodyUndecodable,)),
    Target("usual-sends", mutate_send, check_usual_sends, ()),
    *((Target("sends", mutate_send, check_sends, ()),) if _speedups.has("sends") else ()),
    *((Target("pulls", mutate_pull, check_pulls, ()),) if _speedups.has("pull_lanes") else ()),
)
