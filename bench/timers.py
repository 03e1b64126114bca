"""What waiting timed messages cost: `python -m bench.timers --waiting 1000000`.

A broker of its own process takes that many messages, due in one to three days. Then it is left
alone, and its processor time and memory are read. Then a thousand messages fall due in each of some
seconds, and it is seen how late they were stored for their consumers; first those with a time of
their own, then those of a delay level.

Anonymous memory is what no file is behind. Pages of the timer's own files are told beside it; the
kernel takes them back when it needs them.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from pocketmq.message.properties import encode_properties
from pocketmq.message.record import Record, decode_record
from pocketmq.net import RpcClient
from pocketmq.protocol.codes import RequestCode
from pocketmq.protocol.command import ROCKETMQ, Command
from pocketmq.protocol.framing import encode_frame

_WINDOW: Final = 500
_PRECISION_MS: Final = 1000
_LEVEL: Final = 2
_LEVEL_MS: Final = 5000
_SCHEDULE: Final = "SCHEDULE_TOPIC_XXXX"
_BURST_MS: Final = 20
_BODY: Final = b"x" * 100


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--waiting", type=int, default=1_000_000)
    parser.add_argument("--rest-seconds", type=float, default=20.0)
    parser.add_argument("--due-seconds", type=int, default=10)
    parser.add_argument("--per-second", type=int, default=1000)
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    parser.add_argument("--work-dir", default=None)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.work_dir) as directory:
        asyncio.run(_run(options, Path(directory)))


async def _run(options: argparse.Namespace, directory: Path) -> None:
    def tell(text: str) -> None:
        print(text, file=sys.stderr if options.json else sys.stdout)

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "pocketmq", "broker", "--port", str(port)]
    command += ["--data", str(directory), "--log-level", "error", "--set", "fast_port_offset=0"]
    process = _started(command)
    try:
        reader, writer = await _connect(port)
        await _send(reader, writer, _plain(1))
        await asyncio.sleep(3)
        before = _memory(process.pid)
        began = time.monotonic()
        await _send(reader, writer, _waiting(options.waiting))
        seconds = time.monotonic() - began
        tell(f"{options.waiting} messages sent in {seconds:.0f} s")
        await _until_enrolled(port)
        await asyncio.sleep(12)
        after = _memory(process.pid)
        for name in after:
            tell(f"{name:32} {before[name]:8.1f} MB before, {after[name]:8.1f} MB after")
        rest = await _load(process.pid, options.rest_seconds)
        tell(f"processor at rest: {rest:.2f} % of a core")
        await _send(reader, writer, _due(options.due_seconds, options.per_second))
        await asyncio.sleep(options.due_seconds + 5)
        wanted = options.due_seconds * options.per_second
        timed = _Late.of([late async for late in _timers_lateness(port)], wanted)
        tell(f"timers' lateness, {options.per_second} due a second: {timed}")
        await _send_evenly(reader, writer, wanted, options.per_second)
        await asyncio.sleep(_LEVEL_MS / 1000 + 2)
        level = _Late.of(await _levels_lateness(port), wanted)
        tell(f"a level's lateness, {options.per_second} due a second: {level}")
        writer.close()
        if options.json:
            figures = {
                "private_mb": sum(after.values()) - sum(before.values()),
                "rest_percent": rest,
                "timers_late": asdict(timed),
                "levels_late": asdict(level),
            }
            print(json.dumps(figures))
    finally:
        process.terminate()
        process.wait()


def _started(command: list[str]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(command, stdout=subprocess.DEVNULL)


async def _connect(port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    while True:
        try:
            return await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            await asyncio.sleep(0.05)


def _frame(number: int, topic: str, properties: dict[str, str]) -> bytes:
    fields = {
        "a": "p", "b": topic, "c": "TBW102", "d": "4", "e": str(number % 4), "f": "0",
        "g": str(int(time.time() * 1000)), "h": "0", "i": encode_properties(properties),
        "j": "0", "k": "false", "m": "false",
    }  # fmt: skip
    request = Command.request(RequestCode.SEND_MESSAGE_V2, fields, _BODY)
    request.opaque = number
    request.serialization = ROCKETMQ
    return bytes(encode_frame(request))


def _plain(count: int) -> Iterator[bytes]:
    for number in range(count):
        yield _frame(number, "T", {"UNIQ_KEY": f"P{number:031}"})


def _waiting(count: int) -> Iterator[bytes]:
    for number in range(count):
        delay_ms = 86_400_000 + number * 7919 % 169_200 * 1000
        properties = {"UNIQ_KEY": f"W{number:031}", "TIMER_DELAY_MS": str(delay_ms)}
        yield _frame(number, "T", properties)


def _due(seconds: int, per_second: int) -> Iterator[bytes]:
    first_ms = (int(time.time()) + 4) * 1000
    for number in range(seconds * per_second):
        moment_ms = first_ms + number * 1000 // per_second
        properties = {"UNIQ_KEY": f"D{number:031}", "TIMER_DELIVER_MS": str(moment_ms)}
        yield _frame(number, "D", properties)


async def _send(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, frames: Iterable[bytes]
) -> None:
    """Send with a window; every answer has to be a success."""
    window: list[bytes] = []
    for frame in frames:
        window.append(frame)
        if len(window) == _WINDOW:
            await _exchange(reader, writer, window)
            window = []
    await _exchange(reader, writer, window)


async def _exchange(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, window: list[bytes]
) -> None:
    writer.write(b"".join(window))
    for _ in window:
        size = int.from_bytes(await reader.readexactly(4), "big")
        answer = await reader.readexactly(size)
        code = int.from_bytes(answer[4:6], "big")
        assert code == 0, answer


async def _until_enrolled(port: int) -> None:
    client = RpcClient()
    try:
        while True:
            request = Command.request(RequestCode.GET_BROKER_RUNTIME_INFO)
            answer = await client.call(f"127.0.0.1:{port}", request, 5000)
            if b'"timerOffsetBehind":"0"' in bytes(answer.body).replace(b" ", b""):
                return
            await asyncio.sleep(0.2)
    finally:
        await client.close()


async def _send_evenly(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, count: int, per_second: int
) -> None:
    """Send messages of one level at an even pace, so that they fall due at one."""
    burst = max(per_second * _BURST_MS // 1000, 1)
    began = time.monotonic()
    for first in range(0, count, burst):
        await asyncio.sleep(max(began + first / per_second - time.monotonic(), 0))
        frames = [
            _frame(number, "L", {"UNIQ_KEY": f"L{number:031}", "DELAY": str(_LEVEL)})
            for number in range(first, min(first + burst, count))
        ]
        await _exchange(reader, writer, frames)


@dataclass(frozen=True, slots=True)
class _Late:
    """How late messages were, in milliseconds."""

    p50_ms: int
    p99_ms: int
    most_ms: int

    @classmethod
    def of(cls, late_ms: list[int], wanted: int) -> _Late:
        assert len(late_ms) == wanted, f"{len(late_ms)} of {wanted} came"
        late_ms = sorted(late_ms)
        assert late_ms[0] >= 0, f"one came {-late_ms[0]} ms early"
        return cls(late_ms[wanted // 2], late_ms[wanted * 99 // 100], late_ms[-1])

    def __str__(self) -> str:
        return f"p50 {self.p50_ms} ms, p99 {self.p99_ms} ms, most {self.most_ms} ms"


async def _timers_lateness(port: int) -> AsyncIterator[int]:
    async for record in _records(port, "D", range(4)):
        due_ms = int(record.properties["TIMER_OUT_MS"]) + _PRECISION_MS
        yield record.store_timestamp_ms - due_ms


async def _levels_lateness(port: int) -> list[int]:
    waiting = {
        record.properties["UNIQ_KEY"]: record.store_timestamp_ms
        async for record in _records(port, _SCHEDULE, [_LEVEL - 1])
    }
    return [
        record.store_timestamp_ms - waiting[record.properties["UNIQ_KEY"]] - _LEVEL_MS
        async for record in _records(port, "L", range(4))
    ]


async def _records(port: int, topic: str, queue_ids: Iterable[int]) -> AsyncIterator[Record]:
    """All messages of some queues."""
    client = RpcClient()
    try:
        for queue_id in queue_ids:
            offset = 0
            while True:
                fields = {
                    "consumerGroup": "g", "topic": topic, "queueId": str(queue_id),
                    "queueOffset": str(offset), "maxMsgNums": "32", "sysFlag": "4",
                    "commitOffset": "0", "suspendTimeoutMillis": "0", "subscription": "*",
                    "subVersion": "0", "expressionType": "TAG",
                }  # fmt: skip
                request = Command.request(RequestCode.PULL_MESSAGE, fields)
                body = bytes((await client.call(f"127.0.0.1:{port}", request, 5000)).body)
                if not body:
                    break
                at = 0
                while at < len(body):
                    record = decode_record(body, at)
                    at += record.size
                    offset = record.queue_offset + 1
                    yield record
    finally:
        await client.close()


async def _load(pid: int, seconds: float) -> float:
    began, then = _cpu_seconds(pid), time.monotonic()
    await asyncio.sleep(seconds)
    return (_cpu_seconds(pid) - began) / (time.monotonic() - then) * 100


def _cpu_seconds(pid: int) -> float:
    parts = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(parts[11]) + int(parts[12])) / os.sysconf("SC_CLK_TCK")


def _memory(pid: int) -> dict[str, float]:
    """Anonymous memory, and mapped private pages of the timer's files, in MB."""
    anonymous = timer = 0
    ours = False
    for line in Path(f"/proc/{pid}/smaps").read_text().splitlines():
        words = line.split()
        if not words[0].endswith(":"):
            ours = "/timerlog/" in line or line.endswith("/timerwheel")
        elif words[0] == "Anonymous:":
            anonymous += int(words[1])
        elif ours and words[0] in ("Private_Clean:", "Private_Dirty:"):
            timer += int(words[1])
    return {"anonymous": anonymous / 1024, "mapped files of the timer": timer / 1024}


if __name__ == "__main__":
    main()
