"""What the Java client said to an Apache broker about its transactions, said to ours.

Half messages are sent as recorded. What names the place of a message names another place here, so
the recorded ends are pointed at where ours lie; nothing else of them is changed.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from tests.support.golden_wire import session_frames, session_names
from tests.support.local_broker import connected, local_broker
from tests.support.pulling import pull_all
from tests.support.raw_peer import RawPeer
from tests.support.transactions import COMMIT, ROLLBACK, UNKNOWN, round_of_checks

from pocketmq.broker.app import BrokerApp
from pocketmq.broker.config import IdentityConfig
from pocketmq.clock import ManualClock
from pocketmq.message.ids import decode_offset_message_id
from pocketmq.message.record import decode_record
from pocketmq.protocol.bodies.topic_config import TopicConfig
from pocketmq.protocol.codes import RequestCode
from pocketmq.protocol.command import Command
from pocketmq.protocol.framing import frame_to_command, parse_frames, untyped

SESSIONS = [name for name in session_names() if name.startswith("java-transaction")]
TOPIC = "golden_Orders"
ROUND_SECONDS = 30


@dataclass
class Recorded:
    """One session: what was sent, in order, and what the broker asked, by message."""

    sent: list[tuple[bytes, Command]] = field(default_factory=list)
    answers: dict[int, Command] = field(default_factory=dict)
    checked: dict[str, list[Command]] = field(default_factory=lambda: defaultdict(list))
    asked: dict[str, list[Command]] = field(default_factory=lambda: defaultdict(list))


def recorded(session: str) -> Recorded:
    """Read a session."""
    found = Recorded()
    for golden in session_frames(session):
        frames, _ = parse_frames(golden.frame)
        command = frame_to_command(golden.frame, untyped(frames[0]))
        if golden.request_code in (RequestCode.SEND_MESSAGE_V2, RequestCode.HEART_BEAT):
            if golden.is_answer:
                found.answers[command.opaque] = command
            else:
                found.sent.append((golden.frame, command))
        elif golden.request_code == RequestCode.CHECK_TRANSACTION_STATE:
            found.asked[command.fields["msgId"]].append(command)
        elif golden.request_code == RequestCode.END_TRANSACTION:
            if command.fields["fromTransactionCheck"] == "true":
                found.checked[command.fields["msgId"]].append(command)
            else:
                found.sent.append((golden.frame, command))
    return found


def pointed_at(end: Command, queue_offset: int, log_offset: int) -> Command:
    """A recorded end of a transaction, for a half message that lies here."""
    place = {"tranStateTableOffset": str(queue_offset), "commitLogOffset": str(log_offset)}
    end.fields = {**end.fields, **place}
    return end


@pytest.mark.parametrize("session", SESSIONS)
async def test_recorded_transactions_end_as_they_did(session: str, tmp_path: Path) -> None:
    theirs = recorded(session)
    born_ms = [int(c.fields["g"]) for _, c in theirs.sent if c.code == RequestCode.SEND_MESSAGE_V2]
    clock = ManualClock(born_ms[0])
    identity = IdentityConfig(cluster="golden_Cluster", name="golden_broker")
    async with (
        local_broker(tmp_path, clock, identity=identity) as app,
        RawPeer(app.port) as producer,
        connected(app, "reader") as (reader,),
    ):
        app.running.tables.topics.put(TopicConfig(TOPIC, 4, 4))
        open_ids = await _replay(app, producer, theirs)
        for _ in range(3):
            clock.advance(seconds=ROUND_SECONDS)
            open_ids = await _answer_round(app, producer, theirs, open_ids)
        delivered = [m for queue in range(4) for m in await pull_all(reader, TOPIC, queue)]

    # What was never answered but with "unknown" stays open; the rest is as the client decided.
    assert len(open_ids) == 1
    assert {message.properties["first"] for message in delivered} == {"commit", "unknown"}
    keys = sorted(message.properties["KEYS"] for message in delivered)
    assert keys == ["tx-commit--", "tx-unknown-commit"]
    halves = {c.fields["i"]: bytes(c.body) for _, c in theirs.sent if "i" in c.fields}
    for message in delivered:
        (body,) = (b for text, b in halves.items() if message.properties["KEYS"] in text)
        assert message.body == body


async def _replay(app: BrokerApp, producer: RawPeer, theirs: Recorded) -> set[str]:
    """Say what the client said before it was asked; return the ids of what it left open."""
    places: dict[str, tuple[int, int]] = {}
    left: set[str] = set()
    for frame, command in theirs.sent:
        if command.code == RequestCode.END_TRANSACTION:
            key = command.fields["msgId"]
            await producer.send(pointed_at(command, *places[key]))
            if int(command.fields["commitOrRollback"]) == UNKNOWN:
                left.add(key)
            continue
        await producer.send(frame)
        answer, wanted = await producer.receive(), theirs.answers[command.opaque]
        assert (answer.code, set(answer.fields)) == (wanted.code, set(wanted.fields))
        if command.code == RequestCode.SEND_MESSAGE_V2:
            for name in ("queueId", "transactionId", "TRACE_ON", "MSG_REGION"):
                assert answer.fields[name] == wanted.fields[name]
            assert int(answer.fields["queueOffset"]) == len(places), "half messages share a queue"
            place = decode_offset_message_id(answer.fields["msgId"])
            key = answer.fields["transactionId"]
            places[key] = (int(answer.fields["queueOffset"]), place.log_offset)
    # Ends are not answered, so ask something to be sure that all were heard.
    heartbeat = next(frame for frame, c in theirs.sent if c.code == RequestCode.HEART_BEAT)
    await producer.send(heartbeat)
    await producer.receive()
    app.running.dispatch.drain()
    return left


async def _answer_round(
    app: BrokerApp, producer: RawPeer, theirs: Recorded, open_ids: set[str]
) -> set[str]:
    """Let the broker ask once, and answer as the client did; return what is still open."""
    assert await round_of_checks(app) == len(open_ids)
    left: set[str] = set()
    for _ in range(len(open_ids)):
        question = await producer.receive()
        key = question.fields["msgId"]
        _assert_asks_like(question, theirs.asked[key].pop(0))
        answer = theirs.checked[key].pop(0)
        place = (int(question.fields["tranStateTableOffset"]),
                 int(question.fields["commitLogOffset"]))  # fmt: skip
        await producer.send(pointed_at(answer, *place))
        decision = int(answer.fields["commitOrRollback"])
        assert decision in (COMMIT, ROLLBACK, UNKNOWN)
        if decision == UNKNOWN:
            left.add(key)
        open_ids.discard(key)
    assert not open_ids, "each is asked about once a round"
    heartbeat = next(frame for frame, c in theirs.sent if c.code == RequestCode.HEART_BEAT)
    await producer.send(heartbeat)
    await producer.receive()
    app.running.dispatch.drain()
    return left


def _assert_asks_like(ours: Command, theirs: Command) -> None:
    assert (ours.code, ours.is_oneway) == (theirs.code, True)
    assert set(ours.fields) == set(theirs.fields)
    for name in ("topic", "msgId", "transactionId", "bname"):
        assert ours.fields[name] == theirs.fields[name]
    message, wanted = decode_record(ours.body), decode_record(theirs.body)
    assert (message.topic, message.queue_id) == (wanted.topic, wanted.queue_id)
    assert bytes(message.body) == bytes(wanted.body)
    assert message.properties == wanted.properties
    assert (message.flag, message.sys_flag) == (wanted.flag, wanted.sys_flag)
    assert message.born_timestamp_ms == wanted.born_timestamp_ms
