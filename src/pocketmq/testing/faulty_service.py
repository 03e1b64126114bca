"""Between connections and a server: does nothing, until a fault is set.

A fault looks at each request that arrives after it was set. It may refuse it, lose it, change it,
close its connection, or let it through and then drop, delay or repeat the answer, also one that
comes much later. While no fault wants a request code, its requests take the server's usual way.

Clients say when a request was born by the machine's clock. Where the broker's has been moved they
seem to come from the past, and some would be refused for it; so that moment is moved along.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from pocketmq.clock import TravellingClock
from pocketmq.net import Connection, Service
from pocketmq.net.connection import FrameHandler, Reply, Served
from pocketmq.net.rounds import Read, Take
from pocketmq.net.turns import TakeTurn
from pocketmq.protocol.codes import RequestCode
from pocketmq.protocol.command import FLAG_RESPONSE, Body, Command
from pocketmq.protocol.framing import encode_frame, parse_frames

# Whose handlers write their answers to the connection, instead of returning them.
_ANSWERED_ON_THE_CONNECTION = frozenset(
    (
        RequestCode.SEND_MESSAGE,
        RequestCode.SEND_MESSAGE_V2,
        RequestCode.SEND_BATCH_MESSAGE,
        RequestCode.PULL_MESSAGE,
        RequestCode.LITE_PULL_MESSAGE,
    )
)


_BORN_AT: Mapping[int, str] = {
    RequestCode.SEND_MESSAGE: "bornTimestamp",
    RequestCode.SEND_MESSAGE_V2: "g",
    RequestCode.SEND_BATCH_MESSAGE: "g",
    RequestCode.POP_MESSAGE: "bornTime",
    RequestCode.NOTIFICATION: "bornTime",
}


@dataclass(frozen=True, slots=True)
class Request:
    """A request that a fault may concern."""

    command: Command

    @property
    def code(self) -> int:
        """What it asks for."""
        return self.command.code

    @property
    def fields(self) -> Mapping[str, str]:
        """Its header fields, by their names on the wire."""
        return self.command.fields

    @property
    def body(self) -> bytes:
        """Its body."""
        return bytes(self.command.body)

    @property
    def topic(self) -> str | None:
        """The topic it names."""
        return self._first("topic", "b")

    @property
    def group(self) -> str | None:
        """The group it names."""
        return self._first("consumerGroup", "producerGroup", "group", "a")

    def _first(self, *names: str) -> str | None:
        fields = self.command.fields
        return next((fields[name] for name in names if name in fields), None)


@dataclass(frozen=True, slots=True)
class Action:
    """What a fault does to a request and to its answer."""

    refusal: tuple[int, str] | None = None
    loses: bool = False
    closes: bool = False
    answers: int = 1
    delay_seconds: float = 0.0
    change: Callable[[Command], None] | None = None


@dataclass(eq=False)
class Rule:
    """A fault that is set. `codes` None: all. `times` None: until it is removed."""

    codes: frozenset[int] | None
    action: Action
    wants: Callable[[Request], bool]
    times: int | None = None
    hits: int = 0

    def takes(self, command: Command) -> bool:
        """Whether the fault concerns a request; then it counts as hit."""
        if self.times is not None and self.hits >= self.times:
            return False
        if self.codes is not None and command.code not in self.codes:
            return False
        if not self.wants(Request(command)):
            return False
        self.hits += 1
        return True


class Traffic:
    """The rules of one server, and what is counted of what passes.

    `clock` is the server's, by which requests are dated.
    """

    def __init__(self, clock: TravellingClock) -> None:
        self._clock = clock
        self._rules: list[Rule] = []
        self._services: list[FaultyService] = []
        self.checks_answered = 0
        clock.on_advance(self._changed)

    def around(self, service: Service) -> FaultyService:
        """Put a service behind the rules."""
        faulty = FaultyService(service, self)
        self._services.append(faulty)
        faulty.rules_changed()
        return faulty

    @property
    def ahead_ms(self) -> int:
        """How far the server's clock is ahead of its clients'."""
        return self._clock.ahead_ms

    @property
    def rules(self) -> list[Rule]:
        """The rules, oldest first."""
        return self._rules

    def add(self, rule: Rule) -> None:
        """From now on."""
        self._rules.append(rule)
        self._changed()

    def remove(self, rule: Rule) -> None:
        """No longer. One that is removed already stays so."""
        if rule in self._rules:
            self._rules.remove(rule)
            self._changed()

    def _changed(self) -> None:
        for service in self._services:
            service.rules_changed()


class FaultyService:
    """A service that the rules of `Traffic` stand before."""

    def __init__(self, inner: Service, traffic: Traffic) -> None:
        self._inner = inner
        self._traffic = traffic
        self._short_ways: dict[int, FrameHandler] = {}
        # Connections look into this very mapping for each frame.
        self.frame_handlers: Mapping[int, FrameHandler] = self._short_ways
        self._take_some = inner.take
        self._takes = True
        self.take: Take | None = None if inner.take is None else self._take

    def rules_changed(self) -> None:
        """Let only those codes take the short way that no rule wants to see."""
        rules = self._traffic.rules
        watched = {code for rule in rules for code in rule.codes or self._inner.frame_handlers}
        watched.add(RequestCode.END_TRANSACTION)
        if self._traffic.ahead_ms:
            watched |= _BORN_AT.keys()
        self._short_ways.clear()
        self._short_ways.update(
            (code, handler)
            for code, handler in self._inner.frame_handlers.items()
            if code not in watched
        )

        self._takes = not rules and not self._traffic.ahead_ms

    @property
    def take_turn(self) -> TakeTurn | None:
        """Serves reads of many connections together, while nothing is to be watched."""
        return self._inner.take_turn if self._takes else None

    def _take(self, reads: Sequence[Read]) -> None:
        if self._takes and self._take_some is not None:
            self._take_some(reads)

    def connected(self, connection: Connection) -> None:
        """Pass it on."""
        self._inner.connected(connection)

    def disconnected(self, connection: Connection) -> None:
        """Pass it on."""
        self._inner.disconnected(connection)

    def serve(self, connection: Connection, command: Command) -> Served:
        """Serve a request as the rules say."""
        born_at = _BORN_AT.get(command.code)
        if born_at is not None and self._traffic.ahead_ms:
            _move_along(command, born_at, self._traffic.ahead_ms)
        if command.code == RequestCode.END_TRANSACTION:
            self._traffic.checks_answered += command.fields.get("fromTransactionCheck") == "true"
        actions = [rule.action for rule in self._traffic.rules if rule.takes(command)]
        if not actions:
            return self._inner.serve(connection, command)
        for action in actions:
            if action.closes:
                connection.close("a fault closes it")
                return None
            if action.loses:
                return None
            if action.refusal is not None:
                return command.reply(*action.refusal)
            if action.change is not None:
                action.change(command)
        answers = _Answers(connection, command, actions)
        if answers.are_ordinary:
            return self._inner.serve(connection, command)
        if command.code in _ANSWERED_ON_THE_CONNECTION:
            connection = cast("Connection", _Intercepted(connection, answers))
        return answers.of(self._inner.serve(connection, command))


def _move_along(command: Command, field: str, ahead_ms: int) -> None:
    text = command.fields.get(field, "")
    if text.isdigit() and text != "0":
        command.fields[field] = str(int(text) + ahead_ms)


class _Answers:
    """What becomes of the answer to one request."""

    def __init__(self, connection: Connection, command: Command, actions: list[Action]) -> None:
        self._connection = connection
        self.opaque = command.opaque
        self._is_oneway = command.is_oneway
        self._count = 1
        self._delay_seconds = 0.0
        for action in actions:
            self._count *= action.answers
            self._delay_seconds += action.delay_seconds

    @property
    def are_ordinary(self) -> bool:
        """Whether nothing happens to it."""
        return self._count == 1 and not self._delay_seconds

    def of(self, served: Served) -> Served:
        """Take the answer that a handler returned, now or later."""
        if served is None:
            return None
        if isinstance(served, Command):
            self.give(encode_frame(served))
            return None
        return self._later(served)

    async def _later(self, served: Awaitable[Reply]) -> Reply:
        reply = await served
        if reply is not None:
            self.give(encode_frame(reply))
        return None

    later = _later

    def give(self, answer: Body) -> None:
        """Send an encoded answer as often and as late as the faults want."""
        if self._is_oneway or not self._count:
            return
        buffers = [bytes(answer)] * self._count
        if self._delay_seconds:
            loop = asyncio.get_running_loop()
            loop.call_later(self._delay_seconds, self._connection.write, buffers)
        else:
            self._connection.write(buffers)


class _Intercepted:
    """A connection as handlers see it, on which the answer to one request is taken out."""

    def __init__(self, connection: Connection, answers: _Answers) -> None:
        self._connection = connection
        self._answers = answers

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)

    def write(self, buffers: Sequence[Body]) -> None:
        """Send encoded bytes, but for the one answer."""
        data = b"".join(buffers)
        frames, _ = parse_frames(data, len(data))
        start = 0
        for frame in frames:
            end = frame[9]
            if frame[1] == self._answers.opaque and frame[2] & FLAG_RESPONSE:
                self._answers.give(data[start:end])
            else:
                self._connection.write([data[start:end]])
            start = end

    def answer_later(self, command: Command, served: Awaitable[Reply]) -> None:
        """Answer when `served` is ready, as the faults want it."""
        self._connection.answer_later(command, self._answers.later(served))
