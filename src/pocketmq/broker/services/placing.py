"""Placing messages with this broker's settings, at this moment. See `rules/placement.py`."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from pocketmq.broker.config import BrokerConfig
from pocketmq.broker.rules.placement import (
    Kind,
    Placement,
    PlacementRules,
    check_batch,
    place,
    place_client,
)
from pocketmq.clock import Clock
from pocketmq.errors import Refused
from pocketmq.protocol.codes import ResponseCode
from pocketmq.store.config import parse_delay_levels

TimerIsFull = Callable[[int], bool]


def placement_rules(config: BrokerConfig) -> PlacementRules:
    """What a broker's settings say about placing."""
    return PlacementRules(
        level_count=len(parse_delay_levels(config.store.delay_levels)),
        timer_enabled=config.timers.enabled,
        timer_precision_ms=config.timers.precision_ms,
        timer_delay_ms_max=config.timers.delay_max_seconds * 1000,
        reject_transactions=config.send.reject_transactions,
    )


class Placer:
    """Decides where messages are stored; shared by clients' sends and the broker's own."""

    def __init__(self, rules: PlacementRules, clock: Clock) -> None:
        self.rules = rules
        self._clock = clock
        self.timer_is_full: TimerIsFull = lambda due_ms: False
        """Whether too many messages are due at that moment already; the timer replaces it."""

    def place_client(
        self,
        topic: str,
        queue_id: int,
        properties: Mapping[str, str],
        sys_flag: int,
        reconsume_times: int,
    ) -> Placement:
        """Place a client's message. Raise Refused."""
        now_ms = self._clock.now_ms()
        return self._checked(
            place_client(topic, queue_id, properties, sys_flag, now_ms, self.rules, reconsume_times)
        )

    def place(
        self, topic: str, queue_id: int, properties: Mapping[str, str], sys_flag: int
    ) -> Placement:
        """Place a message of the broker's own; it is never a half message. Raise Refused."""
        now_ms = self._clock.now_ms()
        return self._checked(place(topic, queue_id, properties, sys_flag, now_ms, self.rules))

    def check_batch(self, properties: Mapping[str, str]) -> None:
        """Raise Refused when a batch asks for a model."""
        check_batch(properties)

    def _checked(self, placement: Placement) -> Placement:
        if placement.kind is Kind.TIMER and self.timer_is_full(placement.due_ms):
            raise Refused(
                ResponseCode.SYSTEM_ERROR,
                f"timer message is under flow control: too many are due at {placement.due_ms}; "
                "see timerCongestNumEachSlot",
            )
        return placement
