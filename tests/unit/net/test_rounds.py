"""What comes in one round of the event loop is served and answered at its end, in order."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from pocketmq.net import Connection
from pocketmq.net.config import ListenConfig
from pocketmq.net.dispatch import Dispatch
from pocketmq.net.rounds import Read, Rounds
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

    def abort(self) -> None:
        self.log.append((self.name, -2))


def connected(rounds: Rounds, name: str, log: list[tuple[str, int]]) -> Connection:
    def answer(connection: Connection, command: Command) -> Command:
        return command.reply(0)

    connection = Connection(Dispatch({28: answer}, role="test"), ListenConfig())
    connection.rounds = rounds
    connection.connection_made(Kept(name, log))
    return connection


def ask(opaque: int) -> bytes:
    return encode_frame(Command(28, opaque=opaque))


async def test_reads_of_a_round_are_answered_at_its_end() -> None:
    log: list[tuple[str, int]] = []
    rounds = Rounds(None)
    one, other = connected(rounds, "a", log), connected(rounds, "b", log)
    one.data_received(ask(1) + ask(2))
    other.data_received(ask(3))
    one.data_received(ask(4)[:9])
    one.data_received(ask(4)[9:])
    assert log == []
    await asyncio.sleep(0)
    assert log == [("a", 1), ("a", 2), ("a", 4), ("b", 3)]
    one.data_received(ask(5)[:9])
    await asyncio.sleep(0)
    one.data_received(ask(5)[9:] + ask(6))
    await asyncio.sleep(0)
    assert log[4:] == [("a", 5), ("a", 6)], "and again in the next"


async def test_what_can_be_taken_of_all_reads_is_taken_at_once() -> None:
    log: list[tuple[str, int]] = []
    taken: list[list[bytes]] = []

    def take(reads: Sequence[Read]) -> None:
        taken.append([read.data for read in reads])
        for read in reads:
            read.taken = len(ask(1))
            read.answers = encode_frame(Command(0, opaque=100, flag=1))

    rounds = Rounds(take)
    one, other = connected(rounds, "a", log), connected(rounds, "b", log)
    one.data_received(ask(1) + ask(2))
    other.data_received(ask(3))
    await asyncio.sleep(0)
    assert taken == [[ask(1) + ask(2), ask(3)]]
    assert log == [("a", 100), ("a", 2), ("b", 100)]


async def test_what_is_written_meanwhile_is_not_written_again() -> None:
    log: list[tuple[str, int]] = []
    connection = connected(Rounds(None), "a", log)
    connection.data_received(ask(1))
    connection.send_command(Command(40, opaque=2))
    assert log == [("a", 2)]
    await asyncio.sleep(0)
    assert log == [("a", 2), ("a", 1)]


async def test_a_connection_that_closes_answers_before() -> None:
    log: list[tuple[str, int]] = []
    connection = connected(Rounds(None), "a", log)
    connection.data_received(ask(1))
    connection.close("enough")
    assert log == [("a", 1), ("a", -1)]


async def test_a_connection_that_is_lost_is_served_before_it_is_forgotten() -> None:
    log: list[tuple[str, int]] = []
    seen: list[str] = []

    def answer(connection: Connection, command: Command) -> Command:
        seen.append("served")
        return command.reply(0)

    rounds = Rounds(None)
    service = Dispatch(
        {28: answer}, role="test", on_disconnect=lambda connection: seen.append("forgotten")
    )
    connection, other = Connection(service, ListenConfig()), connected(rounds, "b", log)
    connection.rounds = rounds
    connection.connection_made(Kept("a", log))
    connection.data_received(ask(1))
    other.data_received(ask(2))
    connection.connection_lost(None)
    assert seen == ["served", "forgotten"]
    await asyncio.sleep(0)
    assert log == [("b", 2)], "nobody is left to answer"


async def test_a_broken_connection_does_not_end_the_round() -> None:
    log: list[tuple[str, int]] = []
    rounds = Rounds(None)
    one, other = connected(rounds, "a", log), connected(rounds, "b", log)
    one._frame_handlers = None  # type: ignore[assignment]
    one.data_received(ask(1))
    other.data_received(ask(2))
    await asyncio.sleep(0)
    assert log == [("a", -2), ("b", 2)]
