"""A tiny blocking remoting client for errands: create a topic, send one message.

It is independent of the package under test, so a mistake there cannot hide here. Its requests have
JSON headers; the load itself is made by the compiled generator in `bench/load`.
"""

from __future__ import annotations

import json
import socket
import struct
import time
from typing import Any

SEND_MESSAGE_V2 = 310
UPDATE_AND_CREATE_TOPIC = 17
WIRE_VERSION = 479


class Refusal(Exception):
    """The server answered with a code other than SUCCESS."""

    def __init__(self, request: str, code: int, remark: str) -> None:
        super().__init__(f"{request} was refused with code {code}: {remark or 'no remark'}")
        self.code = code
        self.remark = remark


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
    return struct.pack(">ii", 4 + len(encoded) + len(body), len(encoded)) + encoded + body


class Remote:
    """One connection to a broker. Raises OSError when the connection fails or times out."""

    def __init__(self, port: int, timeout_s: float = 20.0) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout_s)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._opaque = 0

    def __enter__(self) -> Remote:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def call(self, code: int, fields: dict[str, str], body: bytes = b"") -> dict[str, Any]:
        """Send one request and return its answer's header; raise Refusal unless the code is 0."""
        self._opaque += 1
        self._socket.sendall(frame(code, self._opaque, fields, body))
        answer = self._read_answer()
        if answer["code"] != 0:
            raise Refusal(f"request {code}", answer["code"], str(answer.get("remark", "")))
        return answer

    def _read_answer(self) -> dict[str, Any]:
        total, word = struct.unpack(">iI", self._read(8))
        header_length = word & 0xFFFFFF
        frame = self._read(total - 4)
        if word >> 24 == 1:
            code, _, _, _, _, remark_length = struct.unpack(">hBhiii", frame[:17])
            return {"code": code, "remark": frame[17 : 17 + remark_length].decode()}
        answer: dict[str, Any] = json.loads(frame[:header_length])
        return answer

    def _read(self, count: int) -> bytes:
        chunks = bytearray()
        while len(chunks) < count:
            chunk = self._socket.recv(count - len(chunks))
            if not chunk:
                raise ConnectionResetError("the server closed the connection")
            chunks += chunk
        return bytes(chunks)

    def create_topic(self, topic: str, queues: int) -> None:
        """Create `topic` with so many read and write queues."""
        fields = {
            "topic": topic,
            "defaultTopic": "TBW102",
            "readQueueNums": str(queues),
            "writeQueueNums": str(queues),
            "perm": "6",
            "topicFilterType": "SINGLE_TAG",
            "topicSysFlag": "0",
            "order": "false",
        }
        self.call(UPDATE_AND_CREATE_TOPIC, fields)

    def send(self, topic: str, queue_id: int, body: bytes) -> None:
        """Send one message and wait until the broker has acknowledged it."""
        fields = {
            "a": "bench_group",
            "b": topic,
            "c": "TBW102",
            "d": "8",
            "e": str(queue_id),
            "f": "0",
            "g": str(time.time_ns() // 1_000_000),
            "h": "0",
            "i": f"UNIQ_KEY\x01{time.time_ns():032X}\x02WAIT\x01true\x02",
            "j": "0",
            "k": "false",
            "m": "false",
        }
        self.call(SEND_MESSAGE_V2, fields, body)
