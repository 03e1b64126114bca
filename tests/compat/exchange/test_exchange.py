"""What one kind of broker leaves open is finished by the other, and what waits comes, each once.

One broker is given half messages, batches, pops, delayed and timed messages and is stopped or
killed; one of the other kind starts on its data directory. All models share these brokers, and
each has a test that looks.
"""

from __future__ import annotations

from collections import Counter

import pytest
from tests.compat.exchange.models import ACKED, COMMIT, ENDED, FRESH, LATE, OPEN, POPPED
from tests.compat.exchange.ordered import HELD, LETTERS
from tests.compat.exchange.seen import Seen
from tests.compat.exchange.tables import EXPRESSION, NEXT_MS, SHARE
from tests.compat.exchange.waiting import DUE, LATER, PENDING, SOON

from pocketmq.message.batch import decode_batch

pytestmark = pytest.mark.timeout(500)

INNER_BATCH = 0x80


def test_only_what_is_open_is_asked_about_and_commits_are_delivered_once(exchange: Seen) -> None:
    committed = [key for key, decision in (ENDED | OPEN).items() if decision == COMMIT]

    asked = Counter(exchange.asked)
    delivered = Counter(message.body.decode() for message in exchange.committed)
    if exchange.reader == "apache" and asked.pop(LATE, 0):
        # It lists what has ended a moment later, and asks about, and repeats, what it did not list.
        delivered[LATE] -= 1
    assert asked == Counter(OPEN.keys())
    assert delivered == Counter([*committed, LATE])
    for message in exchange.committed:
        assert message.properties["UNIQ_KEY"] == message.body.decode()
        assert (message.properties["TAGS"], message.properties["PGROUP"]) == ("T", "p")
    names = {message.body.decode(): set(message.properties) for message in exchange.committed}
    unasked = names[LATE] - {"TRANSACTION_CHECK_TIMES"}
    assert names["done-0"] == unasked, "both kinds deliver the same properties"


def test_whole_batches_are_read_as_they_were_and_go_on(exchange: Seen) -> None:
    before, after = exchange.batches_before, exchange.batches_after

    assert after[: len(before)] == before
    assert [message.queue_offset for message in after] == [0, 3, 4, 6]
    inner = [
        [bytes(item.body) for item in decode_batch(message.body)]
        if message.sys_flag & INNER_BATCH
        else [message.body]
        for message in after
    ]
    assert inner == [[b"a", b"b", b"c"], [b"single"], [b"d", b"e"], [b"f", b"g", b"h"]]


def test_what_was_popped_and_not_acknowledged_comes_again(exchange: Seen) -> None:
    again = [body for body in POPPED if body not in ACKED]

    assert sorted(exchange.popped_before) == POPPED
    assert Counter(exchange.popped_after) == Counter([*again, *FRESH])
    assert {exchange.reconsumed[body] for body in again} == {1}
    assert {exchange.reconsumed[body] for body in FRESH} == {0}


def test_what_is_popped_in_order_goes_on_behind_what_was_acknowledged(exchange: Seen) -> None:
    assert exchange.ordered_before == LETTERS[:HELD]
    assert exchange.ordered_after == LETTERS[1:]
    assert exchange.ordered_counts == {"0 qo0%1 1", "0 qo0%2 1"}, "both were popped before"


def test_modes_policies_and_filters_are_found_in_the_tables(exchange: Seen) -> None:
    mode, group = exchange.tables["mode"], exchange.tables["group"]
    assert (mode.mode, mode.pop_share_queue_num) == ("POP", SHARE)
    assert group.retry_max_times == 7
    assert group.group_retry_policy["type"] == "CUSTOMIZED"
    assert group.group_retry_policy["customizedRetryPolicy"]["next"] == NEXT_MS
    assert exchange.tables["filter"] == (EXPRESSION, "SQL92", 5)


def test_what_waits_in_levels_is_delivered_once_as_it_was_sent(exchange: Seen) -> None:
    before, after = exchange.levels_before, exchange.levels_after

    assert Counter(int(message.body) for message in before) == Counter(DUE)
    assert Counter(int(message.body) for message in after) == Counter(range(PENDING.stop))
    for message in after:
        level = SOON if int(message.body) in DUE else LATER
        assert message.properties["DELAY"] == str(level)
        assert message.properties["REAL_TOPIC"] == f"{exchange.topics}-levels"


def test_what_has_a_time_of_its_own_is_delivered_once_and_not_before(exchange: Seen) -> None:
    before, after = exchange.timed_before, exchange.timed_after

    assert Counter(int(message.body) for message in before) == Counter(DUE)
    assert Counter(int(message.body) for message in after) == Counter(range(PENDING.stop))
    for message in after:
        assert message.store_timestamp_ms >= int(message.properties["TIMER_OUT_MS"]) + 1000
