"""What assertions say when they fail."""

from __future__ import annotations

import pytest

from pocketmq.testing.asserting import Wanted, expect_consumed, expect_dead, expect_stored
from pocketmq.testing.fates import Fate
from pocketmq.testing.messages import StoredMessage


def message(body: bytes, *, tag: str = "", keys: str = "", offset: int = 0) -> StoredMessage:
    properties = {name: value for name, value in (("TAGS", tag), ("KEYS", keys)) if value}
    return StoredMessage("orders", 1, offset, 0, body, properties, "id", 0, 0, 0)


PAID = message(b'{"id": 42}', tag="paid", keys="42 berlin")
NEW = message(b"two pizzas", offset=1)
ALL = [PAID, NEW]
DONE = Fate(True, "consumed")
FAILED = Fate(False, "failed twice", 2)


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        (Wanted(), ALL),
        (Wanted(tag="paid"), [PAID]),
        (Wanted(key="berlin"), [PAID]),
        (Wanted(b"two pizzas"), [NEW]),
        (Wanted("two pizzas"), [NEW]),
        (Wanted({"id": 42}), [PAID]),
        (Wanted(lambda one: one.queue_offset == 1), [NEW]),
        (Wanted(count=2), ALL),
        (Wanted("nothing", count=0), []),
    ],
)
def test_messages_are_wanted_by_body_tag_key_and_number(
    wanted: Wanted, found: list[StoredMessage]
) -> None:
    assert expect_stored("orders", ALL, wanted, []) == found


def test_a_missing_message_is_explained_by_those_that_are_there() -> None:
    with pytest.raises(AssertionError) as failure:
        expect_stored("orders", ALL, Wanted({"id": 43}, tag="paid"), [])
    assert str(failure.value).splitlines() == [
        "expected a message with body={'id': 43}, tag='paid' in 'orders', but there is none",
        "  queue 1 offset 0  tag=paid  keys=42 berlin  b'{\"id\": 42}'",
        "  queue 1 offset 1  b'two pizzas'",
    ]


def test_an_empty_topic_is_explained_by_topics_that_are_not() -> None:
    with pytest.raises(AssertionError, match=r"topics that are not: 'order', 'invoices'"):
        expect_stored("orders", [], Wanted(count=1), ["order", "invoices"])


def test_too_many_messages_are_counted() -> None:
    with pytest.raises(AssertionError, match="expected 1 message in 'orders', but there are 2"):
        expect_stored("orders", ALL, Wanted(count=1), [])


def test_consumed_means_all_that_are_wanted() -> None:
    told = [(PAID, DONE), (NEW, FAILED)]
    assert expect_consumed("orders", "billing", told, Wanted(tag="paid")) == [PAID]
    assert expect_consumed("orders", "billing", told, Wanted(count=1)) == [PAID]
    with pytest.raises(AssertionError) as failure:
        expect_consumed("orders", "billing", told, Wanted())
    assert str(failure.value).splitlines() == [
        "'billing' has consumed 1 of 2 messages of 'orders'",
        "  queue 1 offset 0  tag=paid  keys=42 berlin  b'{\"id\": 42}'  -- consumed",
        "  queue 1 offset 1  b'two pizzas'  -- failed twice",
    ]


def test_consuming_nothing_is_not_consuming_all() -> None:
    with pytest.raises(AssertionError, match="to have consumed a message of 'orders'") as failure:
        expect_consumed("orders", "billing", [], Wanted())
    assert "'orders' is empty" in str(failure.value)
    expect_consumed("orders", "billing", [(NEW, FAILED)], Wanted(count=0))


def test_dead_letters_are_explained_by_messages_that_still_live() -> None:
    assert expect_dead("billing", [PAID], Wanted(tag="paid"), []) == [PAID]
    with pytest.raises(AssertionError) as failure:
        expect_dead("billing", [], Wanted(), [(NEW, FAILED)])
    assert str(failure.value).splitlines() == [
        "expected a message in the dead letters of 'billing' (%DLQ%billing), but there is none",
        "  queue 1 offset 1  b'two pizzas'  -- failed twice",
    ]
    with pytest.raises(AssertionError, match="no message of the group has failed"):
        expect_dead("billing", [], Wanted(), [])


def test_long_lists_and_bodies_are_cut() -> None:
    many = [message(b"x" * 200, offset=number) for number in range(30)]
    with pytest.raises(AssertionError) as failure:
        expect_stored("orders", many, Wanted(tag="no"), [])
    assert "(200 bytes)" in str(failure.value)
    assert str(failure.value).splitlines()[-1] == "  and 10 more"
