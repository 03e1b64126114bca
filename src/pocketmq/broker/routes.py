"""Request code -> handler: the broker's table of contents."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol, runtime_checkable

from pocketmq.broker.handlers.plain_pulls import PlainPulls
from pocketmq.broker.handlers.plain_sends import PlainSendHandler
from pocketmq.net import Handler
from pocketmq.net.connection import FrameHandler
from pocketmq.net.turns import TakeTurn, TurnTransport
from pocketmq.protocol.codes import RequestCode

if TYPE_CHECKING:
    from pocketmq._speedups.arrivals import Arrivals

FULL_PORT_ONLY: Final = frozenset(
    (
        RequestCode.PULL_MESSAGE,
        RequestCode.LITE_PULL_MESSAGE,
        RequestCode.POP_MESSAGE,
        RequestCode.NOTIFICATION,
    )
)
"""Not served on the fast port, where a held pull would be in the way of sends."""


class Routed(Protocol):
    """A handler class: it knows which request codes are its own."""

    def routes(self) -> Mapping[int, Handler]:
        """Its request codes and methods."""
        ...


@runtime_checkable
class Framed(Protocol):
    """A handler class that serves some of its codes from their frames."""

    def frame_handlers(self) -> Mapping[int, FrameHandler]:
        """These codes and methods."""
        ...


@dataclass(frozen=True, slots=True)
class Routes:
    """What one port serves."""

    handlers: Mapping[int, Handler]
    frame_handlers: Mapping[int, FrameHandler]
    sends: PlainSendHandler
    pulls: PlainPulls | None

    @property
    def take_turn(self) -> TakeTurn | None:
        """Serves the plain sends, then the plain pulls, of all that came in a turn."""
        take_sends = self.sends.take_turn
        if self.pulls is None or not self.pulls.available:
            return take_sends
        take_pulls = self.pulls.take_turn
        if take_sends is None:
            return take_pulls

        def take_both(arrivals: Arrivals[TurnTransport]) -> None:
            take_sends(arrivals)
            take_pulls(arrivals)

        return take_both

    def without_pulls(self) -> Routes:
        """The same for the fast port."""
        return Routes(
            {code: h for code, h in self.handlers.items() if code not in FULL_PORT_ONLY},
            {code: h for code, h in self.frame_handlers.items() if code not in FULL_PORT_ONLY},
            self.sends,
            None,
        )


def frame_handlers_of(*handlers: Routed) -> dict[int, FrameHandler]:
    """One table of what handlers serve from frames."""
    table: dict[int, FrameHandler] = {}
    for handler in handlers:
        if isinstance(handler, Framed):
            table |= handler.frame_handlers()
    return table


def merge(*handlers: Routed) -> dict[int, Handler]:
    """One table of all handlers' codes. A code with two handlers is a programmer's mistake."""
    table: dict[int, Handler] = {}
    for handler in handlers:
        for code, method in handler.routes().items():
            assert code not in table, f"request code {code} has two handlers"
            table[code] = method
    return table
