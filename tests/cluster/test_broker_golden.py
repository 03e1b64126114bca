"""What Apache's tools and clients asked an Apache broker, asked of ours.

Each recorded request is sent as it was, in its own header encoding. The answer's code, header
fields and the shape of its body must be those that were recorded; values differ, of course.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.support.golden_replay import Exchange, decoded, exchanges, fits, replayed, shape
from tests.support.golden_wire import session_names
from tests.support.local_broker import connected, local_broker

from pocketmq.broker.app import BrokerApp
from pocketmq.broker.config import IdentityConfig
from pocketmq.protocol.bodies.fastjson import loads
from pocketmq.protocol.bodies.subscription_group import SubscriptionGroup
from pocketmq.protocol.bodies.topic_config import TopicConfig
from pocketmq.protocol.codes import RequestCode, ResponseCode
from pocketmq.protocol.command import Command

FILLED = ("golden_Resident", "golden_Orders", "golden_Events", "golden_Pop", "golden_Bulk")
EMPTY = (
    "golden_Ask",
    "golden_Sequence",
    "%RETRY%golden_ordered",
    "%RETRY%golden_popper",
    "%RETRY%golden_popper_golden_Pop",
    "%RETRY%golden_readers",
)
GROUP = "golden_residents"
CLIENT = "192.0.2.2@residents"

REPLAYED = frozenset(
    int(code)
    for code in (
        RequestCode.UPDATE_AND_CREATE_TOPIC,
        RequestCode.GET_ALL_TOPIC_CONFIG,
        RequestCode.UPDATE_BROKER_CONFIG,
        RequestCode.GET_BROKER_CONFIG,
        RequestCode.GET_BROKER_RUNTIME_INFO,
        RequestCode.GET_MAX_OFFSET,
        RequestCode.GET_MIN_OFFSET,
        RequestCode.GET_EARLIEST_MSG_STORETIME,
        RequestCode.HEART_BEAT,
        RequestCode.UNREGISTER_CLIENT,
        RequestCode.GET_CONSUMER_LIST_BY_GROUP,
        RequestCode.LOCK_BATCH_MQ,
        RequestCode.UNLOCK_BATCH_MQ,
        RequestCode.GET_ALL_CONSUMER_OFFSET,
        RequestCode.GET_ALL_DELAY_OFFSET,
        RequestCode.GET_ALL_MESSAGE_REQUEST_MODE,
        RequestCode.UPDATE_AND_CREATE_SUBSCRIPTIONGROUP,
        RequestCode.GET_ALL_SUBSCRIPTIONGROUP_CONFIG,
        RequestCode.GET_TOPIC_STATS_INFO,
        RequestCode.GET_CONSUMER_CONNECTION_LIST,
        RequestCode.GET_PRODUCER_CONNECTION_LIST,
        RequestCode.DELETE_SUBSCRIPTIONGROUP,
        RequestCode.GET_CONSUME_STATS,
        RequestCode.DELETE_TOPIC_IN_BROKER,
        RequestCode.INVOKE_BROKER_TO_RESET_OFFSET,
        RequestCode.QUERY_TOPIC_CONSUME_BY_WHO,
        RequestCode.GET_SYSTEM_TOPIC_LIST_FROM_BROKER,
        RequestCode.CLEAN_EXPIRED_CONSUMEQUEUE,
        RequestCode.CLEAN_UNUSED_TOPIC,
        RequestCode.DELETE_EXPIRED_COMMITLOG,
        RequestCode.GET_BROKER_CONSUME_STATS,
        RequestCode.QUERY_CONSUME_QUEUE,
        RequestCode.GET_ALL_PRODUCER_INFO,
        RequestCode.GET_TOPIC_CONFIG,
    )
)
OUR_CHOICE = {
    # Only the dashboard reads a broker's settings by name, and we have fewer of them.
    RequestCode.GET_BROKER_CONFIG,
}


async def prepare(app: BrokerApp) -> None:
    """Bring a broker into about the state that the recorded one was in."""
    tables = app.running.tables
    for name in FILLED + EMPTY:
        tables.topics.put(TopicConfig(name, 2, 2))
    tables.groups.put_all((SubscriptionGroup(GROUP), SubscriptionGroup("golden_readers")))
    tables.offsets.commit(GROUP, "golden_Resident", 0, 1)


@pytest.mark.parametrize("session", [n for n in session_names() if any(exchanges(n, REPLAYED))])
async def test_recorded_requests_are_answered_as_apache_answered(
    session: str, tmp_path: Path
) -> None:
    identity = IdentityConfig(cluster="golden_Cluster", name="golden_broker")
    differences = []
    async with (
        local_broker(tmp_path, identity=identity) as app,
        connected(app, CLIENT, "resident_producer") as (resident, producer),
    ):
        await prepare(app)
        await resident.heartbeat("golden_Resident", f"%RETRY%{GROUP}", group=GROUP)
        await producer.heartbeat(producers=("golden_resident_producer",))
        for topic in FILLED:
            for queue_id in (0, 1):
                await producer.send(topic, queue_id=queue_id, properties="TAGS\x01A")
        async for exchange, answer in replayed(app.port, exchanges(session, REPLAYED)):
            problem = difference(exchange, answer)
            if problem:
                differences.append(problem)
    assert not differences, "\n".join(differences)


def difference(exchange: Exchange, answer: Command) -> str:
    """How an answer of ours differs from the recorded one; nothing when it does not."""
    theirs, asked = exchange.answer, decoded(exchange.request)
    about = f"{asked.code} {asked.fields}:"
    if (asked.code, theirs.code) == (RequestCode.UPDATE_BROKER_CONFIG, ResponseCode.SUCCESS):
        # Apache agrees to any name. What ours does not have it refuses, and says why.
        return "" if answer.code == ResponseCode.INVALID_PARAMETER else f"{about} {answer.code}"
    if answer.code != theirs.code:
        return f"{about} code {answer.code} ({answer.remark}), not {theirs.code} ({theirs.remark})"
    if set(answer.fields) != set(theirs.fields):
        return f"{about} fields {set(answer.fields)}, not {set(theirs.fields)}"
    if bool(answer.body) != bool(theirs.body):
        return f"{about} body {bytes(answer.body)[:200]!r}, not {bytes(theirs.body)[:200]!r}"
    if not answer.body or asked.code in OUR_CHOICE:
        return ""
    ours_shape, their_shape = shape(loads(answer.body)), shape(loads(theirs.body))
    return "" if fits(ours_shape, their_shape) else f"{about} {ours_shape}, not {their_shape}"
