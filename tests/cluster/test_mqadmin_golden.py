"""What mqadmin sent to an Apache broker, sent to ours: the requests that need more of a stage than
those of `test_broker_golden.py`, and those that ours refuses.

Pulls are left out, as they want the very messages of that broker: `make interop` compares what
mqadmin prints of them on the same messages.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from tests.support.golden_replay import Exchange, decoded, exchanges, fits, shape
from tests.support.golden_wire import session_names
from tests.support.local_broker import Peer, connected, local_broker
from tests.support.raw_peer import RawPeer

from pocketmq.broker.app import BrokerApp
from pocketmq.broker.config import IdentityConfig
from pocketmq.message.ids import decode_offset_message_id
from pocketmq.protocol.bodies.fastjson import loads
from pocketmq.protocol.bodies.subscription_group import SubscriptionGroup
from pocketmq.protocol.bodies.topic_config import TopicConfig
from pocketmq.protocol.codes import RequestCode as Code
from pocketmq.protocol.codes import ResponseCode
from pocketmq.protocol.command import Command

TOPIC, GROUP, CLIENT = "golden_Resident", "golden_residents", "192.0.2.2@residents"
VIEWED_AT = 3944
"""The place in the commit log that the session `mqadmin-queryMsgById` asks for."""
UNIQUE_KEY = "C000020203694E0E2F2A67E31320000C"

ANSWERED = frozenset(
    (
        Code.QUERY_MESSAGE,
        Code.UPDATE_CONSUMER_OFFSET,
        Code.VIEW_MESSAGE_BY_ID,
        Code.GET_CONSUMER_RUNNING_INFO,
        Code.SEND_MESSAGE_V2,
        Code.VIEW_BROKER_STATS_DATA,
        Code.SET_MESSAGE_REQUEST_MODE,
        Code.GET_BROKER_HA_STATUS,
        Code.AUTH_CREATE_USER,
        Code.AUTH_LIST_USER,
        Code.AUTH_CREATE_ACL,
        Code.AUTH_LIST_ACL,
    )
)
REFUSED = frozenset(
    (
        Code.UPDATE_AND_CREATE_STATIC_TOPIC,
        Code.GET_COLD_DATA_FLOW_CTR_INFO,
    )
)
NO_JSON = (Code.QUERY_MESSAGE, Code.VIEW_MESSAGE_BY_ID, Code.GET_CONSUMER_RUNNING_INFO)


def asked(session: str) -> Iterator[Exchange]:
    """The exchanges of a session that are tried here."""
    return exchanges(session, ANSWERED | REFUSED)


SESSIONS = [n for n in session_names() if n.startswith("mqadmin-") and any(asked(n))]


async def prepare(app: BrokerApp, resident: Peer) -> None:
    """Bring a broker into about the state that the recorded one was in."""
    tables = app.running.tables
    for name in (TOPIC, "golden_Orders", "golden_Made", f"%RETRY%{GROUP}"):
        tables.topics.put(TopicConfig(name, 4, 4))
    tables.groups.put_all(SubscriptionGroup(name) for name in (GROUP, "golden_madegroup"))
    await resident.heartbeat(TOPIC, f"%RETRY%{GROUP}", group=GROUP)
    resident.answers[Code.GET_CONSUMER_RUNNING_INFO] = Command(0, body=b"{}")
    await fill_up_to(resident, VIEWED_AT)
    properties = f"KEYS\x01needle\x02UNIQ_KEY\x01{UNIQUE_KEY}"
    sent = await resident.send(TOPIC, b"found", properties=properties)
    assert decode_offset_message_id(sent.fields["msgId"]).log_offset == VIEWED_AT


async def fill_up_to(peer: Peer, log_offset: int) -> None:
    """Send three messages that end at this place of the commit log."""
    await peer.send(TOPIC, b"x")
    second = await peer.send(TOPIC, b"x")
    size_of_one = decode_offset_message_id(second.fields["msgId"]).log_offset
    await peer.send(TOPIC, b"x" * (log_offset - 3 * size_of_one + 1))


@pytest.mark.parametrize("session", SESSIONS)
async def test_what_mqadmin_asked_of_apache_is_answered_or_refused(
    session: str, tmp_path: Path
) -> None:
    identity = IdentityConfig(cluster="golden_Cluster", name="golden_broker")
    problems = []
    async with (
        local_broker(tmp_path, identity=identity) as app,
        connected(app, CLIENT) as (resident,),
        AsyncExitStack() as stack,
    ):
        await prepare(app, resident)
        peers: dict[int, RawPeer] = {}
        for exchange in asked(session):
            if exchange.connection not in peers:
                peers[exchange.connection] = await stack.enter_async_context(RawPeer(app.port))
            peer = peers[exchange.connection]
            await peer.send(exchange.request)
            answer = await peer.receive()
            problems.append(problem(decoded(exchange.request), answer, exchange.answer))
    assert not any(problems), "\n".join(filter(None, problems))


def problem(request: Command, ours: Command, theirs: Command) -> str:
    """What is wrong with an answer of ours; nothing when it means what theirs does."""
    about = f"{request.code} {request.fields}: {ours.code} {ours.remark!r} {ours.fields}"
    if request.code in REFUSED:
        good = ours.code == ResponseCode.REQUEST_CODE_NOT_SUPPORTED and bool(ours.remark)
        return "" if good and not ours.body else about
    codes: tuple[int, ...] = (theirs.code,)
    if request.code == Code.VIEW_BROKER_STATS_DATA:
        codes = (ResponseCode.SUCCESS, ResponseCode.SYSTEM_ERROR)  # as something was counted
    if ours.code not in codes:
        return f"{about}, not {theirs.code} {theirs.remark!r}"
    if ours.code != theirs.code:
        return ""
    if set(ours.fields) != set(theirs.fields):
        return f"{about}, not {theirs.fields}"
    if bool(ours.body) != bool(theirs.body):
        return f"{about}: {bytes(ours.body)[:200]!r}, not {bytes(theirs.body)[:200]!r}"
    if not ours.body or request.code in NO_JSON:
        return ""
    shapes = shape(loads(ours.body)), shape(loads(theirs.body))
    return "" if fits(*shapes) else f"{about}: {shapes[0]}, not {shapes[1]}"
