"""What a transaction costs beside a plain send: `python -m bench.transactions`.

Some connections keep a few requests in flight each. Plain: a send follows each answer.
Transactions: each answer to a half message is followed by its commit, one-way as Java producers
send it, and the next half message, in one write. Windows of both kinds take turns on one broker.
"""

from __future__ import annotations

import argparse
import json
import re
import selectors
import socket
import statistics
import struct
import tempfile
import time
from pathlib import Path
from typing import Final

from bench.peers import ApachePeer, Peer, PocketMQPeer
from bench.processes import cpu_seconds
from bench.remoting import SEND_MESSAGE_V2, WIRE_VERSION, Remote, frame

END_TRANSACTION: Final = 37
TOPIC: Final = "bench_transactions"
GROUP: Final = "bench_group"
QUEUES: Final = 8
_PREFIX: Final = struct.Struct(">iI")
_WHERE: Final = re.compile(
    rb'"msgId":"[0-9A-F]{16}([0-9A-F]{16})".*?"queueOffset":"(\d+)".*?"opaque":(\d+)', re.DOTALL
)


class Producer:
    """One connection with some requests in flight."""

    def __init__(self, port: int, *, in_flight: int, transactional: bool, body: bytes) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.done = 0
        self._transactional = transactional
        self._received = b""
        properties = "UNIQ_KEY\x01%032d\x02WAIT\x01true\x02"
        if transactional:
            properties += f"TRAN_MSG\x01true\x02PGROUP\x01{GROUP}\x02"
        fields = {
            "a": GROUP,
            "b": TOPIC,
            "c": "TBW102",
            "d": "8",
            "e": "0",
            "f": "4" if transactional else "0",
            "g": "1795240000000",
            "h": "0",
            "i": "PROPERTIES",
            "j": "0",
            "k": "false",
            "m": "false",
        }
        encoded = frame(SEND_MESSAGE_V2, 1234567890, fields, body)
        sample = encoded.replace(b"1234567890", b"%010d").replace(
            b"PROPERTIES",
            properties.encode().replace(b"\x01", b"\\u0001").replace(b"\x02", b"\\u0002"),
        )
        size = len(sample % (0, 0)) - len(body) - 8
        self._send = _PREFIX.pack(4 + size + len(body), size).replace(b"%", b"%%") + sample[8:]
        self._number = id(self) % 1_000_000 * 1_000_000
        self.socket.sendall(b"".join(self._next(slot) for slot in range(in_flight)))

    def _next(self, slot: int) -> bytes:
        self._number += 1
        # JSON has the opaque behind the properties: frames are made with both in that order.
        return self._send % (self._number, slot + 1_000_000_000)

    def readable(self) -> None:
        """Take in answers; send what follows each."""
        data = self._received + self.socket.recv(256 * 1024)
        at, out = 0, []
        while len(data) - at >= 8:
            end = at + 4 + int.from_bytes(data[at : at + 4], "big")
            if len(data) < end:
                break
            found = _WHERE.search(data, at, end)
            if found is None:
                raise SystemExit(f"a send was refused: {data[at:end]!r}")
            slot = int(found.group(3)) - 1_000_000_000
            if self._transactional:
                out.append(_commit(int(found.group(1), 16), found.group(2)))
            out.append(self._next(slot))
            self.done += 1
            at = end
        self._received = data[at:]
        if out:
            self.socket.sendall(b"".join(out))


def _commit(log_offset: int, queue_offset: bytes) -> bytes:
    header = (
        b'{"code":%d,"extFields":{"producerGroup":"%b","tranStateTableOffset":"%b",'
        b'"commitLogOffset":"%d","commitOrRollback":"8","fromTransactionCheck":"false"},"flag":2,'
        b'"language":"JAVA","opaque":7,"serializeTypeCurrentRPC":"JSON","version":%d}'
    ) % (END_TRANSACTION, GROUP.encode(), queue_offset, log_offset, WIRE_VERSION)
    return _PREFIX.pack(4 + len(header), len(header)) + header


def window(peer: Peer, options: argparse.Namespace, *, transactional: bool) -> tuple[float, float]:
    """Messages or transactions per second, and the server's CPU µs for each."""
    selector = selectors.DefaultSelector()
    producers = [
        Producer(
            peer.port,
            in_flight=options.in_flight,
            transactional=transactional,
            body=b"x" * options.body_bytes,
        )
        for _ in range(options.connections)
    ]
    for producer in producers:
        selector.register(producer.socket, selectors.EVENT_READ, producer)
    before, began = cpu_seconds(peer.pids), time.monotonic()
    while (took := time.monotonic() - began) < options.seconds:
        for key, _ in selector.select(1.0):
            key.data.readable()
    cpu = cpu_seconds(peer.pids) - before
    done = sum(producer.done for producer in producers)
    for producer in producers:
        producer.socket.close()
    return done / took, cpu / max(done, 1) * 1e6


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--in-flight", type=int, default=1)
    parser.add_argument("--body-bytes", type=int, default=256)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--apache", action="store_true", help="measure Apache RocketMQ instead")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    parser.add_argument("--work-dir", default=None)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.work_dir) as directory:
        where = Path(directory) / "peer"
        peer = ApachePeer(where) if options.apache else PocketMQPeer(where)
        try:
            peer.wait_for_first_send()
            with Remote(peer.port) as remote:
                remote.create_topic(TOPIC, QUEUES)
            kinds = (False, True)
            found = {
                kind: [window(peer, options, transactional=kind) for _ in range(1)]
                for kind in kinds
            }
            for kinds_found in found.values():
                kinds_found.clear()  # the first of each is for warming up
            for _ in range(options.rounds):
                for kind in kinds:
                    found[kind].append(window(peer, options, transactional=kind))
        finally:
            peer.stop()
    rates = {kind: statistics.median(rate for rate, _ in found[kind]) for kind in kinds}
    costs = {kind: statistics.median(cost for _, cost in found[kind]) for kind in kinds}
    if options.json:
        print(json.dumps({"transactions": rates[True], "plain": rates[False]}))
        return
    for kind, name in ((False, "plain sends"), (True, "half + commit")):
        print(f"{name:14} {rates[kind]:10,.0f}/s  {costs[kind]:6.1f} µs CPU")
    print(f"rate {rates[True] / rates[False]:.0%} of plain sends   bar: 40 %")
    print(f"CPU  {costs[False] / costs[True]:.0%} of what plain sends would allow")


if __name__ == "__main__":
    main()
