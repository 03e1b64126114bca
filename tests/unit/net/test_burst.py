"""Answers of one round of the event loop leave together, in order, and none is left behind."""

from __future__ import annotations

import asyncio

from pocketmq.net import Connection
from pocketmq.net.burst import Burst
from pocketmq.net.config import ListenConfig
from pocketmq.net.dispatch import Dispatch
from pocketmq.protocol.command import Command
from pocketmq.protocol.framing import encode_frame, parse_frames


class Kept(asyncio.Transport):
    """Notes in one list what all transports write."""

    def __init__(self, name: str, log: list[tuple[str, int]]) -> None:
        super().__init__()
        self.name, self.log = name, log
        self.closed = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        frames, _ = parse_frames(bytes(data))
        self.log += [(self.name, frame[1]) for frame in frames]

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """There is no buffer."""

    def close(self) -> None:
        self.log.append((self.name, -1))


def connected(burst: Burst, name: str, log: list[tuple[str, int]]) -> Connection:
    def answer(connection: Connection, command: Command) -> Command:
        return command.reply(0)

    connection = Connection(Dispatch({28: answer}, role="test"), ListenConfig())
    connection.burst = burst
    connection.connection_made(Kept(name, log))
    return connection


def ask(opaque: int) -> bytes:
    return encode_frame(Command(28, opaque=opaque))


async def test_answers_wait_for_the_end_of_the_round() -> None:
    log: list[tuple[str, int]] = []
    burst = Burst()
    one, other = connected(burst, "a", log), connected(burst, "b", log)
    one.data_received(ask(1) + ask(2))
    other.data_received(ask(3))
    one.data_received(ask(4))
    assert log == []
    await asyncio.sleep(0)
    assert log == [("a", 1), ("a", 2), ("a", 4), ("b", 3)]
    one.data_received(ask(5))
    await asyncio.sleep(0)
    assert log[4:] == [("a", 5)], "and again in the next"


async def test_what_is_written_meanwhile_does_not_overtake() -> None:
    log: list[tuple[str, int]] = []
    connection = connected(Burst(), "a", log)
    connection.data_received(ask(1))
    connection.send_command(Command(40, opaque=2))
    assert log == [("a", 1), ("a", 2)]
    await asyncio.sleep(0)
    assert log == [("a", 1), ("a", 2)], "nothing twice"


async def test_a_connection_that_closes_answers_before() -> None:
    log: list[tuple[str, int]] = []
    connection = connected(Burst(), "a", log)
    connection.data_received(ask(1))
    connection.close("enough")
    assert log == [("a", 1), ("a", -1)]


async def test_a_connection_that_is_lost_answers_nobody() -> None:
    log: list[tuple[str, int]] = []
    burst = Burst()
    connection, other = connected(burst, "a", log), connected(burst, "b", log)
    connection.data_received(ask(1))
    other.data_received(ask(2))
    connection.connection_lost(None)
    await asyncio.sleep(0)
    assert log == [("b", 2)]
