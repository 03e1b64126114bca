"""One look at a producer's properties: the unique key, and what else they ask for."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pocketmq.message.send_properties import (
    HAS_KEYS,
    NO_WAIT,
    REWRITE,
    SPECIAL,
    UNTERMINATED,
    scan_send_properties,
    scan_send_properties_plain,
)

BROKER_SETS = ["POP_CK", "MSG_REGION", "TRACE_ON", "CLUSTER", "__CRC32#"]
MODELS = [
    "DELAY", "TIMER_DELAY_SEC", "TIMER_DELAY_MS", "TIMER_DELIVER_MS", "TIMER_DEL_UNIQKEY",
    "TRAN_MSG", "INNER_NUM", "INNER_BASE", "INNER_MULTI_DISPATCH",
]  # fmt: skip

known = st.sampled_from([*BROKER_SETS, *MODELS, "UNIQ_KEY", "WAIT", "KEYS", "TAGS"])
near = st.builds(lambda name, cut, end: name[:cut] + end, known, st.integers(0, 20), st.text("A_#"))
names = st.one_of(known, near, st.text(st.characters(codec="utf-8"), max_size=5))
values = st.one_of(st.sampled_from(["false", "true", "", "x", "falsey"]), st.text(max_size=4))
parts = st.one_of(
    st.builds(lambda name, value: f"{name}\x01{value}", names, values),
    st.sampled_from(["", "\x01", "\x01x", "x\x01", "a\x01b\x01c", "alone"]),
)


@given(st.lists(parts, max_size=6), st.booleans())
@settings(max_examples=400, deadline=None)
def test_compiled_and_plain_see_the_same(held: list[str], terminated: bool) -> None:
    text = "\x02".join(held) + ("\x02" if terminated else "")
    data = text.encode("utf-8", "replace")
    assert scan_send_properties(data) == scan_send_properties_plain(data)


@given(st.binary(max_size=40))
def test_compiled_and_plain_see_the_same_in_noise(data: bytes) -> None:
    assert scan_send_properties(data) == scan_send_properties_plain(data)


@pytest.mark.parametrize("name", BROKER_SETS)
def test_what_the_broker_sets_asks_for_a_rewrite(name: str) -> None:
    assert scan_send_properties(f"{name}\x01v\x02".encode()) == (b"", REWRITE)


@pytest.mark.parametrize("name", MODELS)
def test_message_models_are_noticed(name: str) -> None:
    assert scan_send_properties(f"{name}\x01v\x02".encode()) == (b"", SPECIAL)


@pytest.mark.parametrize(
    ("text", "key", "marks"),
    [
        ("", "", 0),
        ("UNIQ_KEY\x01u\x02", "u", 0),
        ("UNIQ_KEY\x01u\x02UNIQ_KEY\x01w\x02", "w", 0),
        ("UNIQ_KEY\x01u", "u", UNTERMINATED),
        ("KEYS\x01k\x02TAGS\x01t\x02", "", HAS_KEYS),
        ("WAIT\x01false\x02", "", NO_WAIT),
        ("WAIT\x01true\x02", "", 0),
        ("TAGS\x01\x02", "", REWRITE),
        ("\x01v\x02", "", REWRITE),
        ("alone\x02", "", REWRITE),
        ("\x02\x02", "", 0),
        ("a\x01b\x01c\x02", "", 0),
    ],
)
def test_marks(text: str, key: str, marks: int) -> None:
    assert scan_send_properties(text.encode()) == (key.encode(), marks)
