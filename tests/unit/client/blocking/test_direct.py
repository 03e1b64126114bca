"""Sends on a socket of the thread's own, to a broker that behaves badly."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from pocketmq.client.blocking import direct
from pocketmq.client.blocking.direct import DirectSends
from pocketmq.client.config import ClientConfig
from pocketmq.client.lanes import Lane
from pocketmq.client.messages import MessageQueue
from pocketmq.client.outgoing import Outgoing
from pocketmq.errors import ConnectFailed, ConnectionLost, RpcTimeout
from pocketmq.protocol.command import Command
from pocketmq.protocol.framing import encode_frame, frame_to_command, parse_frames, untyped
from pocketmq.security import Credentials, verify

Behaviour = Callable[[socket.socket, Command], None]


class Broker:
    """Answers each request as it is told to, on a thread."""

    def __init__(self) -> None:
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._listening.getsockname()[1]}"
        self.behave: Behaviour = answer
        self.asked: list[Command] = []
        self.connections: list[socket.socket] = []
        self._thread = threading.Thread(target=self._accept)
        self._serving: list[threading.Thread] = []
        self._thread.start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listening.accept()
            except OSError:
                return
            self.connections.append(connection)
            thread = threading.Thread(target=self._serve, args=(connection,))
            self._serving.append(thread)
            thread.start()

    def _serve(self, connection: socket.socket) -> None:
        kept = b""
        while True:
            try:
                data = connection.recv(65536)
            except OSError:
                return
            if not data:
                return
            kept += data
            frames, consumed = parse_frames(kept)
            for frame in frames:
                command = frame_to_command(kept, untyped(frame))
                self.asked.append(command)
                self.behave(connection, command)
            kept = kept[consumed:]

    def close(self) -> None:
        """End everything."""
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        for connection in self.connections:
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue
            finally:
                connection.close()
        for thread in (self._thread, *self._serving):
            thread.join(5)


def answer(connection: socket.socket, command: Command) -> None:
    connection.sendall(encode_frame(command.reply(fields={"queueOffset": "7"})))


@pytest.fixture
def broker() -> Iterator[Broker]:
    running = Broker()
    yield running
    running.close()


@pytest.fixture
def sends(broker: Broker) -> Iterator[DirectSends]:
    config = ClientConfig.of("127.0.0.1:1")
    running = DirectSends(config, 0.3)
    yield running
    running.close()


def send(sends: DirectSends, broker: Broker, body: bytes = b"x") -> int:
    """Send once and return the answer's code."""
    lane = Lane("g", MessageQueue("t", "b", 0), broker.address, 4)
    out = Outgoing("t", "t", body, b"UNIQ_KEY\x01U\x02", "U", 1_700_000_000_000)
    return sends.ask(lane, out)[0]


def test_sends_use_one_connection_again(sends: DirectSends, broker: Broker) -> None:
    for _ in range(10):
        assert send(sends, broker) == 0
    assert len(broker.connections) == 1
    assert len({command.opaque for command in broker.asked}) == 10


def test_an_answer_in_pieces_is_put_together(sends: DirectSends, broker: Broker) -> None:
    def drip(connection: socket.socket, command: Command) -> None:
        frame = encode_frame(command.reply(fields={"queueOffset": "7"}))
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for position in range(len(frame)):
            connection.sendall(frame[position : position + 1])

    broker.behave = drip
    assert send(sends, broker) == 0


def test_what_is_not_the_answer_is_passed_over(sends: DirectSends, broker: Broker) -> None:
    def chatter(connection: socket.socket, command: Command) -> None:
        notice = encode_frame(Command.request(40, {"consumerGroup": "g"}, oneway=True))
        other = command.reply()
        other.opaque += 1
        connection.sendall(notice + encode_frame(other) + encode_frame(command.reply(code=2)))

    broker.behave = chatter
    assert send(sends, broker) == 2


def test_a_silent_broker_is_given_up_and_not_asked_on_that_connection(
    sends: DirectSends, broker: Broker
) -> None:
    broker.behave = lambda connection, command: None
    began = time.monotonic()
    with pytest.raises(RpcTimeout, match="did not answer the send to queue 0 of t on b in time"):
        send(sends, broker)
    assert time.monotonic() - began < 2
    broker.behave = answer
    assert send(sends, broker) == 0
    assert len(broker.connections) == 2


def test_a_broker_that_talks_without_answering_is_given_up(
    sends: DirectSends, broker: Broker
) -> None:
    ended = threading.Event()

    def talk(connection: socket.socket, command: Command) -> None:
        notice = encode_frame(Command.request(40, {"consumerGroup": "g"}, oneway=True))
        while not ended.wait(0.05):
            try:
                connection.sendall(notice)
            except OSError:
                return

    broker.behave = talk
    with pytest.raises(RpcTimeout):
        send(sends, broker)
    ended.set()


@pytest.mark.parametrize(
    "rest", [b"", b"\x00\x00\x00", b"\x7f\xff\xff\xff\x00\x00\x00\x00", b"?" * 9]
)
def test_a_broken_answer_ends_the_connection(
    sends: DirectSends, broker: Broker, rest: bytes
) -> None:
    def hang_up(connection: socket.socket, command: Command) -> None:
        connection.sendall(rest)
        connection.shutdown(socket.SHUT_RDWR)

    broker.behave = hang_up
    with pytest.raises(ConnectionLost):
        send(sends, broker)
    broker.behave = answer
    assert send(sends, broker) == 0


def test_a_connection_that_was_closed_while_idle_is_not_used(
    sends: DirectSends, broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert send(sends, broker) == 0
    monkeypatch.setattr(direct, "LOOK_AFTER_SECONDS", 0.0)
    assert send(sends, broker) == 0
    assert len(broker.connections) == 1, "a good one stays"
    broker.connections[0].shutdown(socket.SHUT_RDWR)
    deadline = time.monotonic() + 5
    while send(sends, broker) != 0 or len(broker.connections) == 1:
        assert time.monotonic() < deadline
    assert len(broker.connections) == 2


def test_nobody_listening_is_said(sends: DirectSends, broker: Broker) -> None:
    lane = Lane("g", MessageQueue("t", "b", 0), "127.0.0.1:1", 4)
    out = Outgoing("t", "t", b"x", b"", "U", 1)
    with pytest.raises(ConnectFailed, match=r"127\.0\.0\.1:1"):
        sends.ask(lane, out)


def test_idle_connections_are_bounded(
    sends: DirectSends, broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(direct, "IDLE_SOCKETS_MAX", 2)
    together = threading.Barrier(5)

    def meet(connection: socket.socket, command: Command) -> None:
        together.wait(5)
        answer(connection, command)

    broker.behave = meet
    threads = [threading.Thread(target=send, args=(sends, broker)) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(broker.connections) == 5
    broker.behave = answer
    send(sends, broker)
    assert len(broker.connections) == 5
    assert sum(map(len, sends._idle.values())) == 2


def test_requests_are_signed(broker: Broker) -> None:
    owner = Credentials("alice", "open sesame")
    sends = DirectSends(ClientConfig.of("127.0.0.1:1", credentials=owner), 0.3)
    assert send(sends, broker, b"body") == 0
    (asked,) = broker.asked
    assert asked.fields["AccessKey"] == "alice"
    assert verify(asked.fields, asked.body, "open sesame")
    sends.close()
