"""Which threads run behind those that serve clients: only those nobody waits for."""

from __future__ import annotations

import os
import sys
import threading
from dataclasses import replace
from pathlib import Path

import pytest
from tests.support.local_broker import broker_config, connected, local_broker
from tests.support.waiting import until

from pocketmq.broker.services.standing_back import NICE, NICE_MAX
from pocketmq.store.config import FlushConfig

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="elsewhere threads have no niceness"
)


def niceness(name: str) -> set[int]:
    """How far the threads whose names begin so stand behind this one."""
    own = os.getpriority(os.PRIO_PROCESS, threading.get_native_id())
    return {
        os.getpriority(os.PRIO_PROCESS, thread.native_id) - own
        for thread in threading.enumerate()
        if thread.name.startswith(name) and thread.native_id is not None
    }


@pytest.mark.parametrize("mode", ["ASYNC_FLUSH", "SYNC_FLUSH"])
async def test_the_flush_stands_back_unless_somebody_waits_for_it(
    tmp_path: Path, mode: str
) -> None:
    store = broker_config(tmp_path).store
    flush = FlushConfig(mode=mode, interval_ms=1, pages_min=0)  # type: ignore[arg-type]
    async with (
        local_broker(tmp_path, store=replace(store, flush=flush)) as app,
        connected(app, "client") as (peer,),
    ):
        assert (await peer.send("T", b"x")).code == 0
        await until(lambda: bool(niceness("pocketmq-flush")))
        own = os.getpriority(os.PRIO_PROCESS, threading.get_native_id())
        step = min(NICE, NICE_MAX - own)
        await until(lambda: niceness("pocketmq-upkeep") == {step})
        behind = step if mode == "ASYNC_FLUSH" else 0
        await until(lambda: niceness("pocketmq-flush") == {behind})
        assert niceness("pocketmq-flush") == {behind}
