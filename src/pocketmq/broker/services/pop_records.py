"""Stores check points and acks of pops, as messages of the timer.

Acks of one turn of the event loop that are for the same check point become one record: a client
that acknowledges each message of a pop by itself costs hardly more than one that names all at once.
They are in the log before their answers leave the process.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Final, Protocol

from pocketmq.broker.config import TimersConfig
from pocketmq.broker.rules import pop_records as rules
from pocketmq.broker.rules.placement import timer_tick
from pocketmq.broker.rules.pop_records import CheckPoint, Key
from pocketmq.broker.services.intake import Intake
from pocketmq.broker.services.placing import TimerIsFull
from pocketmq.broker.state.open_pops import OpenPops
from pocketmq.clock import Clock
from pocketmq.errors import Refused, StoreError
from pocketmq.message import topics as names
from pocketmq.protocol.codes import ResponseCode

_log = logging.getLogger(__name__)


class Progress(Protocol):
    """The timer, as far as pops care."""

    needless: dict[int, str]
    """What need not be delivered, by log offset, and the topic it was for."""

    @property
    def read_ms(self) -> int:
        """Everything due before this tick is delivered."""
        ...

    @property
    def queue_offset(self) -> int:
        """Everything before this in the timer's queue has entered the timer."""
        ...


_ACKS_PER_RECORD: Final = 256
_Group = tuple[Key, int, int]
"""Check point, revive queue, and the moment the acks are to come back."""


class PopRecords:
    """Writes the records. `topic` is the revive topic."""

    def __init__(
        self,
        intake: Intake,
        clock: Clock,
        timers: Progress,
        config: TimersConfig,
        timer_is_full: TimerIsFull,
        *,
        cluster: str,
        broker: str,
        store_host: bytes,
    ) -> None:
        self.topic = names.revive_topic(cluster)
        self.precision_ms = config.precision_ms
        self.open_pops = OpenPops(self.topic, timers.needless)
        self._timers = timers
        # What is due later is written anew in between, and then lies elsewhere.
        self._timer_window_ms = config.roll_slots * config.precision_ms
        self._intake = intake
        self._clock = clock
        self._timer_is_full = timer_is_full
        self._broker = broker
        self._store_host = store_host
        self._acks: dict[_Group, list[int]] = {}
        self.turn = 0

    def put_check_point(self, point: CheckPoint, revive_queue: int) -> None:
        """Store it, to come back before it is due. Raise Refused, StoreError."""
        deliver_ms = point.due_ms - rules.EARLY_MS
        if self._timer_is_full(deliver_ms):
            raise Refused(
                ResponseCode.SYSTEM_ERROR,
                f"too much is due at {deliver_ms}; pop less, or see timerCongestNumEachSlot",
            )
        tag, key = rules.CHECK_POINT_TAG, point.unique_key
        place = self._put(revive_queue, point.encode(), tag, key, deliver_ms)
        if 0 < deliver_ms - self._clock.now_ms() < self._timer_window_ms:
            tick_ms = timer_tick(deliver_ms, self.precision_ms)
            self.open_pops.opened(point.key, point.differences, tick_ms, place)

    def acks_of(self, key: Key, revive_queue: int, due_ms: int) -> list[int]:
        """The offsets acknowledged in this turn of the event loop: append to it, now.

        They are stored when the turn ends, to come back when they are due; `turn` then differs.
        """
        acks = self._acks
        if not acks:
            asyncio.get_running_loop().call_soon(self.write_acks)
        return acks.setdefault((key, revive_queue, due_ms), [])

    def write_acks(self) -> None:
        """Store what was acknowledged. What cannot be stored comes again, as Apache has it."""
        self.turn += 1
        waiting, self._acks = self._acks, {}
        for group, offsets in waiting.items():
            for first in range(0, len(offsets), _ACKS_PER_RECORD):
                self._put_acks(group, offsets[first : first + _ACKS_PER_RECORD])

    def _put_acks(self, group: _Group, offsets: list[int]) -> None:
        key, revive_queue, due_ms = group
        body = rules.encode_acks(key, offsets, self._broker)
        unique = rules.ack_unique_key(key, offsets, self._broker)
        tag = rules.ACK_TAG if len(offsets) == 1 else rules.BATCH_ACK_TAG
        try:
            place = self._put(revive_queue, body, tag, unique, due_ms)
        except StoreError as error:
            _log.warning("acks not stored topic=%s offsets=%s: %s", key[0], offsets, error)
            return
        self.open_pops.acknowledged(key, offsets, place, self._timers.read_ms)

    def _put(self, queue_id: int, body: bytes, tag: str, unique: str, deliver_ms: int) -> int:
        now_ms = self._clock.now_ms()
        if deliver_ms <= now_ms:
            topic, stored_queue = self.topic, queue_id
            properties = rules.due_properties(tag, unique, deliver_ms)
        else:
            topic, stored_queue = names.TIMER_TOPIC, 0
            properties = rules.timed_properties(
                tag, unique, deliver_ms, self.topic, queue_id, self.precision_ms
            )
        return self._intake.put_encoded(
            topic, stored_queue, 0, 0, now_ms, self._store_host, 0, 0, body, properties
        )
