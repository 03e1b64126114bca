"""Which member of a group gets which queue, over real sockets and several brokers."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from tests.support.local_broker import Peer, broker_config, connected, local_broker
from tests.support.local_cluster import name_server
from tests.support.pops import RETRY

from pocketmq.broker.app import BrokerApp
from pocketmq.broker.config import AssignmentsConfig, IdentityConfig, RegistrationConfig
from pocketmq.clock import ManualClock
from pocketmq.protocol.bodies.pop import (
    AssignmentReply,
    AssignmentRequest,
    MessageRequestMode,
    MessageRequestModes,
)
from pocketmq.protocol.bodies.topic_config import TopicConfig
from pocketmq.protocol.codes import RequestCode, ResponseCode

Queue = tuple[str, int, str]


@pytest.fixture
async def broker(tmp_path: Path) -> AsyncIterator[BrokerApp]:
    async with local_broker(tmp_path) as app:
        app.running.tables.topics.put(TopicConfig("T", 2, 2))
        yield app


@pytest.fixture
async def peer(broker: BrokerApp) -> AsyncIterator[Peer]:
    async with connected(broker, "one") as (one,):
        yield one


async def placed(peer: Peer, client: str = "one", **more: str) -> list[Queue] | None:
    """Broker, queue and mode of what a client is to consume."""
    fields = {"strategy_name": "AVG", "topic": "T", **more}
    body = AssignmentRequest(consumer_group="g", client_id=client, **fields).to_json()
    answer = await peer.call(RequestCode.QUERY_ASSIGNMENT, body=body)
    assert answer.code == 0
    found = AssignmentReply.from_json(answer.body).message_queue_assignments
    if found is None:
        return None
    queues = [(each.message_queue, each.mode) for each in found]
    return [(queue.broker_name, queue.queue_id, mode) for queue, mode in queues if queue]


async def assigned(peer: Peer, **more: str) -> list[tuple[int, str]] | None:
    """The same without brokers."""
    found = await placed(peer, **more)
    return None if found is None else [(queue, mode) for _, queue, mode in found]


async def test_queues_are_shared_out_as_an_operator_set_it(broker: BrokerApp, peer: Peer) -> None:
    assert await assigned(peer) is None, "nobody is there"
    await peer.heartbeat("T")
    assert await assigned(peer) == [(0, "PULL"), (1, "PULL")]
    assert await assigned(peer, strategy_name="NONE") is None
    assert await assigned(peer, message_model="BROADCASTING") == [(0, "PULL"), (1, "PULL")]
    mode = MessageRequestMode("T", "g", "POP", 0)
    code = RequestCode.SET_MESSAGE_REQUEST_MODE
    assert (await peer.call(code, body=mode.to_json())).code == 0
    assert await assigned(peer) == [(-1, "POP")]
    dump = await peer.call(RequestCode.GET_ALL_MESSAGE_REQUEST_MODE)
    assert MessageRequestModes.from_json(dump.body).message_request_mode_map == {"T": {"g": mode}}
    for bad, refusal in (
        (MessageRequestMode(RETRY, "g", "POP"), ResponseCode.NO_PERMISSION),
        (MessageRequestMode("missing", "g", "POP"), ResponseCode.TOPIC_NOT_EXIST),
        (MessageRequestMode("T", "g", "FOO"), ResponseCode.INVALID_PARAMETER),
    ):
        assert (await peer.call(code, body=bad.to_json())).code == refusal
    assert await assigned(peer, topic="missing") is None


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        (AssignmentsConfig(balance=False), [(0, "PULL"), (1, "PULL")]),
        (AssignmentsConfig(mode="POP"), [(-1, "POP")]),
        (AssignmentsConfig(mode="POP", pop_share_queues=1), [(0, "POP"), (1, "POP")]),
    ],
)
async def test_settings_say_what_holds_for_groups_nobody_set(
    tmp_path: Path, config: AssignmentsConfig, expected: list[tuple[int, str]]
) -> None:
    async with local_broker(tmp_path, assignments=config) as app:
        app.running.tables.topics.put(TopicConfig("T", 2, 2))
        app.running.tables.topics.put(TopicConfig(RETRY, 1, 1))
        async with connected(app, "one", "two", "three") as peers:
            for peer in peers:
                await peer.heartbeat("T")
            found = await assigned(peers[0])
            if config.pop_share_queues == 1:
                assert found in ([(0, "POP")], [(1, "POP")]), "more members than queues"
            else:
                assert found == expected
            retried = await assigned(peers[0], topic=RETRY)
            assert retried in ([(0, "PULL")], []), "retry topics are pulled"


async def test_all_brokers_of_a_topic_have_a_share(tmp_path: Path, clock: ManualClock) -> None:
    async with name_server() as server:
        address = f"127.0.0.1:{server.address.port}"
        registration = RegistrationConfig(name_servers=address)
        groups = {"registration": registration}
        second = replace(
            broker_config(tmp_path / "c", **groups),
            identity=IdentityConfig(cluster="C", name="c"),
        )
        other = BrokerApp(second)
        await other.start()
        try:
            async with local_broker(tmp_path / "b", clock, **groups) as app:
                for each in (app, other):
                    each.running.tables.topics.put(TopicConfig("T", 2, 2))
                    await each.running.registration.tell_changes(3)
                async with connected(app, "one", "two") as (one, two):
                    await one.heartbeat("T")
                    await two.heartbeat("T")
                    both = (
                        [("b", 0, "PULL"), ("b", 1, "PULL")],
                        [("c", 0, "PULL"), ("c", 1, "PULL")],
                    )
                    assert (await placed(one), await placed(two, "two")) == both
                    mode = MessageRequestMode("T", "g", "POP", 0)
                    code = RequestCode.SET_MESSAGE_REQUEST_MODE
                    assert (await one.call(code, body=mode.to_json())).code == 0
                    assert await placed(one) == [("b", -1, "POP"), ("c", -1, "POP")]
                    await server.stop()
                    clock.advance(seconds=60)
                    assert await placed(one) == [("b", -1, "POP"), ("c", -1, "POP")], "as before"
        finally:
            await other.stop()


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(1_795_240_000_000)
