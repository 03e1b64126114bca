"""A queue that is popped in order, given up by one broker in the middle, for the other to go on."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

from tests.compat.exchange.client import Client, connected_to, until_counted
from tests.compat.exchange.seen import Seen
from tests.support.pops import records
from tests.support.pulling import props

from pocketmq.protocol.command import Command

LETTERS = ["a", "b", "c", "d", "e", "f"]
HELD = 3
"""So many are popped at once; of them the first is acknowledged."""


async def leave_ordered(address: str, broker: str, data: Path, seen: Seen) -> None:
    """Pop the first messages in order, acknowledge one, and wait until that is written down."""
    async with connected_to(address) as peer:
        client = Client(peer, broker)
        for letter in LETTERS:
            sent = await peer.send(client.ordered, letter.encode(), 0, props(UNIQ_KEY=letter))
            assert sent.code == 0, sent.remark
        while not seen.ordered_before:
            answer = await client.pop(HELD, ordered=True)
            seen.ordered_before = _bodies(answer) if answer.code == 0 else []
            await asyncio.sleep(0.05)
        await client.ack(answer, set(LETTERS[:1]), ordered=True)
        await until_counted(lambda: _saved(data, client.ordered), 1)


async def _saved(data: Path, topic: str) -> int:
    """1 when both the offset and what the pop holds are in their files, else 0."""
    offsets = _text(data, "consumerOffset.json")
    held = _text(data, "consumerOrderInfo.json")
    moved = re.search(rf'"{topic}@popper":\s*{{\s*0:1\b', offsets)
    acked = re.search(rf'"{topic}@popper".*?"cm":\s*1\b', held, re.DOTALL)
    return int(bool(moved and acked))


def _text(data: Path, name: str) -> str:
    file = data / "config" / name
    return file.read_text() if file.exists() else ""


async def finish_ordered(address: str, broker: str, seen: Seen) -> None:
    """Pop and acknowledge what is left, and look once more."""
    async with connected_to(address) as peer:
        client = Client(peer, broker)

        async def gone_on() -> int:
            answer = await client.pop(HELD, 60_000, ordered=True)
            if answer.code == 0:
                if not seen.ordered_after:
                    told = answer.fields["orderCountInfo"].split(";")
                    seen.ordered_counts = {part for part in told if "qo" in part}
                seen.ordered_after += _bodies(answer)
                await client.ack(answer, set(LETTERS), ordered=True)
            return len(seen.ordered_after)

        await until_counted(gone_on, len(LETTERS) - 1)
        await asyncio.sleep(1)
        await gone_on()


def _bodies(answer: Command) -> list[str]:
    return [bytes(record.body).decode() for record in records(answer)]
