"""What popping and acknowledging costs: `python -m bench.pops`.

Some connections pop 32 messages at a time and acknowledge each by itself, all 32 acks in one write.
Messages are popped again and again, by one group after the other. They stay hidden for less time
than the warm-up takes, so that what is measured includes the check points and acks that come back
from the timer. The peers take turns; each is warmed before its window begins.
"""

from __future__ import annotations

import argparse
import json
import os
import selectors
import socket
import struct
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from bench.peers import ApachePeer, Peer, PocketMQPeer
from bench.remoting import SEND_MESSAGE_V2, WIRE_VERSION, Remote

POP_MESSAGE: Final = 200050
ACK_MESSAGE: Final = 200051
NOTHING_TO_POP: Final = 210
TOPIC: Final = "bench_pop"
QUEUES: Final = 8
_READ_BYTES: Final = 1024 * 1024
_PREFIX: Final = struct.Struct(">iI")


@dataclass(slots=True)
class Tally:
    """What all connections did together."""

    popped: int = 0
    acknowledged: int = 0
    refused: int = 0
    round: int = 0


class Popper:
    """One connection: it pops, acknowledges all it got, and pops again."""

    def __init__(self, port: int, tally: Tally, *, count: int, invisible_ms: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._tally = tally
        self._count = count
        self._invisible_ms = invisible_ms
        self._received = bytearray()
        self._waiting = 0
        self._group = 0
        self._acknowledging = False

    def pop(self) -> None:
        """Ask for messages."""
        self._acknowledging = False
        self._waiting = 1
        self._group = self._tally.round
        fields = {
            "consumerGroup": f"poppers{self._group}",
            "topic": TOPIC,
            "queueId": "-1",
            "maxMsgNums": str(self._count),
            "invisibleTime": str(self._invisible_ms),
            "pollTime": "0",
            "bornTime": str(time.time_ns() // 1_000_000),
            "initMode": "0",
            "order": "false",
        }
        self.socket.sendall(frame(POP_MESSAGE, 1, fields))

    def readable(self) -> None:
        """Take in what came; when all answers are there, go on."""
        self._received += self.socket.recv(_READ_BYTES)
        if self._acknowledging:
            self._count_answers()
        else:
            self._take_messages()
        if not self._waiting:
            self.pop()

    def _take_messages(self) -> None:
        received = self._received
        if len(received) < 8 or len(received) < (total := _PREFIX.unpack_from(received)[0] + 4):
            return
        length = _PREFIX.unpack_from(received)[1] & 0xFFFFFF
        header: dict[str, Any] = json.loads(received[8 : 8 + length])
        del received[:total]
        if header["code"] == 0:
            self._acknowledge(header["extFields"])
            return
        if header["code"] != NOTHING_TO_POP:
            raise SystemExit(f"a pop was refused: {header}")
        self._waiting = 0
        if self._group == self._tally.round:
            self._tally.round += 1

    def _count_answers(self) -> None:
        at, received, done = 0, self._received, 0
        size = len(received)
        while size - at >= 8:
            end = at + 4 + int.from_bytes(received[at : at + 4], "big")
            if end > size:
                break
            if received[at + 8 : at + 18] != b'{"code":0,':
                self._tally.refused += 1
            done += 1
            at = end
        del received[:at]
        self._tally.acknowledged += done
        self._waiting -= done

    def _acknowledge(self, fields: dict[str, str]) -> None:
        starts = {}
        for part in fields["startOffsetInfo"].split(";"):
            retry, queue, start = part.split(" ")
            starts[retry, queue] = start
        frames: list[bytes] = []
        for part in fields["msgOffsetInfo"].split(";"):
            retry, queue, offsets = part.split(" ")
            info = (
                f"{starts[retry, queue]} {fields['popTime']} {fields['invisibleTime']} "
                f"{fields['reviveQid']} {retry} broker-a {queue}"
            )
            frames += self._acks(retry, queue, info, offsets.split(","))
        self._tally.popped += len(frames)
        self._waiting = len(frames)
        self._acknowledging = True
        self.socket.sendall(b"".join(frames))

    def _acks(self, retry: str, queue: str, info: str, offsets: list[str]) -> list[bytes]:
        group = f"poppers{self._group}"
        topic = f"%RETRY%{group}_{TOPIC}" if retry == "1" else TOPIC
        head = (
            f'{{"code":{ACK_MESSAGE},"extFields":{{"consumerGroup":"{group}","topic":"{topic}",'
            f'"queueId":"{queue}","extraInfo":"{info} '
        )
        tail = (
            f'"}},"flag":0,"language":"JAVA","opaque":7,"serializeTypeCurrentRPC":"JSON",'
            f'"version":{WIRE_VERSION}}}'
        )
        between = '","offset":"'
        fixed = len(head) + len(between) + len(tail)
        frames = []
        for offset in offsets:
            size = fixed + 2 * len(offset)
            text = f"{head}{offset}{between}{offset}{tail}".encode()
            frames.append(_PREFIX.pack(4 + size, size) + text)
        return frames


def frame(code: int, opaque: int, fields: dict[str, str], body: bytes = b"") -> bytes:
    """One request with a JSON header."""
    header = {
        "code": code,
        "extFields": fields,
        "flag": 0,
        "language": "JAVA",
        "opaque": opaque,
        "serializeTypeCurrentRPC": "JSON",
        "version": WIRE_VERSION,
    }
    encoded = json.dumps(header, separators=(",", ":")).encode()
    return _PREFIX.pack(4 + len(encoded) + len(body), len(encoded)) + encoded + body


def fill(port: int, messages: int, body_bytes: int) -> None:
    """Send messages, many at a time, until so many are acknowledged."""
    body = b"x" * body_bytes
    with Remote(port) as remote:
        remote.create_topic(TOPIC, QUEUES)
    with socket.create_connection(("127.0.0.1", port), 60) as connection:
        sent = 0
        while sent < messages:
            batch = range(sent, min(sent + 128, messages))
            connection.sendall(b"".join(_send(number, body) for number in batch))
            accepted = _count_accepted(connection, len(batch))
            sent += accepted
            if accepted < len(batch):
                time.sleep(0.1)  # a cold JVM asks for a moment's patience


def _count_accepted(connection: socket.socket, answers: int) -> int:
    accepted, received = 0, bytearray()
    while answers:
        received += connection.recv(_READ_BYTES)
        while len(received) >= 8 and len(received) >= (end := _PREFIX.unpack_from(received)[0] + 4):
            accepted += b'"code":0' in received[:end]
            del received[:end]
            answers -= 1
    return accepted


def _send(number: int, body: bytes) -> bytes:
    fields = {
        "a": "bench_group",
        "b": TOPIC,
        "c": "TBW102",
        "d": "8",
        "e": str(number % QUEUES),
        "f": "0",
        "g": "1795240000000",
        "h": "0",
        "i": f"UNIQ_KEY\x01{number:032X}\x02WAIT\x01true\x02",
        "j": "0",
        "k": "false",
        "m": "false",
    }
    return frame(SEND_MESSAGE_V2, number, fields, body)


def measure(peer: Peer, options: argparse.Namespace) -> tuple[float, float]:
    """Messages popped and acknowledged per second, and the server's CPU µs for each."""
    fill(peer.port, options.messages, options.body_bytes)
    tally = Tally()
    selector = selectors.DefaultSelector()
    for _ in range(options.connections):
        one = Popper(
            peer.port, tally, count=options.count, invisible_ms=options.invisible_seconds * 1000
        )
        selector.register(one.socket, selectors.EVENT_READ, one)
        one.pop()
    _run(selector, options.warm_seconds)
    before, cpu = tally.acknowledged, cpu_seconds(peer.pids)
    took = _run(selector, options.seconds)
    done = tally.acknowledged - before
    cpu = cpu_seconds(peer.pids) - cpu
    for key in list(selector.get_map().values()):
        key.data.socket.close()
    if tally.refused:
        raise SystemExit(f"{tally.refused} acks were refused")
    return done / took, cpu / max(done, 1) * 1e6


def _run(selector: selectors.BaseSelector, seconds: float) -> float:
    began = time.monotonic()
    while (took := time.monotonic() - began) < seconds:
        for key, _ in selector.select(1.0):
            key.data.readable()
    return took


def cpu_seconds(pids: Sequence[int]) -> float:
    """Processor time that processes have used."""
    ticks = 0
    for pid in pids:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=100_000)
    parser.add_argument("--body-bytes", type=int, default=256)
    parser.add_argument("--count", type=int, default=32, help="messages a pop asks for")
    parser.add_argument("--connections", type=int, default=8)
    parser.add_argument("--invisible-seconds", type=int, default=10)
    parser.add_argument("--warm-seconds", type=float, default=30.0)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    parser.add_argument("--skip-apache", action="store_true")
    parser.add_argument("--work-dir", default=None)
    options = parser.parse_args()
    found: dict[str, tuple[float, float]] = {}
    with tempfile.TemporaryDirectory(dir=options.work_dir) as directory:
        for name in ("pocketmq", "apache")[: 1 if options.skip_apache else 2]:
            where = Path(directory) / name
            peer = PocketMQPeer(where) if name == "pocketmq" else ApachePeer(where)
            try:
                peer.wait_for_first_send()
                found[name] = measure(peer, options)
            finally:
                peer.stop()
    if options.json:
        print(json.dumps(found))
        return
    for name, (rate, cpu_us) in found.items():
        print(f"{name:9} {rate:10,.0f} messages/s popped and acknowledged  {cpu_us:6.1f} µs CPU")
    if len(found) == 2:
        print(f"ratio     {found['pocketmq'][0] / found['apache'][0]:10.2f}   bar: 3")


if __name__ == "__main__":
    main()
