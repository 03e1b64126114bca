"""Pages of figures: what a broker writes is what a collector reads, and nonsense is refused."""

from __future__ import annotations

import pytest

from pocketmq.errors import MalformedBody
from pocketmq.protocol.bodies.figures import (
    Count,
    Number,
    TopicFigures,
    decode_page,
    encode_page,
    encode_rows,
)


def test_rows_come_back_in_order() -> None:
    rows = [TopicFigures(f"topic-{number}", "normal", number, 2 * number) for number in range(7)]
    body = encode_page([encode_rows(rows[:3]), b"", encode_rows(rows[3:])], 500)
    assert decode_page(TopicFigures, body) == (rows, 500)
    assert decode_page(TopicFigures, encode_page([], 0)) == ([], 0)


def test_columns_of_a_later_version_are_passed_over() -> None:
    assert decode_page(Count, b'{"next":0,"rows":[["a","b",1,"more",2]]}') == (
        [Count("a", "b", 1)],
        0,
    )


def test_whole_numbers_may_stand_for_fractions() -> None:
    assert decode_page(Number, b'{"next":0,"rows":[["a",1],["b",0.5]]}')[0] == [
        Number("a", 1),
        Number("b", 0.5),
    ]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"null",
        b'{"rows":[]}',
        b'{"next":"0","rows":[]}',
        b'{"next":0,"rows":{}}',
        b'{"next":0,"rows":[["a","b"]]}',
        b'{"next":0,"rows":[["a","b","1\\nrocketmq_evil 1"]]}',
        b'{"next":0,"rows":[["a","b",true]]}',
        b'{"next":0,"rows":[7]}',
        b"[" * 100_000,
    ],
)
def test_what_is_no_page_is_refused(body: bytes) -> None:
    with pytest.raises(MalformedBody, match="page of Count"):
        decode_page(Count, body)
