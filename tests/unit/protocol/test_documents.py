"""JSON documents: shapes that Apache's peers must be able to read, and forgiving reading."""

from __future__ import annotations

import importlib
import json
import pkgutil
import struct
import zlib
from dataclasses import replace

import pytest

from pocketmq.errors import MalformedBody
from pocketmq.protocol import bodies
from pocketmq.protocol.bodies.documents import Document
from pocketmq.protocol.bodies.heartbeat import Heartbeat, SubscriptionData
from pocketmq.protocol.bodies.java_properties import format_properties, parse_properties
from pocketmq.protocol.bodies.offsets import ConsumerOffsets, QueueOffsets
from pocketmq.protocol.bodies.pop import AckItem, AssignmentReply, BatchAck
from pocketmq.protocol.bodies.queues import LockReply, MessageQueue
from pocketmq.protocol.bodies.registration import (
    INFLATED_BYTES_MAX,
    Registration,
    body_checksum,
)
from pocketmq.protocol.bodies.route import BrokerData, ClusterTable, QueueData, TopicRoute
from pocketmq.protocol.bodies.static_topics import TopicQueueMapping
from pocketmq.protocol.bodies.stats import TopicOffset, TopicStats
from pocketmq.protocol.bodies.subscription_group import SubscriptionGroup
from pocketmq.protocol.bodies.topic_config import (
    TopicConfig,
    TopicConfigTable,
    TopicList,
    apply_attribute_changes,
    parse_attribute_changes,
)
from pocketmq.protocol.bodies.versions import DataVersion

ROUTE = TopicRoute(
    (QueueData("broker-a", 8, 8, 6),),
    (BrokerData("DefaultCluster", "broker-a", {0: "10.0.0.1:10911", 1: "10.0.0.2:10911"}),),
)


def _documents() -> list[type[Document]]:
    for module in pkgutil.iter_modules(bodies.__path__):
        importlib.import_module(f"{bodies.__name__}.{module.name}")
    # A slotted dataclass leaves the class it was made from behind; only the last one counts.
    named = {cls.__name__: cls for cls in Document.__subclasses__()}
    return sorted(named.values(), key=lambda cls: cls.__name__)


@pytest.mark.parametrize("cls", _documents(), ids=lambda cls: str(cls.__name__))
def test_every_document_has_defaults_and_survives_its_own_json(cls: type[Document]) -> None:
    document = cls()
    assert cls.from_json(document.to_json()) == document
    assert list(document.to_tree()) == sorted(document.to_tree())


def test_a_route_has_bare_broker_ids() -> None:
    assert ROUTE.to_json() == (
        b'{"brokerDatas":[{"brokerAddrs":{0:"10.0.0.1:10911",1:"10.0.0.2:10911"},'
        b'"brokerName":"broker-a","cluster":"DefaultCluster","enableActingMaster":false}],'
        b'"filterServerTable":{},"queueDatas":[{"brokerName":"broker-a","perm":6,'
        b'"readQueueNums":8,"topicSysFlag":0,"writeQueueNums":8}]}'
    )


def test_a_route_can_be_strict_json() -> None:
    document = json.loads(ROUTE.to_standard_json())
    assert list(document["brokerDatas"][0]["brokerAddrs"]) == ["0", "1"]
    assert (
        TopicRoute.from_json(ROUTE.to_standard_json())
        == ROUTE
        == TopicRoute.from_json(ROUTE.to_json())
    )


def test_the_cluster_table_has_bare_broker_ids() -> None:
    broker = BrokerData("c", "b", {0: "a:1"})
    assert b'"brokerAddrs":{0:"a:1"}' in ClusterTable({"b": broker}, {"c": ("b",)}).to_json()


def test_a_queue_is_a_key_as_an_object() -> None:
    stats = TopicStats({MessageQueue("T", "b", 0): TopicOffset(1, 5, 7)})
    text = stats.to_json()
    assert b'{{"brokerName":"b","queueId":0,"topic":"T"}:{"lastUpdate' in text
    assert TopicStats.from_json(text) == stats


def test_a_queue_is_read_from_a_text_key_too() -> None:
    key = json.dumps('{"brokerName":"b","queueId":2,"topic":"T"}')
    assert QueueOffsets.from_json(f'{{"offsetTable":{{{key}:"9"}}}}') == QueueOffsets(
        {MessageQueue("T", "b", 2): 9}
    )


def test_offsets_are_read_as_apache_saves_them() -> None:
    text = '{\n\t"offsetTable":{"T@g":{0:3,1:4\n\t\t}\n\t}\n}'
    assert ConsumerOffsets.from_json(text).offset_table == {"T@g": {0: 3, 1: 4}}


def test_reading_forgives_what_apache_forgives() -> None:
    config = TopicConfig.from_json(
        '{"topicName":"T","readQueueNums":"4","order":"true","attributes":null,"new":{"x":[1]}}'
    )
    assert config == TopicConfig("T", 4, order=True)


@pytest.mark.parametrize(
    "text",
    [
        "[]",
        '{"readQueueNums":"four"}',
        '{"readQueueNums":1e99}',
        '{"readQueueNums":99999999999999999999}',
        '{"attributes":[1]}',
        '{"readQueueNums":{}}',
    ],
)
def test_what_has_the_wrong_form_is_refused_by_name(text: str) -> None:
    with pytest.raises(MalformedBody, match="TopicConfig"):
        TopicConfig.from_json(text)


def test_null_items_of_a_list_are_skipped() -> None:
    assert TopicList.from_json('{"topicList":["a",null,"b"]}').topic_list == ("a", "b")


def test_a_list_of_the_wrong_form_is_refused() -> None:
    with pytest.raises(MalformedBody, match="subscriptionDataSet"):
        Heartbeat.from_json('{"consumerDataSet":[{"subscriptionDataSet":"x"}]}')


def test_wire_names_that_are_not_camel_case_are_kept() -> None:
    assert b'"clientID":"c"' in Heartbeat("c").to_json()
    assert LockReply((MessageQueue("T", "b", 1),)).to_json() == (
        b'{"lockOKMQSet":[{"brokerName":"b","queueId":1,"topic":"T"}]}'
    )
    ack = BatchAck("b", (AckItem("g", "T", "0", 5, 1, 2, 3, 4, "AQI="),))
    assert json.loads(ack.to_json())["acks"] == [
        {"b": "AQI=", "c": "g", "it": 4, "pt": 3, "q": 1, "r": "0", "rq": 2, "so": 5, "t": "T"}
    ]


def test_nothing_to_assign_is_written_as_no_property() -> None:
    assert AssignmentReply().to_json() == b"{}"


def test_a_group_has_the_defaults_of_apache() -> None:
    group = json.loads(SubscriptionGroup("g").to_json())
    assert group["retryMaxTimes"] == 16
    assert group["groupRetryPolicy"] == {"type": "CUSTOMIZED"}
    assert "subscriptionDataSet" not in group


def test_a_subscription_keeps_the_order_of_its_tags() -> None:
    data = SubscriptionData("T", "B||A", ("B", "A"), (66, 65), 9)
    assert SubscriptionData.from_json(data.to_json()) == data


def test_data_versions_are_ordered_by_state_counter_and_time() -> None:
    version = DataVersion(0, 5, 1)
    assert DataVersion(1, 0, 0).is_newer_than(version)
    assert DataVersion(0, 0, 2).is_newer_than(version)
    assert DataVersion(0, 6, 1).is_newer_than(version)
    assert not version.is_newer_than(version)
    assert version.next(9) == DataVersion(0, 9, 2)


def test_a_topic_line_has_single_spaces() -> None:
    config = TopicConfig("T", 8, 4, 6, attributes={"message.type": "FIFO"})
    assert config.to_line() == 'T 8 4 6 SINGLE_TAG {"message.type":"FIFO"}'
    assert TopicConfig.from_line(config.to_line()) == config
    assert TopicConfig.from_line("T 8 8 6 SINGLE_TAG").attributes == {}


@pytest.mark.parametrize("line", ["", "T 8 8", "T x 8 6 SINGLE_TAG {}", "T 8 8 6 SINGLE_TAG [1]"])
def test_a_damaged_topic_line_is_refused(line: str) -> None:
    with pytest.raises(MalformedBody):
        TopicConfig.from_line(line)


TABLE = TopicConfigTable(
    {"T": TopicConfig("T", 4, 4, attributes={"a": "b"})},
    DataVersion(0, 7, 3),
    topic_queue_mapping_info_map={"S": TopicQueueMapping("S", bname="b", curr_id_map={0: 1})},
)


def test_a_registration_is_read_plain_and_compressed() -> None:
    registration = Registration(TABLE, ("filter:1",))
    assert Registration.from_body(registration.to_json()) == registration
    # A bare integer key survives inside a topic table.
    assert b'"currIdMap":{0:1}' in registration.to_json()
    assert Registration.from_body(registration.to_compressed()) == registration
    assert Registration.from_body(b"") == Registration()


def test_a_compressed_registration_of_an_old_broker_has_no_mappings() -> None:
    table = replace(TABLE, topic_queue_mapping_info_map={})
    data = zlib.decompress(Registration(table).to_compressed())
    assert data.endswith(struct.pack(">i", 0))
    assert Registration.from_body(zlib.compress(data[:-4])) == Registration(table)


@pytest.mark.parametrize("cut", [1, 5, 30, 60, 90])
def test_a_cut_registration_is_refused(cut: int) -> None:
    data = zlib.decompress(Registration(TABLE).to_compressed())
    with pytest.raises(MalformedBody):
        Registration.from_body(zlib.compress(data[:-cut]))


def test_a_body_that_is_neither_json_nor_zlib_is_refused() -> None:
    with pytest.raises(MalformedBody, match="zlib"):
        Registration.from_body(b"\x01\x02\x03")


def test_a_registration_that_inflates_without_end_is_refused() -> None:
    with pytest.raises(MalformedBody, match="inflates"):
        Registration.from_body(zlib.compress(b"\0" * (INFLATED_BYTES_MAX + 1)))


def test_a_checksum_has_31_bits() -> None:
    assert body_checksum(b"hi") == zlib.crc32(b"hi") & 0x7FFFFFFF


def test_attribute_changes_add_and_remove() -> None:
    changes = parse_attribute_changes("+message.type=FIFO, -reserve.time")
    assert changes == {"+message.type": "FIFO", "-reserve.time": ""}
    assert apply_attribute_changes({"reserve.time": "1", "x": "y"}, changes) == {
        "x": "y",
        "message.type": "FIFO",
    }
    assert parse_attribute_changes(None) == parse_attribute_changes("") == {}


@pytest.mark.parametrize("text", ["message.type=FIFO", "+a", "-a=b", "+", "+a=1,+a=2"])
def test_an_odd_attribute_change_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="attribute"):
        parse_attribute_changes(text)


def test_properties_are_read_as_java_does() -> None:
    text = "# c\n! c\n\n a = 1 \nb:two\nc three\nd=\\u00e9\\=\\\n   more\r\ne=\nlast"
    assert parse_properties(text) == {
        "a": "1 ",
        "b": "two",
        "c": "three",
        "d": "é=more",
        "e": "",
        "last": "",
    }


def test_properties_are_written_sorted() -> None:
    assert format_properties({"b": "2", "a": "1"}) == b"a=1\nb=2\n"


def test_properties_that_are_not_utf8_are_refused() -> None:
    with pytest.raises(MalformedBody):
        parse_properties(b"a=\xff")
