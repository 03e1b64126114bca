"""One exchange: a broker of one kind begins, one of the other kind finishes on its directory."""

from __future__ import annotations

import asyncio
from pathlib import Path

from tests.compat.exchange.client import Half, came
from tests.compat.exchange.models import finish, leave_open
from tests.compat.exchange.ordered import finish_ordered, leave_ordered
from tests.compat.exchange.seen import Seen
from tests.compat.exchange.tables import leave_tables, look_at_tables
from tests.compat.exchange.waiting import PENDING, leave_levels, leave_pending, leave_timed
from tests.compat.machines import EXCHANGES, STOPS, Machines
from tests.support.clients import raw
from tests.support.clients.servers import free_broker_port

CASES = [(writer, reader, stop) for stop in STOPS for writer, reader in EXCHANGES]

SETTINGS = {
    "flushDiskType": "SYNC_FLUSH",
    "timerWheelEnable": "true",
    "enablePropertyFilter": "true",
    "flushConsumerOffsetInterval": "1000",
    "flushDelayOffsetInterval": "1000",
    "transactionOpBatchInterval": "200",
}
# The writer asks no producer, the reader soon.
PATIENT = {"transactionTimeOut": "600000", "transactionCheckInterval": "600000"}
EAGER = {"transactionTimeOut": "1000", "transactionCheckInterval": "3000"}


def hand_over(machines: Machines, writer: str, reader: str, stop: str) -> Seen:
    """Let one broker begin and the other finish; return what was seen."""
    data, names = machines.directory("exchange") / "data", machines.name_server("apache")
    name, port = data.parent.name, free_broker_port()
    seen = Seen(writer, reader, name)
    with machines.broker(writer, "apache", data, port, **SETTINGS, **PATIENT) as first:
        for topic in ("plain", "pop", "ordered", "levels", "timed"):
            raw.create_topic(names, first.address, f"{name}-{topic}", queues=1)
        raw.create_topic(names, first.address, f"{name}-whole", 1, "+queue.type=BatchCQ")
        halves = asyncio.run(_leave_everything(first.address, data, seen))
        STOPS[stop](first.process)
    with machines.broker(reader, "apache", data, port, **SETTINGS, **EAGER) as second:
        asyncio.run(_finish_everything(second.address, halves, seen))
        asyncio.run(look_at_tables(second.address, f"{name}-pop", data, seen))
        second.process.kill()
    return seen


async def _leave_everything(address: str, data: Path, seen: Seen) -> dict[str, Half]:
    halves, *_ = await asyncio.gather(
        leave_open(address, seen.topics, data, seen),
        leave_ordered(address, seen.topics, data, seen),
        leave_levels(address, f"{seen.topics}-levels", data, seen),
        leave_tables(address, f"{seen.topics}-pop", data),
        leave_timed(address, f"{seen.topics}-timed", seen),
    )
    await leave_pending(address, f"{seen.topics}-timed", data)
    return halves


async def _finish_everything(address: str, halves: dict[str, Half], seen: Seen) -> None:
    *_, seen.levels_after, seen.timed_after = await asyncio.gather(
        finish(address, seen.topics, halves, seen),
        finish_ordered(address, seen.topics, seen),
        came(address, f"{seen.topics}-levels", PENDING.stop),
        came(address, f"{seen.topics}-timed", PENDING.stop),
    )
