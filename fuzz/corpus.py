"""Inputs to start from: frames captured from Apache RocketMQ, and a few that it never sends."""

from __future__ import annotations

import zlib
from functools import cache
from pathlib import Path

from tests.support.golden_wire import session_frames, session_names

from fuzz.pulls import seeds as seeds_of_pulls
from fuzz.sends import seeds as seeds_of_sends
from pocketmq.protocol import framing
from pocketmq.protocol.command import JSON, ROCKETMQ, Command

INPUT_BYTES_MAX = 8 * 1024


@cache
def corpus() -> dict[str, list[bytes]]:
    """Seeds by target name."""
    frames, json_headers, binary_headers, bodies, registrations, properties = _captured()
    for serialization in (JSON, ROCKETMQ):
        frames.append(framing.encode_frame(_odd_command(serialization)))
    frames.append(b"".join(frames[:5]))
    json_headers.append(b"{code:34,/* c */'opaque':'7',extFields:{a:1,b:true,c:null,d:{e:[]}},}")
    bodies += [
        b'{"a":{"$ref":"$"},"b":{"$ref":"$.a"},"offsetTable":{{"topic":"T"}:1,2:3}}',
        b"{clientID:'c',consumerDataSet:[{groupName:\"g\",}],}",
    ]
    registrations += [zlib.compress(b"\0\0\0\2{}\0\0\0\0\0\0\0\2[]")]
    return {
        "frames": frames,
        "json-headers": json_headers,
        "binary-headers": binary_headers,
        "fields": json_headers,
        "documents": bodies,
        "registrations": registrations,
        "properties": properties,
        "sends": seeds_of_sends(),
        "usual-sends": seeds_of_sends(),
        "pulls": seeds_of_pulls(),
        **_bodies_java_wrote(),
    }


def _bodies_java_wrote() -> dict[str, list[bytes]]:
    """Bodies in Java's own serialization and in Hessian."""
    found: dict[str, list[bytes]] = {"java-bodies": [], "hessian-bodies": []}
    samples = Path(__file__).parent.parent / "tests" / "golden" / "bodies" / "samples.txt"
    for line in samples.read_text(encoding="utf-8").splitlines():
        form, _, data = line.split()
        found[f"{form}-bodies"].append(bytes.fromhex(data))
    return found


def _captured() -> tuple[list[bytes], ...]:
    frames: dict[tuple[int | None, bool, int], bytes] = {}
    bodies: dict[tuple[int | None, bool], bytes] = {}
    for name in session_names():
        for golden in session_frames(name):
            kind = (golden.request_code, golden.is_answer)
            if len(golden.frame) <= INPUT_BYTES_MAX:
                frames.setdefault((*kind, golden.frame[4]), golden.frame)
            if golden.body and len(golden.body) <= INPUT_BYTES_MAX:
                bodies.setdefault(kind, golden.body)
    headers = {
        form: [
            frame[8 : 8 + int.from_bytes(frame[5:8], "big")]
            for key, frame in frames.items()
            if key[2] == form
        ]
        for form in (JSON, ROCKETMQ)
    }
    documents = [body for body in bodies.values() if body[:1] in (b"{", b"[")]
    registrations = [bodies[103, False]] + [b for b in bodies.values() if b[:1] == b"\x78"]
    properties = [bodies[25, False], bodies[318, False], b"a = 1\\\n  2\n# c\nb\\u0041:c"]
    return (
        list(frames.values()),
        headers[JSON],
        headers[ROCKETMQ],
        documents,
        registrations,
        properties,
    )


def _odd_command(serialization: int) -> Command:
    fields = {"a": "é\x01\x02", "": "empty", "long": "x" * 300}
    return Command(
        -1, fields=fields, remark="r", body=b"body", opaque=-5, serialization=serialization
    )
