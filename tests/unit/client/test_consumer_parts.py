"""Subscriptions, verdicts, positions in files, receipts, and what a consumer refuses."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from tests.support.received import received

import pocketmq
from pocketmq.client.consuming import ConsumerOptions, start_ms, start_name
from pocketmq.client.offsets import FileOffsets, offsets_file
from pocketmq.client.outcomes import (
    DEAD_LETTER,
    Reject,
    RetryIn,
    delay_level,
    send_back_level,
    verdict_of,
    verdict_of_error,
)
from pocketmq.client.receipts import ack_items, read_handle, receipts_of
from pocketmq.client.subscriptions import Sql, parse_topics, subscription_data, wanted
from pocketmq.errors import ClientError, ConfigError, MalformedBody, SubscriptionInvalid

QUEUE = pocketmq.MessageQueue("T", "b", 0)


def test_topics_can_be_written_in_several_ways() -> None:
    assert parse_topics("T").keys() == {"T"}
    assert parse_topics(["T", "U"], "space").keys() == {"space%T", "space%U"}
    found = parse_topics({"T": "a || b", "U": Sql("x > 1")}, version_ms=7)
    assert found["T"].tags == {"a", "b"}
    data = subscription_data(found["U"])
    assert (data.expression_type, data.sub_string, data.sub_version) == ("SQL92", "x > 1", 7)
    data = subscription_data(found["T"])
    assert (data.tags_set, data.code_set) == (("a", "b"), (97, 98))


def test_bad_topics_and_expressions_are_refused() -> None:
    with pytest.raises(ConfigError, match="illegal"):
        parse_topics("bad topic")
    with pytest.raises(SubscriptionInvalid):
        parse_topics({"T": " || "})
    with pytest.raises(SubscriptionInvalid):
        parse_topics({"T": Sql("")})


def test_tags_with_the_same_hash_are_told_apart() -> None:
    subscription = parse_topics({"T": "Aa"})["T"]
    messages = [received(0, TAGS="Aa"), received(1, TAGS="BB"), received(2)]
    right, others = wanted(messages, subscription)
    assert ([m.queue_offset for m in right], [m.queue_offset for m in others]) == ([0], [1, 2])
    everything = parse_topics("T")["T"]
    assert wanted(messages, everything) == (messages, [])


@pytest.mark.parametrize(
    ("seconds", "level"), [(None, 0), (0, 1), (1, 1), (1.5, 2), (30, 4), (7200, 18), (9999, 18)]
)
def test_a_delay_waits_for_the_next_level(seconds: float | None, level: int) -> None:
    assert delay_level(seconds) == level


def test_verdicts() -> None:
    assert verdict_of(None) is verdict_of(False) is verdict_of("done") is None
    error = verdict_of_error(ValueError("x"), timedelta(minutes=1))
    assert isinstance(error, RetryIn) and error.seconds == 60
    reject = Reject()
    assert verdict_of_error(reject, None) is reject is verdict_of(reject)
    assert send_back_level(RetryIn(5), 1, None) == 2
    assert send_back_level(RetryIn(5), 3, 3) == send_back_level(reject, 1, None) == DEAD_LETTER


async def test_positions_survive_in_a_file_as_java_writes_it(tmp_path: Path) -> None:
    path = offsets_file("10.0.0.1@a/b", "group", tmp_path)
    assert path.relative_to(tmp_path).parts[-2:] == ("group", "offsets.json")
    assert len(path.relative_to(tmp_path).parts) == 3
    store = FileOffsets(path)
    assert await store.read(QUEUE) is None
    await store.commit({QUEUE: 17}, wait=True)
    await store.commit({pocketmq.MessageQueue("T", "b", 1): 3})
    assert path.read_bytes().startswith(
        b'{"offsetTable":{{"brokerName":"b","queueId":0,"topic":"T"}:17'
    )
    again = FileOffsets(path)
    assert (await again.read(QUEUE), list(path.parent.iterdir())) == (17, [path])


async def test_a_file_without_positions_is_not_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "offsets.json"
    path.write_text("not positions")
    with pytest.raises(ConfigError, match="repair it, or remove it"):
        FileOffsets(path)
    path.unlink()
    path.mkdir()
    with pytest.raises(ConfigError, match="cannot be read"):
        FileOffsets(path)
    with pytest.raises(ClientError, match="cannot be written"):
        store = FileOffsets(tmp_path / "other.json")
        store.path = path / "offsets.json"
        path.rmdir()
        path.write_text("a file where a directory should be")
        await store.commit({QUEUE: 1}, wait=True)


def test_receipts_pair_messages_with_what_the_header_says() -> None:
    fields = {
        "popTime": "1000",
        "invisibleTime": "60000",
        "reviveQid": "3",
        "startOffsetInfo": "0 0 40;0 1 7",
        "msgOffsetInfo": "0 0 40,41;0 1 7",
    }
    one, two = received(40), received(41)
    retried = received(5, POP_CK="2 900 60000 4 1 b 0 2")
    found = receipts_of([one, two, retried], fields, "b")
    assert [r.handle for r in found] == [
        "40 1000 60000 3 0 b 0 40",
        "40 1000 60000 3 0 b 0 41",
        "2 900 60000 4 1 b 0 2",
    ]
    assert found[2].topic("g", "T") == "%RETRY%g_T"
    assert read_handle(found[1].handle) == found[1]
    renewed = found[1].renewed(2000, 30_000, 5)
    assert renewed.handle == "41 2000 30000 5 0 b 0 41"
    items = ack_items("g", [("T", receipt) for receipt in found])
    assert [(i.start_offset, i.retry, i.bits) for i in items] == [
        (40, "0", "Aw=="),
        (2, "1", "AQ=="),
    ]
    with pytest.raises(MalformedBody):
        receipts_of([one], {}, "b")
    with pytest.raises(MalformedBody):
        read_handle("1 2 x")


def test_starts() -> None:
    moment = datetime(2024, 1, 1, tzinfo=timezone.utc)
    assert start_ms(moment) == start_ms(moment.timestamp()) == 1_704_067_200_000
    assert start_name("last") == "CONSUME_FROM_LAST_OFFSET"
    assert start_name(moment) == "CONSUME_FROM_TIMESTAMP"
    with pytest.raises(ConfigError, match="'first', 'last'"):
        start_name("middle")  # type: ignore[arg-type]


def test_a_consumer_refuses_what_cannot_work() -> None:
    for options, problem in (
        ({"group": "bad group"}, "illegal"),
        ({"concurrency": 0}, "1 or more"),
        ({"max_attempts": 0}, "1 means no retry"),
        ({"allocation": "fair"}, "unknown"),
        ({"options": ConsumerOptions(pull_messages_max=0)}, "pull_messages_max"),
        ({"codec": "smoke"}, "smoke"),
    ):
        settings: dict[str, object] = {"group": "g", "topics": "T", **options}
        with pytest.raises(ConfigError, match=problem):
            pocketmq.Consumer("127.0.0.1:1", **settings)  # type: ignore[arg-type]


async def test_a_message_of_nobody_cannot_be_given_back() -> None:
    with pytest.raises(ClientError, match="not handed out by a consumer"):
        received(0).retry()
    consumer = pocketmq.Consumer("127.0.0.1:1", group="g", topics="T")
    with pytest.raises(pocketmq.errors.ClientClosed, match="async with"):
        consumer.assigned()
    with pytest.raises(ConfigError, match="needs a handler"):
        await consumer.run()


def test_messages_give_the_values_of_their_bodies() -> None:
    message = received(0, b'{"id":7}', CONTENT_TYPE="json")
    assert message.value == {"id": 7}
    broken = received(0, b"{", CONTENT_TYPE="json")
    assert broken.value == b"{"
    assert broken.decoded.problem is not None
    assert json.loads(message.body) == message.value
