"""Frames made of parts encoded beforehand are the frames that the general encoder makes."""

from __future__ import annotations

import pytest

from pocketmq.client.lanes import SEND, SEND_BATCH, Lane, Lanes
from pocketmq.client.outgoing import Outgoing
from pocketmq.client.routes import Route, route_of
from pocketmq.message.hashing import java_string_hash
from pocketmq.protocol.bodies.queues import MessageQueue
from pocketmq.protocol.bodies.route import BrokerData, QueueData, TopicRoute
from pocketmq.protocol.command import FLAG_ONEWAY, ROCKETMQ
from pocketmq.protocol.framing import FRAME_BYTES_MAX, encode_frame, parse_frames, untyped


def outgoing(body: bytes = b"body", sys_flag: int = 0, flag: int = 0, batch: int = 0) -> Outgoing:
    out = Outgoing(
        "T", "T", body, "UNIQ_KEY\x01ü\x02".encode(), "ü", 1_700_000_000_000, sys_flag, flag
    )
    out.batch_size = batch
    return out


@pytest.mark.parametrize("oneway", [False, True])
@pytest.mark.parametrize("batch", [0, 3])
@pytest.mark.parametrize(("sys_flag", "flag"), [(0, 0), (0x301, 7), (4, -1)])
@pytest.mark.parametrize("body", [b"x", b"y" * 100_000])
def test_a_frame_says_what_the_general_encoder_says(
    oneway: bool, batch: int, sys_flag: int, flag: int, body: bytes
) -> None:
    lane = Lane("größe", MessageQueue("T", "broker-a", 3), "a:1", 4)
    out = outgoing(body, sys_flag, flag, batch)
    for opaque in (1, 2**31 - 1):
        frame = lane.frame(out, opaque, FLAG_ONEWAY if oneway else 0)
        general = encode_frame(lane.command(out, opaque, oneway=oneway))
        ours, theirs = (parse_frames(x, FRAME_BYTES_MAX)[0][0] for x in (frame, general))
        assert untyped(ours)[:8] == untyped(theirs)[:8]
        assert frame[ours[8] : ours[9]] == body == general[theirs[8] : theirs[9]]
        assert ours[0] == (SEND_BATCH if batch else SEND)
        assert ours[3] == ROCKETMQ
        assert len(frame) == len(general)


def route(*queues: tuple[str, int, int, int]) -> Route:
    """A route of (broker, write queues, permission, replica id of its only address)."""
    return route_of(
        "T",
        TopicRoute(
            tuple(QueueData(name, count, count, perm) for name, count, perm, _ in queues),
            tuple(BrokerData("C", name, {number: f"{name}:1"}) for name, _, _, number in queues),
        ),
    )


def test_only_queues_that_a_master_writes_are_sent_to() -> None:
    found = route(("b", 2, 6, 0), ("a", 1, 6, 0), ("read-only", 4, 4, 0), ("headless", 4, 6, 1))
    lanes = Lanes("g", "T", found, 4)
    assert [(lane.broker_name, lane.queue.queue_id) for lane in lanes.all] == [
        ("a", 0),
        ("b", 0),
        ("b", 1),
    ]
    assert {queue.broker_name for queue in found.read_queues} == {"a", "b", "read-only", "headless"}


def test_an_order_configuration_pins_the_queues() -> None:
    document = TopicRoute(
        (QueueData("a", 8, 8, 6), QueueData("b", 8, 8, 6)),
        (BrokerData("C", "a", {0: "a:1"}), BrokerData("C", "b", {0: "b:1"})),
        order_topic_conf="a:2;b:1; ;c:x",
    )
    found = route_of("T", document)
    assert found.is_ordered
    assert [(q.broker_name, q.queue_id) for q in found.write_queues] == [
        ("a", 0),
        ("a", 1),
        ("b", 0),
    ]


def test_lanes_take_turns_and_keys_keep_theirs() -> None:
    lanes = Lanes("g", "T", route(("a", 4, 6, 0)), 4)
    assert sorted(lanes.next().queue.queue_id for _ in range(8)) == [0, 0, 1, 1, 2, 2, 3, 3]
    for key in ("x", "customer-1", "ключ"):
        assert lanes.by_key(key).queue.queue_id == abs(java_string_hash(key)) % 4
    assert lanes.of(MessageQueue("T", "a", 2)) is lanes.all[2]
    assert lanes.of(MessageQueue("T", "z", 2)) is None


def test_any_replica_is_better_than_none_for_reading() -> None:
    found = route(("headless", 4, 6, 1))
    assert found.master("headless") is None
    assert found.address("headless", 2) == "headless:1"
    assert found.address("unknown") is None
