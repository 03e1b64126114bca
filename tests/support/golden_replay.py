"""Recorded sessions replayed: what was asked of a broker, and whether two answers are alike."""

from __future__ import annotations

from collections.abc import AsyncIterator, Container, Iterable, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any

from tests.support.golden_wire import session_lines
from tests.support.raw_peer import RawPeer

from pocketmq.protocol.command import Command
from pocketmq.protocol.framing import frame_to_command, parse_frames, untyped

# Below these members keys are data, not names of properties.
MAPS = {
    "attributes",
    "consumeStatsList",
    "data",
    "forbiddenTable",
    "groupTopicMap",
    "messageRequestModeMap",
    "offsetTable",
    "subscriptionGroupTable",
    "subscriptionTable",
    "table",
    "topicConfigTable",
    "topicQueueMappingDetailMap",
    "topicQueueMappingInfoMap",
}


@dataclass(frozen=True)
class Exchange:
    """A recorded request and its answer, and on which connection it was."""

    connection: int
    request: bytes
    answer: Command


def exchanges(session: str, codes: Container[int]) -> Iterator[Exchange]:
    """What a session asked a broker with these codes, and got answered."""
    targets: dict[int, str] = {}
    asked: dict[tuple[int, int], bytes] = {}
    for line in session_lines(session):
        if line.get("event") == "open":
            targets[line["conn"]] = line["to"]
        header = line.get("header")
        if header is None or not targets.get(line["conn"], "").startswith("broker"):
            continue
        frame, key = bytes.fromhex(line["frame_hex"]), (line["conn"], header["opaque"])
        if line["dir"] == "c2s" and not header["flag"] & 1:
            if header["code"] in codes:
                asked[key] = frame
        elif line["dir"] == "s2c" and header["flag"] & 1 and key in asked:
            yield Exchange(line["conn"], asked.pop(key), decoded(frame))


async def replayed(
    port: int, recorded: Iterable[Exchange]
) -> AsyncIterator[tuple[Exchange, Command]]:
    """Ask a broker the same, on as many connections; yield each exchange and the answer now."""
    connections: dict[int, RawPeer] = {}
    async with AsyncExitStack() as peers:
        for exchange in recorded:
            raw = connections.get(exchange.connection)
            if raw is None:
                raw = await peers.enter_async_context(RawPeer(port))
                connections[exchange.connection] = raw
            await raw.send(exchange.request)
            answer = await raw.receive()
            while not answer.is_response:
                answer = await raw.receive()
            yield exchange, answer


def decoded(frame: bytes) -> Command:
    """The command in a frame."""
    frames, _ = parse_frames(frame)
    return frame_to_command(frame, untyped(frames[0]))


def shape(value: Any, name: str = "") -> Any:
    """The names of a document's properties, and of those inside."""
    if isinstance(value, list):
        return [shape(value[0], name)] if value else []
    if not isinstance(value, dict):
        return None
    if name in MAPS or any(key.startswith("{") for key in value):
        return {"*": shape(next(iter(value.values())))} if value else {}
    return {key: shape(item, key) for key, item in value.items()}


def fits(ours: Any, theirs: Any) -> bool:
    """True when two shapes agree; an empty list or map agrees with any."""
    if not ours or not theirs:
        return isinstance(ours, type(theirs)) or ours is None or theirs is None
    if isinstance(ours, list):
        return isinstance(theirs, list) and fits(ours[0], theirs[0])
    return set(ours) == set(theirs) and all(fits(ours[key], theirs[key]) for key in ours)
