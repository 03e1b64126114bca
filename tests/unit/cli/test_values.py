"""What people type: moments, durations, pairs and queues."""

from __future__ import annotations

import time

import pytest

from pocketmq.cli.values import duration, moment_ms, pairs, queue_of, seconds_of
from pocketmq.errors import ConfigError


@pytest.mark.parametrize(
    ("text", "ms"),
    [
        ("2026-11-21T13:30:00+00:00", 1_795_267_800_000),
        ("2026-11-21T13:30:00Z", 1_795_267_800_000),
        ("2026-11-21T13:30:00.250+00:00", 1_795_267_800_250),
        ("1795267800250", 1_795_267_800_250),
    ],
)
def test_a_moment(text: str, ms: int) -> None:
    assert moment_ms(text, "--from") == ms


def test_a_moment_of_this_machine() -> None:
    local = time.mktime((2026, 11, 21, 13, 30, 0, 0, 0, -1)) * 1000
    assert moment_ms("2026-11-21T13:30:00", "--from") == local
    assert moment_ms("2026-11-21 13:30", "--from") == local
    assert moment_ms("2026-11-21#13:30:00:250", "--from") == local + 250


def test_a_moment_some_time_ago() -> None:
    now_ms = time.time() * 1000
    assert abs(moment_ms("30m", "--from") - (now_ms - 1_800_000)) < 5000
    assert abs(moment_ms("1.5h", "--from") - (now_ms - 5_400_000)) < 5000
    assert abs(moment_ms("now", "--from") - now_ms) < 5000


@pytest.mark.parametrize("text", ["soon", "", "12", "2026-13-01", "30x", "-5m", "9" * 30 + "-1"])
def test_what_is_no_moment(text: str) -> None:
    with pytest.raises(ConfigError, match=r"--from .*such as 2026-11-21T13:30:00, or how long"):
        moment_ms(text, "--from")


@pytest.mark.parametrize(
    ("text", "seconds"), [("500ms", 0.5), ("10s", 10), ("2h", 7200), ("1d", 86_400), ("3", 3)]
)
def test_a_duration(text: str, seconds: float) -> None:
    assert seconds_of(text, "--delay") == seconds


@pytest.mark.parametrize("text", ["", "x", "-1", "inf", "nan", "5 s", "5w"])
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(ConfigError, match="say a duration such as 500ms"):
        seconds_of(text, "--delay")


def test_pairs_and_queues() -> None:
    assert pairs(["a=1", "b=x=y", "c="], "--property") == {"a": "1", "b": "x=y", "c": ""}
    assert queue_of("broker-a:3", "--queue") == ("broker-a", 3)
    assert queue_of("a:b:3", "--queue") == ("a:b", 3)
    for text in ("a", "=1"):
        with pytest.raises(ConfigError, match="write it as NAME=VALUE"):
            pairs([text], "--property")
    for text in ("a", ":1", "a:", "a:x"):
        with pytest.raises(ConfigError, match="write it as BROKER:QUEUE"):
            queue_of(text, "--queue")


@pytest.mark.parametrize(
    ("ms", "text"),
    [
        (0, "0s"),
        (250, "250ms"),
        (59_999, "59s"),
        (60_000, "1m"),
        (61_000, "1m 1s"),
        (3_600_000, "1h"),
        (5_400_000, "1h 30m"),
        (86_400_000 * 3 + 3_600_000, "3d 1h"),
    ],
)
def test_a_span_in_words(ms: int, text: str) -> None:
    assert duration(ms) == text
