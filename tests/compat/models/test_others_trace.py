"""The trace of the Go client, the only one of the other clients that has one."""

from __future__ import annotations

import asyncio

from tests.compat.models.clients import GO
from tests.compat.models.stage import Stage, numbered, tried_with
from tests.support.clients import raw
from tests.support.local_broker import peer_at
from tests.support.pulling import pull_all

TRACE_TOPIC = "RMQ_SYS_TRACE_TOPIC"
FIELD, RECORD = "\x01", "\x02"


def trace_of(broker: str, topic: str, ids: set[str]) -> list[list[str]]:
    """What the trace topic tells about messages of a topic: one list of fields a record."""

    async def read() -> list[bytes]:
        peer = peer_at(broker)
        found = await pull_all(peer, TRACE_TOPIC, group=f"trace_of_{topic}")
        await peer.close()
        return [message.body for message in found]

    records = [
        record.split(FIELD)
        for body in asyncio.run(read())
        for record in body.decode().split(RECORD)
    ]
    return [fields for fields in records if ids & set(fields)]


@tried_with("trace", peers=[GO])
def test_the_trace_topic_tells_how_each_message_was_sent_and_consumed(stage: Stage) -> None:
    driver, topic = stage.driver(), stage.topic("traced")
    wanted = numbered("traced", 3)
    driver.start_consumer(topic, topic, topic, trace=True)
    messages = [{"body": body, "tags": "T", "keys": f"key-of-{body}"} for body in wanted]
    sent = driver.request("send", topic=topic, messages=messages, trace=True)["sent"]
    driver.wait_for(topic, len(wanted))
    ids = {outcome["message_id"] for outcome in sent}
    broker = stage.cluster.broker
    raw.wait_until(
        lambda: len(trace_of(broker, topic, ids)) >= 3 * len(ids), 20, "the trace of all messages"
    )
    driver.stop_consumer(topic)

    records = trace_of(broker, topic, ids)
    for outcome in sent:
        own = {fields[0]: fields for fields in records if outcome["message_id"] in fields}
        assert set(own) == {"Pub", "SubBefore", "SubAfter"}
        key = f"key-of-{outcome['body']}"
        assert {topic, "T", key, outcome["offset_message_id"]} <= set(own["Pub"])
        assert {topic, key} <= set(own["SubBefore"])
        assert {key, "true"} <= set(own["SubAfter"])
    assert len(records) == 3 * len(ids)
