"""What waits in one broker, in delay levels and on the timer's wheel, for the other to deliver."""

from __future__ import annotations

import re
import struct
import time
from pathlib import Path

from tests.compat.exchange.client import came, connected_to, until_counted
from tests.compat.exchange.seen import Seen
from tests.support.pulling import props

SOON, LATER = 1, 4
DUE, PENDING = range(40), range(40, 100)
"""The messages that the first broker delivers, and those that it leaves to the other."""
DUE_MS, PENDING_MS = 8000, 30_000
"""Long enough for all to be taken before the first is due: what is due does not enter the wheel."""


async def leave_levels(address: str, topic: str, data: Path, seen: Seen) -> None:
    """Have some of what waits in levels delivered, and leave the rest to wait."""
    await _send(address, topic, DUE, DELAY=SOON)
    await _send(address, topic, PENDING, DELAY=LATER)
    seen.levels_before = await came(address, topic, len(DUE))
    # Both kinds write down every second how far levels are; Apache begins after ten.
    await until_counted(lambda: _delivered(data), len(DUE))


async def _delivered(data: Path) -> int:
    """How far the file says that the first level is."""
    file = data / "config" / "delayOffset.json"
    if not file.exists():
        return 0
    found = re.search(rf'"offsetTable"\s*:\s*{{[^}}]*\b{SOON}"?\s*:\s*(\d+)', file.read_text())
    return int(found[1]) if found else 0


async def leave_timed(address: str, topic: str, seen: Seen) -> None:
    """Have some timed messages delivered."""
    await _send(address, topic, DUE, TIMER_DELIVER_MS=_in_ms(DUE_MS))
    seen.timed_before = await came(address, topic, len(DUE))


async def leave_pending(address: str, topic: str, data: Path) -> None:
    """Have timed messages taken that are due when the other broker runs."""
    await _send(address, topic, PENDING, TIMER_DELIVER_MS=_in_ms(PENDING_MS))
    await until_counted(lambda: _on_the_wheel(data), PENDING.stop)


async def _on_the_wheel(data: Path) -> int:
    """How many timed messages the timer says to have on its files."""
    file = data / "config" / "timercheck"
    if not file.exists():
        return 0
    queue_offset: int = struct.unpack_from(">3q", file.read_bytes())[2]
    return queue_offset


async def _send(address: str, topic: str, numbers: range, **delay: int) -> None:
    async with connected_to(address) as peer:
        for number in numbers:
            own = props(UNIQ_KEY=f"U{number:031}", WAIT="true", **delay)
            answer = await peer.send(topic, b"%d" % number, 0, own)
            assert answer.code == 0, answer.remark


def _in_ms(milliseconds: int) -> int:
    return int(time.time() * 1000) + milliseconds
