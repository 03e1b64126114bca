"""What waits in the delay levels of one kind of broker is delivered by the other, each once."""

from __future__ import annotations

import asyncio
import time
from collections import Counter

import pytest
from tests.compat.test_models_timer import came, peer_at
from tests.compat.test_servers import EXCHANGES, STOPS, Machines
from tests.compat.test_servers import machines as machines  # a fixture
from tests.support.clients import raw
from tests.support.clients.servers import free_broker_port
from tests.support.pulling import props

pytestmark = pytest.mark.timeout(180)

OFFSETS_SAVED_SECONDS = 12
SOON, LATER = 1, 4


async def send(address: str, topic: str, numbers: range, level: int) -> None:
    peer = peer_at(address)
    for number in numbers:
        own = props(UNIQ_KEY=f"U{number:031}", DELAY=level, WAIT="true")
        answer = await peer.send(topic, b"%d" % number, 0, own)
        assert answer.code == 0, answer.remark
    await peer.close()


@pytest.mark.parametrize("stop", STOPS)
@pytest.mark.parametrize(("writer", "reader"), EXCHANGES)
def test_a_broker_of_the_other_kind_delivers_what_waits_in_levels(
    writer: str, reader: str, stop: str, machines: Machines
) -> None:
    data, names = machines.directory("levels") / "data", machines.name_server("apache")
    port = free_broker_port()
    topic = f"topic-of-{data.parent.name}"
    with machines.broker(writer, "apache", data, port, flushDiskType="SYNC_FLUSH") as first:
        raw.create_topic(names, first.address, topic)
        asyncio.run(send(first.address, topic, range(40), SOON))
        asyncio.run(send(first.address, topic, range(40, 100), LATER))
        before = asyncio.run(came(first.address, topic, 40))
        time.sleep(OFFSETS_SAVED_SECONDS)
        STOPS[stop](first.process)
    with machines.broker(reader, "apache", data, port, flushDiskType="SYNC_FLUSH") as second:
        raw.create_topic(names, second.address, topic)
        after = asyncio.run(came(second.address, topic, 100))

    assert Counter(int(message.body) for message in before) == Counter(range(40))
    assert Counter(int(message.body) for message in after) == Counter(range(100))
    for message in after:
        level = SOON if int(message.body) < 40 else LATER
        assert message.properties["DELAY"] == str(level), "as the message was sent"
        assert message.properties["REAL_TOPIC"] == topic
