"""Reads the wire sessions captured from Apache RocketMQ; see `tests/golden/wire/README.md`."""

from __future__ import annotations

import json
import lzma
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

DIRECTORY = Path(__file__).parent.parent / "golden" / "wire"


@dataclass(frozen=True)
class GoldenFrame:
    """One captured frame; `request_code` is that of the request when the frame is an answer."""

    session: str
    direction: str
    frame: bytes
    header: dict[str, Any]
    request_code: int | None

    @property
    def is_answer(self) -> bool:
        """True for an answer, false for a request."""
        return bool(self.header["flag"] & 1)

    @property
    def fields(self) -> dict[str, str]:
        """The header's string map."""
        fields = self.header.get("extFields") or {}
        return {key: value for key, value in fields.items() if value is not None}

    @property
    def header_bytes(self) -> bytes:
        """The encoded header alone."""
        return self.frame[8 : 8 + (int.from_bytes(self.frame[4:8], "big") & 0xFFFFFF)]

    @property
    def body(self) -> bytes:
        """The body as it travelled."""
        return self.frame[8 + len(self.header_bytes) :]

    def __str__(self) -> str:
        kind = "answer to" if self.is_answer else "request"
        return f"{self.session}: {kind} {self.request_code}, opaque {self.header['opaque']}"


def session_names() -> list[str]:
    """The names of all captured sessions."""
    return sorted(path.name.removesuffix(".jsonl.xz") for path in DIRECTORY.glob("*.jsonl.xz"))


@cache
def session_lines(name: str) -> tuple[dict[str, Any], ...]:
    """All lines of a session: events, frames and what the command printed."""
    with lzma.open(DIRECTORY / f"{name}.jsonl.xz", "rt", encoding="utf-8") as lines:
        return tuple(json.loads(line) for line in lines)


def session_frames(name: str) -> Iterator[GoldenFrame]:
    """The protocol frames of a session in the order in which they travelled."""
    asked: dict[tuple[int, str, int], int] = {}
    for line in session_lines(name):
        header = line.get("header")
        if header is None:
            continue
        connection, direction = line["conn"], line["dir"]
        if header["flag"] & 1:
            asker = "c2s" if direction == "s2c" else "s2c"
            code = asked.get((connection, asker, header["opaque"]))
        else:
            code = asked[connection, direction, header["opaque"]] = header["code"]
        yield GoldenFrame(name, direction, bytes.fromhex(line["frame_hex"]), header, code)
