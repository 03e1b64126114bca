"""What Apache's Java producers sent to an Apache broker, sent to ours.

Each recorded request goes out as it was, in its own header encoding, and the answer is held against
the recorded one: the code, the names of the fields, the queue and the place in it.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.support.golden_replay import Exchange, decoded, exchanges, replayed
from tests.support.golden_wire import session_names
from tests.support.local_broker import connected, local_broker

from pocketmq.broker.config import IdentityConfig
from pocketmq.protocol.bodies.topic_config import TopicConfig
from pocketmq.protocol.codes import RequestCode
from pocketmq.protocol.command import Command

SENDS = frozenset(
    int(code)
    for code in (
        RequestCode.SEND_MESSAGE,
        RequestCode.SEND_MESSAGE_V2,
        RequestCode.SEND_BATCH_MESSAGE,
        RequestCode.HEART_BEAT,
        RequestCode.UNREGISTER_CLIENT,
    )
)
OTHERS = ("transaction",)  # are replayed with what follows, in test_golden_transactions.py
SESSIONS = [
    name
    for name in session_names()
    if name.startswith("java") and not any(other in name for other in OTHERS)
    if any(decoded(one.request).code != RequestCode.HEART_BEAT for one in exchanges(name, SENDS))
]
PLAIN = ("queueId", "transactionId", "TRACE_ON", "MSG_REGION")
WAITS = ("DELAY\x01", "TIMER_DELAY")
"""The place of such a message is one among all that wait, of which Apache's broker had some."""


def difference(exchange: Exchange, answer: Command) -> str:
    """How an answer of ours differs from the recorded one; nothing when it does not."""
    theirs, asked = exchange.answer, decoded(exchange.request)
    about = f"{asked.code} {asked.fields}:"
    if answer.serialization != asked.serialization:
        return f"{about} not answered in kind"
    if answer.code != theirs.code:
        return f"{about} {answer.code} ({answer.remark}), not {theirs.code} ({theirs.remark})"
    if set(answer.fields) != set(theirs.fields):
        return f"{about} fields {set(answer.fields)}, not {set(theirs.fields)}"
    waits = any(word in asked.fields.get("i", "") for word in WAITS)
    alike = PLAIN if waits else (*PLAIN, "queueOffset")
    if any(answer.fields.get(name) != theirs.fields.get(name) for name in alike):
        return f"{about} {answer.fields}, not {theirs.fields}"
    ids, their_ids = (x.fields.get("msgId", "").count(",") for x in (answer, theirs))
    return "" if ids == their_ids else f"{about} {answer.fields['msgId']} for {their_ids + 1}"


@pytest.mark.parametrize("session", SESSIONS)
async def test_recorded_sends_are_answered_as_apache_answered(session: str, tmp_path: Path) -> None:
    identity = IdentityConfig(cluster="golden_Cluster", name="golden_broker")
    recorded = list(exchanges(session, SENDS))
    differences = []
    async with (
        local_broker(tmp_path, identity=identity) as app,
        connected(app, "before") as (before,),
    ):
        for topic, queue_id, count in held_before(recorded):
            if topic not in app.running.tables.topics.configs:
                app.running.tables.topics.put(TopicConfig(topic, 4, 4))
            for _ in range(count):
                await before.send(topic, queue_id=queue_id)
        async for exchange, answer in replayed(app.port, recorded):
            differences.append(difference(exchange, answer))
    assert not any(differences), "\n".join(filter(None, differences))


def held_before(recorded: list[Exchange]) -> list[tuple[str, int, int]]:
    """Topics, queues and how many messages were there before: the first answer of each tells."""
    first: dict[tuple[str, int], int] = {}
    for exchange in recorded:
        asked, place = decoded(exchange.request), exchange.answer.fields.get("queueOffset")
        topic = asked.fields.get("b", "")
        if place is not None and "Auto" not in topic:
            first.setdefault((topic, int(exchange.answer.fields["queueId"])), int(place))
    return [(topic, queue_id, count) for (topic, queue_id), count in first.items()]
