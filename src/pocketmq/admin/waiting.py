"""Messages that wait: for a delay level, for their moment in the timer, for a transaction's end.

Each kind lies in a topic of the broker's own until its time comes:

    the schedule topic          one queue for each delay level; delivered in order
    rmq_sys_wheel_timer         the timer's; TIMER_OUT_MS says when each is due
    RMQ_SYS_TRANS_HALF_TOPIC    half messages; another topic lists those that have ended
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from pocketmq.admin.clusters import Broker
from pocketmq.admin.reading import Place, Reader
from pocketmq.broker.rules.transactions import parse_operations
from pocketmq.client.calls import Calls
from pocketmq.client.messages import MessageQueue, ReceivedMessage
from pocketmq.errors import BrokerRefused
from pocketmq.message import properties as names
from pocketmq.message.topics import (
    HALF_OPERATION_TOPIC,
    HALF_TOPIC,
    SCHEDULE_TOPIC,
    TIMER_TOPIC,
    TRANSACTION_GROUP,
)
from pocketmq.protocol.bodies.java_properties import parse_properties
from pocketmq.protocol.bodies.tables import KvTable
from pocketmq.protocol.codes import RequestCode

DEFAULT_LEVELS: Final = "1s 5s 10s 30s 1m 2m 3m 4m 5m 6m 7m 8m 9m 10m 20m 30m 1h 2h"
OPERATION_PULLS_MAX: Final = 200
_UNITS_MS: Final = {"s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
_OFFSETS: Final = "scheduleMessageOffset_"


@dataclass(frozen=True, slots=True)
class Level:
    """One delay level, and how many messages wait in it."""

    level: int
    delay_ms: int
    messages: int


@dataclass(frozen=True, slots=True)
class TimerNow:
    """The timer; None for what a broker does not tell."""

    messages: int | None
    behind_ms: int | None


@dataclass(frozen=True, slots=True)
class WaitingNow:
    """How much waits on these brokers. `half` counts transactions that have not ended."""

    levels: tuple[Level, ...]
    timer: TimerNow | None
    half: int | None


@dataclass(frozen=True, slots=True)
class Stretch:
    """A queue, and the offsets in it of what waits: from `first` up to `end`."""

    place: Place
    first: int
    end: int


class Waiting:
    """Asks brokers what waits. What goes wrong is raised: NetError, BrokerRefused."""

    def __init__(self, calls: Calls, reader: Reader) -> None:
        self._calls = calls
        self._reader = reader

    async def now(self, masters: Sequence[Broker]) -> WaitingNow:
        """How much waits on these masters."""
        found = await asyncio.gather(*(self._of(broker) for broker in masters))
        levels: dict[int, Level] = {}
        for one in found:
            for level in one.levels:
                known = levels.get(level.level)
                sum_of_both = level.messages + (known.messages if known is not None else 0)
                levels[level.level] = Level(level.level, level.delay_ms, sum_of_both)
        timers = [one.timer for one in found if one.timer is not None]
        halves = [one.half for one in found if one.half is not None]
        return WaitingNow(
            tuple(levels[number] for number in sorted(levels)),
            TimerNow(
                _sum([timer.messages for timer in timers]),
                max((t.behind_ms for t in timers if t.behind_ms is not None), default=None),
            )
            if timers
            else None,
            sum(halves) if halves else None,
        )

    async def level_stretches(self, level: int, masters: Sequence[Broker]) -> list[Stretch]:
        """Where the messages of a delay level lie that have not been delivered."""

        async def look(broker: Broker) -> Stretch:
            figures = await self._figures(broker)
            first, end = _offsets(figures.get(f"{_OFFSETS}{level}", ""))
            queue = MessageQueue(SCHEDULE_TOPIC, broker.name, level - 1)
            return Stretch(Place(queue, broker.address), first, end)

        return list(await asyncio.gather(*(look(broker) for broker in masters)))

    async def timer_stretches(self, masters: Sequence[Broker]) -> list[Stretch]:
        """Where the timer's messages lie, also those that were delivered not long ago."""
        return await self._whole(TIMER_TOPIC, masters)

    async def half_stretches(self, masters: Sequence[Broker]) -> list[Stretch]:
        """Where half messages lie that the broker has not passed over."""
        found = []
        for stretch in await self._whole(HALF_TOPIC, masters):
            place = stretch.place
            passed = await self._calls.consumer_offset(
                place.address, TRANSACTION_GROUP, place.queue
            )
            found.append(Stretch(place, max(stretch.first, passed or 0), stretch.end))
        return found

    async def ended_halves(self, stretch: Stretch) -> frozenset[int]:
        """The queue offsets of the half messages of a stretch that have ended."""
        if stretch.first >= stretch.end:
            return frozenset()
        address = stretch.place.address
        queue = MessageQueue(HALF_OPERATION_TOPIC, stretch.place.queue.broker_name, 0)
        end = await self._calls.max_offset(address, queue)
        first = await self._calls.min_offset(address, queue)
        passed = await self._calls.consumer_offset(address, TRANSACTION_GROUP, queue)
        at = max(first, passed or 0)
        ended: set[int] = set()
        for _ in range(OPERATION_PULLS_MAX):
            if at >= end:
                break
            page = await self._reader.page(Place(queue, address), at)
            for message in page.messages:
                ended.update(parse_operations(message.body))
            if page.next_offset <= at:
                break
            at = page.next_offset
        return frozenset(one for one in ended if stretch.first <= one < stretch.end)

    async def delays_ms(self, broker: Broker) -> list[int]:
        """How long each delay level of a broker is; the first one is level 1."""
        answer = await self._calls.ask(broker.address, RequestCode.GET_BROKER_CONFIG)
        settings = parse_properties(bytes(answer.body))
        return _delays(settings.get("messageDelayLevel") or DEFAULT_LEVELS)

    async def _of(self, broker: Broker) -> WaitingNow:
        figures, delays, timer, half = await asyncio.gather(
            self._figures(broker),
            self.delays_ms(broker),
            self._in_timer(broker),
            self._half(broker),
        )
        levels = []
        for number, delay_ms in enumerate(delays, 1):
            first, end = _offsets(figures.get(f"{_OFFSETS}{number}", ""))
            levels.append(Level(number, delay_ms, max(end - first, 0)))
        behind = figures.get("timerReadBehind", "")
        behind_ms = int(behind) * 1000 if behind.isdigit() else None
        now = TimerNow(timer, behind_ms) if timer is not None or behind_ms is not None else None
        return WaitingNow(tuple(levels), now, half)

    async def _figures(self, broker: Broker) -> dict[str, str]:
        answer = await self._calls.ask(broker.address, RequestCode.GET_BROKER_RUNTIME_INFO)
        return KvTable.from_json(bytes(answer.body)).table

    async def _in_timer(self, broker: Broker) -> int | None:
        """How many messages the timer holds; None where it is off or not known."""
        try:
            answer = await self._calls.ask(broker.address, RequestCode.GET_TIMER_METRICS)
            return _timed(json.loads(bytes(answer.body)))
        except (BrokerRefused, ValueError):
            return None

    async def _half(self, broker: Broker) -> int | None:
        try:
            (stretch,) = await self.half_stretches([broker])
            ended = await self.ended_halves(stretch)
        except BrokerRefused:
            return None
        return max(stretch.end - stretch.first - len(ended), 0)

    async def _whole(self, topic: str, masters: Sequence[Broker]) -> list[Stretch]:
        async def look(broker: Broker) -> Stretch:
            queue = MessageQueue(topic, broker.name, 0)
            first, end = await asyncio.gather(
                self._calls.min_offset(broker.address, queue),
                self._calls.max_offset(broker.address, queue),
            )
            return Stretch(Place(queue, broker.address), max(first, 0), end)

        return list(await asyncio.gather(*(look(broker) for broker in masters)))


def due_ms_of(message: ReceivedMessage, delay_ms: int | None = None) -> int:
    """When a waiting message is due; 0 when it does not say."""
    if delay_ms is not None:
        return message.store_timestamp_ms + delay_ms
    text = message.properties.get(names.TIMER_OUT_MS, "")
    return int(text) if text.isdigit() else 0


def origin_of(message: ReceivedMessage) -> tuple[str, int]:
    """The topic and queue that a waiting message is meant for."""
    queue = message.properties.get(names.REAL_QUEUE_ID, "")
    topic = message.properties.get(names.REAL_TOPIC, message.stored_topic)
    return topic, int(queue) if queue.isdigit() else 0


def _offsets(text: str) -> tuple[int, int]:
    """`delivered,end`, as brokers tell it of each level."""
    first, _, end = text.partition(",")
    return (int(first), int(end)) if first.isdigit() and end.isdigit() else (0, 0)


def _delays(text: str) -> list[int]:
    found = []
    for word in text.split():
        number, unit = word[:-1], word[-1:]
        found.append(int(number) * _UNITS_MS[unit] if number.isdigit() and unit in _UNITS_MS else 0)
    return found


def _timed(tree: Any) -> int | None:
    counts = tree.get("timingCount") if isinstance(tree, dict) else None
    if not isinstance(counts, dict):
        return None
    found: list[Any] = [one for one in counts.values() if isinstance(one, dict)]
    return sum(int(one.get("count", 0)) for one in found)


def _sum(values: Sequence[int | None]) -> int | None:
    known = [value for value in values if value is not None]
    return sum(known) if known else None
