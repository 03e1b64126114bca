"""Ending many things, each of them also when another cannot be ended."""

from __future__ import annotations

import pytest

from pocketmq.broker.services.ending import end_all
from pocketmq.errors import StoreError


async def test_all_end_in_order_and_the_first_failure_comes_out() -> None:
    ended: list[str] = []

    async def waits() -> None:
        ended.append("waits")

    def disk() -> None:
        ended.append("disk")
        raise StoreError("the disk is broken")

    async def fails() -> None:
        ended.append("fails")
        raise ValueError("first")

    def fails_too() -> None:
        ended.append("fails too")
        raise ValueError("second")

    with pytest.raises(ValueError, match="first"):
        await end_all(disk, fails, waits, fails_too, lambda: ended.append("last"))
    assert ended == ["disk", "fails", "waits", "fails too", "last"]


async def test_what_the_disk_does_not_allow_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    def disk() -> None:
        raise StoreError("the disk is broken")

    await end_all(disk)
    assert "the disk is broken" in caplog.text
