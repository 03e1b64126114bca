"""A directory with whole batches that Apache wrote, served by our broker over real sockets."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from tests.cluster.test_model_batch_topics import send_batch
from tests.support.golden_store import NOW_MS, config_of, expected, unpack
from tests.support.local_broker import Peer, connected, local_broker
from tests.support.pulling import HAS_SUBSCRIPTION, props, pull_all

from pocketmq.broker.config import IdentityConfig, TimersConfig
from pocketmq.clock import ManualClock
from pocketmq.message.batch import decode_batch
from pocketmq.message.positions import QueueOffset
from pocketmq.protocol.codes import RequestCode, ResponseCode
from pocketmq.protocol.command import Command
from pocketmq.protocol.requests.pull import PullRequest

CAPTURE = "batchcq-clean"
TOPIC = "golden_BatchCQ"
GROUPS: dict[str, Any] = {
    "identity": IdentityConfig(cluster="golden_Cluster", name="golden_broker"),
    "timers": TimersConfig(enabled=False),
}
CODES = {
    "FOUND": ResponseCode.SUCCESS,
    "OFFSET_OVERFLOW_ONE": ResponseCode.PULL_NOT_FOUND,
    "OFFSET_OVERFLOW_BADLY": ResponseCode.PULL_OFFSET_MOVED,
}


async def pull(peer: Peer, topic: str, queue_id: int, offset: int, count: int) -> Command:
    request = PullRequest(
        "reader", topic, queue_id, QueueOffset(offset), count, HAS_SUBSCRIPTION, QueueOffset(0),
        0, "*", 0, "TAG",
    )  # fmt: skip
    return await peer.call(RequestCode.PULL_MESSAGE, request)


async def test_apaches_batches_are_read_found_and_continued(tmp_path: Path) -> None:
    root, described = unpack(CAPTURE, tmp_path), expected(CAPTURE)
    groups = {**GROUPS, "store": config_of(CAPTURE, root)}
    async with (
        local_broker(root, ManualClock(NOW_MS), **groups) as app,
        connected(app, "one") as (one,),
    ):
        await _answers_as_apache(one, described)
        records = await _whole_queues(one, described)
        answer = await send_batch(
            one, b"x", b"y", b"z", topic=TOPIC, properties=props(UNIQ_KEY="U1", WAIT="true")
        )
        assert (answer.code, answer.fields["queueOffset"]) == (0, "205")
        answer = await one.send(TOPIC, b"single", 0, props(UNIQ_KEY="U2"))
        assert (answer.code, answer.fields["queueOffset"]) == (0, "208")
    async with (
        local_broker(root, ManualClock(NOW_MS), **groups) as app,
        connected(app, "one") as (one,),
    ):
        again = await pull_all(one, TOPIC, 0)
        assert [m.log_offset for m in again[:-2]] == records[TOPIC, "0"]
        batch, single = again[-2:]
        assert (batch.queue_offset, batch.properties["INNER_NUM"]) == (205, "3")
        assert [bytes(item.body) for item in decode_batch(batch.body)] == [b"x", b"y", b"z"]
        assert (single.queue_offset, single.body) == (208, b"single")


async def _answers_as_apache(one: Peer, described: dict[str, Any]) -> None:
    """Ask over the wire what Apache's own store was asked."""
    for topic, queue_id, offset, count, status, *wanted, found, size in described["get_message"]:
        answer = await pull(one, topic, queue_id, offset, count)
        about = f"{topic} {queue_id} from {offset}"
        assert (answer.code, answer.remark) == (CODES[status], status), about
        places = [int(answer.fields[n]) for n in ("nextBeginOffset", "minOffset", "maxOffset")]
        assert places == wanted, about
        assert (len(answer.body), bool(found)) == (size, bool(answer.body)), about
    # For batch queues Apache's UPPER is erratic, so only the other boundary is compared.
    for topic, queue_id, moment_ms, lower, _ in described["offset_by_time"]:
        fields = {"topic": topic, "queueId": str(queue_id), "timestamp": str(moment_ms)}
        answer = await one.call(RequestCode.SEARCH_OFFSET_BY_TIMESTAMP, fields)
        assert int(answer.fields["offset"]) == lower, f"{topic} {queue_id} at {moment_ms}"


async def _whole_queues(one: Peer, described: dict[str, Any]) -> dict[tuple[str, str], list[int]]:
    """Read every queue from its beginning; each record must be the one that Apache stored."""
    bodies = {record["offset"]: record for record in described["records"]}
    read: dict[tuple[str, str], list[int]] = {}
    for topic, queues in described["queues"].items():
        for queue_id, queue in queues.items():
            found = await pull_all(one, topic, int(queue_id))
            read[topic, queue_id] = [int(message.log_offset) for message in found]
            assert read[topic, queue_id] == [entry[0] for entry in queue["entries"]]
            for message in found:
                record = bodies[message.log_offset]
                assert message.properties == record["properties"]
                assert hashlib.sha256(message.body).hexdigest() == record["bodySha256"]
                assert message.queue_offset == record["queueOffset"]
    return read
