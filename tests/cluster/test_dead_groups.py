"""Groups that nobody belongs to any more keep their places until an operator says otherwise."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.support.local_broker import Peer, connected, local_broker

from pocketmq.broker.app import BrokerApp
from pocketmq.clock import ManualClock
from pocketmq.message.positions import QueueOffset
from pocketmq.protocol.bodies.topic_config import TopicConfig
from pocketmq.protocol.codes import RequestCode
from pocketmq.protocol.requests.offsets import CommitOffsetRequest


async def work_and_leave(app: BrokerApp, peer: Peer) -> None:
    """A member of group g reads two messages, commits, and leaves for ever."""
    app.running.tables.topics.put(TopicConfig("T", 1, 1))
    await peer.heartbeat("T")
    for _ in range(2):
        assert (await peer.send("T")).code == 0
    commit = CommitOffsetRequest("g", "T", 0, QueueOffset(2))
    assert (await peer.call(RequestCode.UPDATE_CONSUMER_OFFSET, commit)).code == 0
    leave = {"clientID": peer.client_id, "consumerGroup": "g"}
    assert (await peer.call(RequestCode.UNREGISTER_CLIENT, leave)).code == 0


async def where(peer: Peer) -> str | None:
    """What the broker says of the group's place in the queue."""
    fields = {"consumerGroup": "g", "topic": "T", "queueId": "0", "setZeroIfNotFound": "false"}
    answer = await peer.call(RequestCode.QUERY_CONSUMER_OFFSET, fields)
    return answer.fields["offset"] if answer.code == 0 else None


async def test_a_dead_group_keeps_its_place_for_years_and_over_restarts(tmp_path: Path) -> None:
    clock = ManualClock(1_795_240_000_000)
    async with local_broker(tmp_path, clock) as app, connected(app, "one") as (peer,):
        await work_and_leave(app, peer)
    for _ in range(2):
        clock.advance(hours=24 * 365)
        async with local_broker(tmp_path, clock) as app, connected(app, "two") as (peer,):
            app.running.clients.step()
            await app.running.retention.step()
            clock.advance(hours=24 * 365)
            app.running.clients.step()
            assert await where(peer) == "2"


@pytest.mark.parametrize(("order", "left"), [("true", None), ("false", "2")])
async def test_only_an_operators_order_takes_a_dead_groups_place_away(
    tmp_path: Path, order: str, left: str | None
) -> None:
    async with local_broker(tmp_path) as app, connected(app, "one") as (peer,):
        await work_and_leave(app, peer)
        delete = {"groupName": "g", "cleanOffset": order}
        assert (await peer.call(RequestCode.DELETE_SUBSCRIPTIONGROUP, delete)).code == 0
        assert await where(peer) == left
    async with local_broker(tmp_path) as app, connected(app, "one") as (peer,):
        assert await where(peer) == left


async def test_a_topics_end_takes_the_places_in_it_away(tmp_path: Path) -> None:
    async with local_broker(tmp_path) as app, connected(app, "one") as (peer,):
        await work_and_leave(app, peer)
        assert (await peer.call(RequestCode.DELETE_TOPIC_IN_BROKER, {"topic": "T"})).code == 0
        app.running.tables.topics.put(TopicConfig("T", 1, 1))
        assert await where(peer) is None
