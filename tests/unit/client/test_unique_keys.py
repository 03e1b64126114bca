"""Unique keys have the form that consoles of RocketMQ take apart."""

from __future__ import annotations

import os
import time
from datetime import datetime

import pytest

from pocketmq.client.unique_keys import UniqueKeys, local_host


def test_a_key_tells_address_process_and_time() -> None:
    now_ms = time.time_ns() // 1_000_000
    raw = bytes.fromhex(UniqueKeys("10.1.2.3").new(now_ms))
    assert len(raw) == 16
    assert raw[:4] == bytes([10, 1, 2, 3])
    assert int.from_bytes(raw[4:6], "big") == os.getpid() & 0xFFFF
    today = datetime.fromtimestamp(now_ms / 1000)
    month = datetime(today.year, today.month, 1)
    assert int.from_bytes(raw[10:14], "big") == now_ms - round(month.timestamp() * 1000)


def test_keys_are_upper_case_hex_and_longer_with_an_ipv6_address() -> None:
    short, long = UniqueKeys("10.1.2.3").new(), UniqueKeys("2001:db8::1").new()
    assert (len(short), len(long)) == (32, 56)
    assert short == short.upper()


def test_no_key_comes_twice_from_one_process_or_its_children() -> None:
    keys = UniqueKeys("10.1.2.3")
    found = {keys.new(1_700_000_000_000 + number // 60_000) for number in range(200_000)}
    assert len(found) == 200_000
    before = keys.new()
    keys.after_fork()
    assert keys.new()[12:20] != before[12:20], "the token differs, whatever the process id"


def test_a_new_month_begins_from_zero() -> None:
    keys = UniqueKeys("10.1.2.3")
    for month in (3, 4):
        moment = datetime(2026, month, 1, 0, 0, 5)
        raw = bytes.fromhex(keys.new(round(moment.timestamp() * 1000)))
        assert int.from_bytes(raw[10:14], "big") == 5000


@pytest.mark.parametrize("host", ["not-a-number", ""])
def test_any_host_will_do(host: str) -> None:
    assert len(UniqueKeys(host).new()) in (32, 56)
    assert local_host()
