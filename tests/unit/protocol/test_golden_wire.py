"""Every frame captured from Apache RocketMQ is understood, and written again with equal meaning."""

from __future__ import annotations

import zlib

import pytest
from tests.support.golden_wire import GoldenFrame, session_frames, session_names

from pocketmq.protocol import framing, headers
from pocketmq.protocol.bodies.connections import (
    ConsumerConnections,
    ConsumerIds,
    ProducerConnections,
    ProducerTable,
)
from pocketmq.protocol.bodies.documents import Document
from pocketmq.protocol.bodies.fastjson import loads
from pocketmq.protocol.bodies.heartbeat import CheckClientRequest, Heartbeat
from pocketmq.protocol.bodies.java_properties import format_properties, parse_properties
from pocketmq.protocol.bodies.offsets import ConsumerOffsets, DelayOffsets, QueueOffsets
from pocketmq.protocol.bodies.pop import (
    AssignmentReply,
    AssignmentRequest,
    MessageRequestMode,
    MessageRequestModes,
)
from pocketmq.protocol.bodies.queues import LockReply, LockRequest
from pocketmq.protocol.bodies.registration import Registration
from pocketmq.protocol.bodies.replicas import ReplicationStatus
from pocketmq.protocol.bodies.route import ClusterTable, TopicRoute
from pocketmq.protocol.bodies.running import ConsumerRunning
from pocketmq.protocol.bodies.security import AclDocument, UserDocument
from pocketmq.protocol.bodies.static_topics import TopicQueueMappingDetail
from pocketmq.protocol.bodies.stats import (
    BrokerConsumeStats,
    BrokerStats,
    ConsumeQueuePage,
    ConsumeStats,
    TopicStats,
)
from pocketmq.protocol.bodies.subscription_group import (
    GroupList,
    SubscriptionGroup,
    SubscriptionGroupTable,
)
from pocketmq.protocol.bodies.tables import KvTable
from pocketmq.protocol.bodies.topic_config import (
    TopicConfigAndMapping,
    TopicConfigTable,
    TopicList,
)
from pocketmq.protocol.bodies.versions import DataVersion
from pocketmq.protocol.fields import COMMON_KEYS, decode_fields, encode_fields
from pocketmq.protocol.requests.catalogue import HEADERS

REQUEST_BODIES: dict[int, type[Document]] = {
    34: Heartbeat,
    41: LockRequest,
    42: LockRequest,
    46: CheckClientRequest,
    103: Registration,
    200: SubscriptionGroup,
    322: DataVersion,
    400: AssignmentRequest,
    401: MessageRequestMode,
    513: TopicQueueMappingDetail,
    3001: UserDocument,
    3006: AclDocument,
}
ANSWER_BODIES: dict[int, type[Document]] = {
    21: TopicConfigTable,
    28: KvTable,
    38: ConsumerIds,
    41: LockReply,
    43: ConsumerOffsets,
    45: DelayOffsets,
    105: TopicRoute,
    106: ClusterTable,
    201: SubscriptionGroupTable,
    202: TopicStats,
    203: ConsumerConnections,
    204: ProducerConnections,
    206: TopicList,
    208: ConsumeStats,
    222: QueueOffsets,
    300: GroupList,
    305: TopicList,
    307: ConsumerRunning,
    315: BrokerStats,
    317: BrokerConsumeStats,
    321: ConsumeQueuePage,
    322: DataVersion,
    328: ProducerTable,
    351: TopicConfigAndMapping,
    400: AssignmentReply,
    402: MessageRequestModes,
    907: ReplicationStatus,
}
PROPERTIES = {(25, False), (26, True), (318, False), (319, True)}
# Bodies that are messages, counters in binary, metrics or free text.
NOT_DOCUMENTS = {10, 11, 12, 33, 39, 60, 61, 310, 320, 325, 326, 361, 2003, 200050}

# Getters that Apache writes into documents although they hold nothing of their own.
COMPUTED_KEYS = {"groupTopicMap"}
# Fields set by hooks, for whoever wants them; a typed header is right to leave them alone.
HOOK_KEYS = COMMON_KEYS | {"ReqT"}


@pytest.mark.parametrize("session", session_names())
def test_a_header_is_decoded_and_encoded_to_the_same_bytes(session: str) -> None:
    for golden in session_frames(session):
        serialization = golden.frame[4]
        head = headers.decode_header(golden.header_bytes, serialization)
        code, language, version, opaque, flag, remark, fields = head
        assert code == golden.header["code"], golden
        assert headers.LANGUAGES[language or 0] == golden.header["language"], golden
        assert (version, opaque, flag) == (
            golden.header["version"],
            golden.header["opaque"],
            golden.header["flag"],
        ), golden
        assert remark == golden.header.get("remark"), golden
        assert fields == golden.fields, golden
        encode = headers.encode_binary if serialization else headers.encode_json
        # An empty map and no map at all mean the same; we write the shorter.
        assert encode(head) == golden.header_bytes.replace(b'"extFields":{},', b""), golden


@pytest.mark.parametrize("session", session_names())
def test_a_stream_of_frames_is_cut_where_they_end(session: str) -> None:
    goldens = list(session_frames(session))
    stream = b"".join(golden.frame for golden in goldens)
    frames, consumed = framing.parse_frames(stream + b"\0\0\1\0half")
    assert consumed == len(stream)
    assert len(frames) == len(goldens)
    for golden, frame in zip(goldens, frames, strict=True):
        assert (frame[0], frame[1]) == (golden.header["code"], golden.header["opaque"]), golden
        assert stream[frame[8] : frame[9]] == golden.body, golden
        typed = framing.untyped(frame)[7]
        assert isinstance(typed, dict)
        for key, value in typed.items():
            assert golden.fields.get(key, value) == value, (str(golden), key)


@pytest.mark.parametrize("session", session_names())
def test_a_typed_header_holds_all_fields_of_its_frame(session: str) -> None:
    for golden in session_frames(session):
        expected = {k: v for k, v in golden.fields.items() if k not in HOOK_KEYS}
        cls = _header_class(golden)
        if cls is None:
            assert not expected, f"{golden}: no header class for {sorted(expected)}"
        elif expected or not golden.is_answer:
            encoded = encode_fields(decode_fields(cls, golden.fields))
            written = {k: v for k, v in encoded.items() if k not in HOOK_KEYS}
            extra = written.keys() - expected.keys()
            assert {k: written[k] for k in expected if k in written} == expected, golden
            # Defaults that Apache would have in mind too may be spelt out.
            assert all(written[key] in ("false", "0", "-1") for key in extra), golden


@pytest.mark.parametrize("session", session_names())
def test_a_body_is_decoded_and_encoded_with_equal_meaning(session: str) -> None:
    for golden in session_frames(session):
        code, body = golden.request_code, golden.body
        if not body or code in NOT_DOCUMENTS:
            continue
        assert code is not None
        if (code, golden.is_answer) in PROPERTIES:
            settings = parse_properties(body)
            assert settings
            assert parse_properties(format_properties(settings)) == settings, golden
            continue
        document = (ANSWER_BODIES if golden.is_answer else REQUEST_BODIES).get(code)
        assert document is not None, f"{golden}: no document for {body[:80]!r}"
        if document is Registration and body[:1] != b"{":
            _check_compressed(golden)
            continue
        before = {k: v for k, v in loads(body).items() if k not in COMPUTED_KEYS}
        assert loads(document.from_json(body).to_json()) == before, golden


def _header_class(golden: GoldenFrame) -> type[tuple[object, ...]] | None:
    request, answer = HEADERS.get(golden.request_code or 0, (None, None))
    return answer if golden.is_answer else request


def _check_compressed(golden: GoldenFrame) -> None:
    registration = Registration.from_body(golden.body)
    assert registration.topics.topic_config_table
    assert registration.topics.data_version.timestamp
    again = zlib.decompress(registration.to_compressed())
    assert again == zlib.decompress(golden.body), golden
