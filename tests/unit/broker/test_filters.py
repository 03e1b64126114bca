"""The table of SQL92 filters: versions, death, forgetting, and the file that Apache reads too."""

from __future__ import annotations

from pathlib import Path

from pocketmq.broker.rules.bloom import bit_positions, murmur3_low
from pocketmq.broker.state.filters import FilterTable
from pocketmq.broker.state.table_file import TableFile
from pocketmq.clock import ManualClock
from pocketmq.filtering import SQL92, parse_subscription
from pocketmq.filtering.subscriptions import Subscription

DAY_MS = 86_400_000


def sql(topic: str, expression: str, version: int) -> Subscription:
    return parse_subscription(topic, expression, SQL92, version)


def test_a_newer_version_replaces_and_an_older_one_does_not() -> None:
    table = FilterTable(ManualClock(1000))
    table.register("g", [sql("T", "a = 1", 5)])
    table.register("g", [sql("T", "a = 2", 4)])
    table.register("g", [sql("T", "a = 2", 5)])
    found = table.find("T", "g")
    assert found is not None and (found.expression, found.version) == ("a = 1", 5)
    table.register("g", [sql("T", "a = 2", 6)])
    found = table.find("T", "g")
    assert found is not None and (found.expression, found.version) == ("a = 2", 6)


def test_tags_register_nothing_and_a_broken_expression_takes_the_old_one_away() -> None:
    table = FilterTable(ManualClock(1000))
    table.register("g", [parse_subscription("T", "a || b")])
    assert len(table) == 0
    table.register("g", [sql("T", "a = 1", 5)])
    table.register("g", [sql("T", "a =", 6)])
    assert table.find("T", "g") is None


def test_a_dropped_topic_dies_lives_again_and_is_forgotten_a_day_after_death() -> None:
    clock = ManualClock(1000)
    table = FilterTable(clock)
    table.register("g", [sql("T", "a = 1", 5), sql("U", "a = 1", 5)])
    table.register("g", [sql("U", "a = 1", 5)])
    dead = table.find("T", "g")
    assert dead is not None and dead.dead_ms == 1000
    table.register("g", [sql("T", "a = 1", 5), sql("U", "a = 1", 5)])
    alive = table.find("T", "g")
    assert alive is not None and alive.dead_ms == 0
    table.unregister("g")
    clock.advance(ms=DAY_MS)
    table.encode()
    assert len(table) == 0


def test_the_file_is_read_back_and_all_are_dead_until_their_groups_come(tmp_path: Path) -> None:
    clock = ManualClock(100_000)
    file = TableFile(tmp_path / "consumerFilter.json")
    table = FilterTable(clock, file=file)
    table.register("g", [sql("T", "a = 'it''s'", 5)])
    file.replace(table.encode())
    clock.advance(ms=60_000)
    again = FilterTable(clock, file=file)
    again.load()
    found = again.find("T", "g")
    assert found is not None
    assert (found.expression, found.version, found.born_ms) == ("a = 'it''s'", 5, 100_000)
    assert found.dead_ms == 130_000


def test_the_hash_is_murmur3() -> None:
    assert murmur3_low(b"") == 0
    assert murmur3_low(b"hello") == 0xCBD8A7B341BD9B02
    assert murmur3_low(b"The quick brown fox jumps over the lazy dog") == 0xE34BBC7BBC071B6C
    assert all(0 <= bit < 112 for bit in bit_positions("g", "T"))
