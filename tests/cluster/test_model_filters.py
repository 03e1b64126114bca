"""SQL92 filters over real sockets: what is pulled, what wakes a held pull, what is refused."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.support.local_broker import Peer, connected, local_broker
from tests.support.pulling import props

from pocketmq.broker.app import BrokerApp
from pocketmq.broker.config import PullConfig
from pocketmq.message.positions import QueueOffset
from pocketmq.message.record import decode_record
from pocketmq.protocol.bodies.heartbeat import (
    CheckClientRequest,
    ConsumerData,
    Heartbeat,
    SubscriptionData,
)
from pocketmq.protocol.bodies.topic_config import TopicConfig
from pocketmq.protocol.codes import RequestCode, ResponseCode
from pocketmq.protocol.command import Command
from pocketmq.protocol.requests.pull import HAS_SUBSCRIPTION, MAY_SUSPEND, PullRequest

SQL = PullConfig(property_filter=True)
ODD = "n > 10 AND region = 'eu'"


@pytest.fixture
async def broker(tmp_path: Path) -> AsyncIterator[BrokerApp]:
    async with local_broker(tmp_path, pull=SQL) as app:
        app.running.tables.topics.put(TopicConfig("T", 1, 1))
        yield app


@pytest.fixture
async def peer(broker: BrokerApp) -> AsyncIterator[Peer]:
    async with connected(broker, "one") as (one,):
        yield one


async def present(peer: Peer, expression: str, version: int, topic: str = "T") -> None:
    """Heartbeat of group g, subscribed to one topic."""
    wanted = SubscriptionData(topic, expression, sub_version=version, expression_type="SQL92")
    beat = Heartbeat(peer.client_id, (), (ConsumerData("g", subscription_data_set=(wanted,)),))
    await peer.call(RequestCode.HEART_BEAT, body=beat.to_json())


async def pull(
    peer: Peer,
    expression: str | None = None,
    *,
    offset: int = 0,
    version: int = 0,
    topic: str = "T",
    flags: int = 0,
    wait_ms: int = 0,
    kind: str = "SQL92",
) -> Command:
    flags |= HAS_SUBSCRIPTION if expression is not None else 0
    request = PullRequest(
        "g", topic, 0, QueueOffset(offset), 32, flags, QueueOffset(0), wait_ms, expression,
        version, kind,
    )  # fmt: skip
    return await peer.call(RequestCode.PULL_MESSAGE, request)


def bodies(answer: Command) -> list[bytes]:
    found, at = [], 0
    data = bytes(answer.body)
    while at < len(data):
        record = decode_record(data, at)
        found.append(bytes(record.body))
        at += record.size
    return found


async def send_numbers(peer: Peer, count: int) -> None:
    for number in range(count):
        region = "eu" if number % 2 else "us"
        await peer.send(
            "T", b"%d" % number, 0, props(UNIQ_KEY=f"U{number}", n=number, region=region)
        )


async def test_only_what_suits_is_pulled_and_the_rest_is_passed(peer: Peer) -> None:
    await send_numbers(peer, 100)
    found: list[bytes] = []
    offset = 0
    while offset < 100:
        answer = await pull(peer, ODD, offset=offset)
        assert answer.code in (0, ResponseCode.PULL_RETRY_IMMEDIATELY)
        found += bodies(answer)
        assert int(answer.fields["nextBeginOffset"]) > offset
        offset = int(answer.fields["nextBeginOffset"])
    assert found == [b"%d" % number for number in range(11, 100, 2)]


async def test_a_queue_without_a_suitable_message_is_passed_at_once(peer: Peer) -> None:
    await send_numbers(peer, 20)
    answer = await pull(peer, "n > 1000")
    assert answer.code == ResponseCode.PULL_RETRY_IMMEDIATELY
    assert answer.fields["nextBeginOffset"] == "20"


async def _held(broker: BrokerApp) -> None:
    while not broker.running.long_poll.count:  # noqa: ASYNC110 - there is no event for it
        await asyncio.sleep(0.001)


async def test_a_held_pull_wakes_for_a_suitable_message_only(peer: Peer, broker: BrokerApp) -> None:
    held = asyncio.ensure_future(pull(peer, ODD, flags=MAY_SUSPEND, wait_ms=4000))
    await asyncio.wait_for(_held(broker), 5)
    await peer.send("T", b"no", 0, props(UNIQ_KEY="U1", n=1, region="eu"))
    broker.running.dispatch.drain()
    assert broker.running.long_poll.count == 1
    await peer.send("T", b"yes", 0, props(UNIQ_KEY="U2", n=11, region="eu"))
    assert bodies(await held) == [b"yes"]


async def test_the_filter_of_the_heartbeat_is_used_and_must_be_known_and_new_enough(
    peer: Peer, broker: BrokerApp
) -> None:
    await send_numbers(peer, 30)
    await present(peer, ODD, 5)
    assert bodies(await pull(peer, version=5))[0] == b"11"
    assert (await pull(peer, version=6)).code == ResponseCode.SUBSCRIPTION_NOT_LATEST
    await present(peer, "n = 3", 6)
    assert bodies(await pull(peer, version=6)) == [b"3"]
    await present(peer, "n = ", 7)
    assert (await pull(peer, version=7)).code == ResponseCode.FILTER_DATA_NOT_EXIST


async def test_a_filter_older_than_the_subscription_is_refused(
    peer: Peer, broker: BrokerApp
) -> None:
    await peer.send("T")
    tables = broker.running.tables
    await present(peer, "n = 3", 6)
    known = tables.clients.subscription("g", "T")
    group = tables.clients.consumer_group("g")
    assert known is not None and group is not None
    newer = type(known)(known.topic, known.expression, known.expression_type, 9)
    group.subscriptions["T"] = newer
    assert (await pull(peer, version=9)).code == ResponseCode.FILTER_DATA_NOT_LATEST


@pytest.mark.parametrize("expression", ["n >", "n ! 3", "0.0 = n"])
async def test_an_expression_that_makes_no_sense_is_refused_with_its_position(
    peer: Peer, expression: str
) -> None:
    await peer.send("T")
    answer = await pull(peer, expression)
    assert answer.code == ResponseCode.SUBSCRIPTION_PARSE_FAILED
    assert "at character" in (answer.remark or "")
    wanted = SubscriptionData("T", expression, expression_type="SQL92")
    body = CheckClientRequest("one", "g", wanted).to_json()
    checked = await peer.call(RequestCode.CHECK_CLIENT_CONFIG, body=body)
    assert checked.code == ResponseCode.SUBSCRIPTION_PARSE_FAILED
    assert "at character" in (checked.remark or "")


async def test_a_client_may_ask_whether_its_expression_works(peer: Peer) -> None:
    for kind, code in (("SQL92", 0), ("TAG", 0), ("GROOVY", ResponseCode.SYSTEM_ERROR)):
        wanted = SubscriptionData("T", "n > 3", expression_type=kind)
        body = CheckClientRequest("one", "g", wanted).to_json()
        assert (await peer.call(RequestCode.CHECK_CLIENT_CONFIG, body=body)).code == code


async def test_filters_are_off_unless_asked_for(tmp_path: Path) -> None:
    async with local_broker(tmp_path) as app, connected(app, "one") as (one,):
        await one.send("T")
        answer = await pull(one, "n > 3")
        assert answer.code == ResponseCode.SYSTEM_ERROR
        assert "enablePropertyFilter" in (answer.remark or "")
        assert (await pull(one, "n >")).code == ResponseCode.SUBSCRIPTION_PARSE_FAILED


async def test_filters_outlive_the_broker_and_die_with_their_group(tmp_path: Path) -> None:
    async with local_broker(tmp_path, pull=SQL) as app, connected(app, "one") as (one,):
        await one.send("T")
        await present(one, ODD, 5)
        kept = app.running.tables.filters.find("T", "g")
        assert kept is not None and not kept.dead_ms
        await one.call(RequestCode.UNREGISTER_CLIENT, {"clientID": "one", "consumerGroup": "g"})
        dead = app.running.tables.filters.find("T", "g")
        assert dead is not None and dead.dead_ms
    saved = json.loads((tmp_path / "config" / "consumerFilter.json").read_bytes())
    row = saved["filterDataByTopic"]["T"]["groupFilterData"]["g"]
    assert (row["expression"], row["expressionType"], row["clientVersion"]) == (ODD, "SQL92", 5)
    assert row["bloomFilterData"]["bitNum"] == 112
    async with local_broker(tmp_path, pull=SQL) as app:
        again = app.running.tables.filters.find("T", "g")
        assert again is not None and (again.expression, again.version) == (ODD, 5)


async def test_retries_are_filtered_by_the_original_topics_filter_when_asked(
    tmp_path: Path,
) -> None:
    config = PullConfig(property_filter=True, filter_retries=True)
    async with local_broker(tmp_path, pull=config) as app, connected(app, "one") as (one,):
        await one.send("T")
        await present(one, "n > 3", 5)
        app.running.tables.topics.put(TopicConfig("%RETRY%g", 1, 1))
        for number in (1, 5):
            properties = props(UNIQ_KEY=f"U{number}", n=number, RETRY_TOPIC="T")
            await one.send("%RETRY%g", b"%d" % number, 0, properties)
        answer = await pull(one, "x = 1", topic="%RETRY%g")
        assert bodies(answer) == [b"5"]


@pytest.mark.parametrize("code", [301, 302])
async def test_class_filters_are_refused_with_a_remark(peer: Peer, code: int) -> None:
    answer = await peer.call(code)
    assert answer.code == ResponseCode.REQUEST_CODE_NOT_SUPPORTED
    assert answer.remark
