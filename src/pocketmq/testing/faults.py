"""Faults a test can set: what goes wrong between clients and servers, on purpose.

    with rocketmq.faults.refuse("send", times=2):          # the client must try again
    with rocketmq.faults.drop("send"):                     # stored, but the producer never hears
    with rocketmq.faults.disk_full():                      # as a broker without room answers

Each is a context manager, and lasts until its block ends, `remove()` is called, it was hit `times`
times, or the test is over. `hits` tells how many requests it met.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from pocketmq.errors import NotSettled
from pocketmq.protocol.codes import RequestCode, ResponseCode
from pocketmq.protocol.command import Command
from pocketmq.testing.faulty_service import Action, Request, Rule, Traffic
from pocketmq.testing.loop_thread import LoopThread, Pending
from pocketmq.testing.servers import Servers

REQUESTS: Final[dict[str, frozenset[int]]] = {
    "send": frozenset(
        (
            RequestCode.SEND_MESSAGE,
            RequestCode.SEND_MESSAGE_V2,
            RequestCode.SEND_BATCH_MESSAGE,
        )
    ),
    "pull": frozenset((RequestCode.PULL_MESSAGE, RequestCode.LITE_PULL_MESSAGE)),
    "pop": frozenset((RequestCode.POP_MESSAGE,)),
    "ack": frozenset((RequestCode.ACK_MESSAGE, RequestCode.BATCH_ACK_MESSAGE)),
    "commit": frozenset((RequestCode.UPDATE_CONSUMER_OFFSET,)),
    "retry": frozenset((RequestCode.CONSUMER_SEND_MSG_BACK,)),
    "end transaction": frozenset((RequestCode.END_TRANSACTION,)),
    "heartbeat": frozenset((RequestCode.HEART_BEAT,)),
    "lock": frozenset((RequestCode.LOCK_BATCH_MQ,)),
    "route": frozenset((RequestCode.GET_ROUTEINFO_BY_TOPIC,)),
}
"""Names for what clients ask most; all other requests go by RocketMQ's names or numbers."""

_BROKERS_OWN: Final = frozenset(
    (
        RequestCode.REGISTER_BROKER,
        RequestCode.UNREGISTER_BROKER,
        RequestCode.QUERY_DATA_VERSION,
        RequestCode.BROKER_HEARTBEAT,
    )
)
_PULLS_AND_POPS: Final = REQUESTS["pull"] | REQUESTS["pop"]
_WAIT_SECONDS: Final = 5.0
_PAUSE_SECONDS: Final = 0.001

Where = Callable[[Request], bool]


class Fault:
    """A fault that is set. Leaving its `with` block removes it."""

    def __init__(self, thread: LoopThread, rule: Rule | None, end: Callable[[], None]) -> None:
        self._thread = thread
        self._rule = rule
        self._end = end
        self._ended = False

    @property
    def hits(self) -> int:
        """How many requests it met so far."""
        return 0 if self._rule is None else self._rule.hits

    def met(self, times: int = 1, *, timeout: float = 10) -> Pending[None]:
        """Wait until it has met so many requests. In an async test await the result.

        Raise NotSettled when that takes longer than `timeout` seconds.
        """
        __tracebackhide__ = True
        return self._thread.wait_for(self._until_met(times, timeout), "fault.met()")

    async def _until_met(self, times: int, timeout_seconds: float) -> None:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout_seconds
        while self.hits < times:
            if loop.time() > deadline:
                raise NotSettled(
                    f"the fault met {self.hits} requests in {timeout_seconds:g} s, not {times}"
                )
            await asyncio.sleep(_PAUSE_SECONDS)

    def remove(self) -> None:
        """Set things right again. Doing so twice does no harm."""
        if not self._ended:
            self._ended = True
            self._end()

    def __enter__(self) -> Fault:
        return self

    def __exit__(self, *raised: object) -> None:
        self.remove()


class Faults:
    """Sets faults. `request` is a name of `REQUESTS`, a RequestCode, its name or its number.

    What they have in common: `times` ends a fault after so many requests; `topic` and `group`
    restrict it to requests that name them; `where` is a function of the `Request` that decides.
    """

    def __init__(self, thread: LoopThread, servers: Servers, traffic: tuple[Traffic, Traffic]):
        self._thread = thread
        self._servers = servers
        self._name_server, self._broker = traffic
        self._set: list[Fault] = []

    # -- requests and their answers -------------------------------------------------------------

    def refuse(
        self,
        request: str | int,
        *,
        code: str | int = ResponseCode.SYSTEM_BUSY,
        remark: str = "refused by a test",
        times: int | None = None,
        topic: str | None = None,
        group: str | None = None,
        where: Where | None = None,
    ) -> Fault:
        """Answer with a response code, without doing what is asked for."""
        action = Action(refusal=(_response_code(code), remark))
        return self._on(request, action, times, topic, group, where)

    def lose(
        self,
        request: str | int,
        *,
        times: int | None = None,
        topic: str | None = None,
        group: str | None = None,
        where: Where | None = None,
    ) -> Fault:
        """Let requests never arrive."""
        return self._on(request, Action(loses=True), times, topic, group, where)

    def cut(
        self,
        request: str | int,
        *,
        times: int | None = None,
        topic: str | None = None,
        group: str | None = None,
        where: Where | None = None,
    ) -> Fault:
        """Close the connection that a request comes on, without doing what is asked for.

        Clients hear of it at once, so a test need not wait for their timeouts.
        """
        return self._on(request, Action(closes=True), times, topic, group, where)

    def drop(
        self,
        request: str | int,
        *,
        times: int | None = None,
        topic: str | None = None,
        group: str | None = None,
        where: Where | None = None,
    ) -> Fault:
        """Do what is asked for, but let the answers never arrive."""
        return self._on(request, Action(answers=0), times, topic, group, where)

    def delay(
        self,
        request: str | int,
        *,
        seconds: float,
        times: int | None = None,
        topic: str | None = None,
        group: str | None = None,
        where: Where | None = None,
    ) -> Fault:
        """Do what is asked for, and answer so many real seconds later."""
        return self._on(request, Action(delay_seconds=seconds), times, topic, group, where)

    def duplicate(
        self,
        request: str | int,
        *,
        times: int | None = None,
        topic: str | None = None,
        group: str | None = None,
        where: Where | None = None,
    ) -> Fault:
        """Answer twice."""
        return self._on(request, Action(answers=2), times, topic, group, where)

    # -- consumers ------------------------------------------------------------------------------

    def slow_consumer(self, group: str, *, seconds: float) -> Fault:
        """Make each fetch of a consumer group take so many real seconds longer."""
        codes = _PULLS_AND_POPS
        return self._add(Rule(codes, Action(delay_seconds=seconds), _wanting(None, group, None)))

    def duplicate_delivery(self, group: str, *, topic: str | None = None) -> Fault:
        """Deliver each message to a consumer group twice, as after a crash between work and commit.

        It concerns consumers that pull. For those that pop, `lose("ack")` does the same.
        """
        action = Action(change=_Rewinding())
        return self._add(Rule(REQUESTS["pull"], action, _wanting(topic, group, None)))

    # -- servers --------------------------------------------------------------------------------

    def disk_full(self) -> Fault:
        """Let the broker refuse messages for want of disk space. What it has can be consumed."""
        reason = "no room on the disk (so a test wants it); free space or add disk"
        self._thread.call(lambda: self._servers.running.store.refuse_writes(reason))
        return self._keep(Fault(self._thread, None, lambda: self._thread.call(self._disk_has_room)))

    def partition(self, *, clients: bool = True, broker: bool = True) -> Fault:
        """Cut the name server off from clients, from the broker, or from both.

        Without `broker` it forgets the broker at once, as it would after two minutes of silence.
        """

        def is_cut_off(request: Request) -> bool:
            return broker if request.code in _BROKERS_OWN else clients

        rule = Rule(None, Action(closes=True), is_cut_off)
        self._thread.call(lambda: self._name_server.add(rule))
        if broker:
            self._thread.run(self._registered(False))

        def heal() -> None:
            self._thread.call(lambda: self._name_server.remove(rule))
            self._thread.run(self._registered(True))

        return self._keep(Fault(self._thread, rule, heal))

    def broker_down(self) -> Fault:
        """Stop the broker, as for an upgrade, until the fault is removed."""
        self._thread.run(self._servers.stop_broker())
        return self._keep(
            Fault(self._thread, None, lambda: self._thread.run(self._servers.start_broker()))
        )

    def broker_killed(self) -> Fault:
        """Kill the broker, as `kill -9` does, until the fault is removed; then it recovers.

        Clients' connections break at once. What was sent and acknowledged is there afterwards; what
        the broker only had in its memory is not: positions committed in the last seconds, locks,
        members of groups. So messages may be delivered again.
        """
        rule = Rule(None, Action(closes=True), lambda _: True)  # for connections just opening
        self._thread.call(lambda: self._broker.add(rule))
        try:
            self._thread.run(self._servers.kill_broker())
        finally:
            self._thread.call(lambda: self._broker.remove(rule))
        return self._keep(
            Fault(self._thread, None, lambda: self._thread.run(self._servers.start_broker()))
        )

    def clear(self) -> None:
        """Remove all faults."""
        while self._set:
            self._set.pop().remove()

    # -- inside ---------------------------------------------------------------------------------

    def _on(
        self,
        request: str | int,
        action: Action,
        times: int | None,
        topic: str | None,
        group: str | None,
        where: Where | None,
    ) -> Fault:
        return self._add(
            Rule(_request_codes(request), action, _wanting(topic, group, where), times)
        )

    def _add(self, rule: Rule) -> Fault:
        def add() -> None:
            for traffic in (self._name_server, self._broker):
                traffic.add(rule)
            if self._servers.is_up and (rule.codes is None or rule.codes & _PULLS_AND_POPS):
                # Those that wait at the broker have passed already; let them come again.
                running = self._servers.running
                running.long_poll.answer_all()
                running.models.pops.poll.answer_all()

        def remove() -> None:
            for traffic in (self._name_server, self._broker):
                traffic.remove(rule)

        self._thread.call(add)
        return self._keep(Fault(self._thread, rule, lambda: self._thread.call(remove)))

    def _keep(self, fault: Fault) -> Fault:
        self._set.append(fault)
        return fault

    def _disk_has_room(self) -> None:
        if self._servers.is_up:
            self._servers.running.store.accept_writes()

    async def _registered(self, wanted: bool) -> None:
        """Have the broker call the name server, and wait until it is known there, or not."""
        if self._servers.is_up:
            registration = self._servers.running.registration
            registration.register_now()
            await self._servers.until(
                lambda: bool(registration.registered_with) is wanted, _WAIT_SECONDS
            )


class _Rewinding:
    """Changes pulls so that what was delivered is delivered once more."""

    def __init__(self) -> None:
        self._delivered_twice: dict[tuple[str, str, str], int] = {}

    def __call__(self, command: Command) -> None:
        fields = command.fields
        names = ("consumerGroup", "topic", "queueId", "queueOffset")
        group, topic, queue_id, text = (fields.get(name, "") for name in names)
        if not text.isdigit():
            return
        key, asked = (group, topic, queue_id), int(text)
        again = self._delivered_twice.get(key, asked)
        self._delivered_twice[key] = asked
        fields["queueOffset"] = str(min(again, asked))


def _wanting(topic: str | None, group: str | None, where: Where | None) -> Where:
    def wants(request: Request) -> bool:
        return (
            (topic is None or request.topic == topic)
            and (group is None or request.group == group)
            and (where is None or where(request))
        )

    return wants


def _request_codes(request: str | int) -> frozenset[int]:
    if isinstance(request, int):
        return frozenset((request,))
    known = REQUESTS.get(request)
    if known is not None:
        return known
    code = RequestCode.__members__.get(request.upper())
    if code is None:
        raise ValueError(
            f"no request is called {request!r}; say {', '.join(map(repr, REQUESTS))}, the name of "
            "a RequestCode such as 'QUERY_MESSAGE', or its number"
        )
    return frozenset((code,))


def _response_code(code: str | int) -> int:
    if isinstance(code, int):
        return code
    known = ResponseCode.__members__.get(code.upper())
    if known is None:
        raise ValueError(f"no response code is called {code!r}; say one such as 'SYSTEM_BUSY'")
    return known
