"""What one broker leaves open of transactions, whole batches and pops, and the other finishes."""

from __future__ import annotations

import asyncio
import re
import time
from pathlib import Path

from tests.compat.exchange.client import Client, Half, connected_to, until_counted
from tests.compat.exchange.seen import Seen
from tests.support.pops import records
from tests.support.pulling import props, pull_all

COMMIT, ROLLBACK = 8, 12

ENDED = {"done-0": COMMIT, "done-1": COMMIT, "dropped-0": ROLLBACK, "dropped-1": ROLLBACK}
OPEN = {"open-0": COMMIT, "open-1": COMMIT, "open-2": ROLLBACK}
LATE = "late"
POPPED = [f"popped-{n}" for n in range(8)]
ACKED = {"popped-1", "popped-4", "popped-6"}
FRESH = ["fresh-0", "fresh-1"]


async def leave_open(address: str, broker: str, data: Path, seen: Seen) -> dict[str, Half]:
    """End some transactions, keep batches, pop messages and acknowledge a few."""
    async with connected_to(address) as peer:
        client = Client(peer, broker)
        await _begin_everything(client, seen)
        # Both kinds write down every second how far groups are; Apache begins after ten.
        await until_counted(lambda: _saved(data, client.popped), len(POPPED))
        return client.halves


async def _saved(data: Path, topic: str) -> int:
    """How far the file says that the popping group is."""
    file = data / "config" / "consumerOffset.json"
    if not file.exists():
        return 0
    found = re.search(rf'"{topic}@popper":\s*{{\s*0:(\d+)', file.read_text())
    return int(found[1]) if found else 0


async def _begin_everything(client: Client, seen: Seen) -> None:
    peer = client.peer
    for key in [*ENDED, *OPEN, LATE]:
        await client.begin(key)
    for key, decision in ENDED.items():
        await client.end(client.halves[key], decision)
    await client.wait_listed(len(ENDED))
    assert await client.send_batch("U1", b"a", b"b", b"c") == 0
    await peer.send(client.whole, b"single", 0, props(UNIQ_KEY="U2"))
    assert await client.send_batch("U3", b"d", b"e") == 4
    for body in POPPED:
        await peer.send(client.popped, body.encode())
    await until_counted(client.stored, len(POPPED))
    answer = await client.pop(len(POPPED))
    seen.popped_before = [bytes(record.body).decode() for record in records(answer)]
    await client.ack(answer, ACKED)
    for body in FRESH:
        await peer.send(client.popped, body.encode())

    async def whole() -> int:
        seen.batches_before = await pull_all(peer, client.whole)
        return len(seen.batches_before)

    await until_counted(whole, 3)


async def finish(address: str, broker: str, halves: dict[str, Half], seen: Seen) -> None:
    """Answer its questions, read and write batches, pop what comes back."""
    async with connected_to(address) as peer:
        client = Client(peer, broker)
        client.halves = halves
        await _finish_everything(client, seen)
        seen.committed = await pull_all(peer, client.plain)
        seen.batches_after = await pull_all(peer, client.whole)


async def _finish_everything(client: Client, seen: Seen) -> None:
    # Its producer only now decides about the half message the other broker took.
    await client.end(client.halves[LATE], COMMIT)
    assert await client.send_batch("U4", b"f", b"g", b"h") == 6

    async def finished() -> int:
        seen.asked += await client.answer_checks(OPEN | {LATE: COMMIT})
        answer = await client.pop(32, 60_000)
        found = records(answer) if answer.code == 0 else []
        for record in found:
            seen.popped_after.append(bytes(record.body).decode())
            seen.reconsumed[seen.popped_after[-1]] = record.reconsume_times
        if found:
            await client.ack(answer, set(seen.popped_after))
        return len(OPEN.keys() & set(seen.asked)) + len(seen.popped_after)

    await until_counted(finished, len(OPEN) + len(POPPED) - len(ACKED) + len(FRESH))
    # Another round of checks and some of revivals bring nothing.
    deadline = time.monotonic() + 4.5
    while time.monotonic() < deadline:
        await finished()
        await asyncio.sleep(0.1)
