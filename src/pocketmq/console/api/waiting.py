"""Messages that wait: delay levels, the timer, half messages."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields

from pocketmq.admin.waiting import Stretch, Waiting, due_ms_of, origin_of
from pocketmq.client.messages import ReceivedMessage
from pocketmq.console.api.messages import LIMIT_MAX, MessagePicture
from pocketmq.console.desk import Desk
from pocketmq.console.endpoints import Noun
from pocketmq.console.problems import not_found
from pocketmq.console.searching import Found, page_of_stretches
from pocketmq.console.shapes import field_of
from pocketmq.message.properties import PRODUCER_GROUP

_CHECKS = "TRANSACTION_CHECK_TIMES"

waiting = Noun("Waiting messages")


@dataclass(frozen=True, slots=True)
class LevelPicture:
    """A delay level and how many messages wait in it."""

    level: int
    delay_ms: int
    messages: int


@dataclass(frozen=True, slots=True)
class TimerPicture:
    """The timer."""

    messages: int | None
    behind_ms: int | None


@dataclass(frozen=True, slots=True)
class HalfPicture:
    """Transactions that have not ended."""

    messages: int


@dataclass(frozen=True, slots=True)
class WaitingPicture:
    """How much waits; null where a broker has none of it."""

    levels: tuple[LevelPicture, ...]
    timer: TimerPicture | None
    half: HalfPicture | None


@dataclass(frozen=True, slots=True)
class WaitingQuery:
    """Which page. Pages may be shorter than `limit` while there is a next one."""

    limit: int = field_of(32, "How many.", minimum=1, maximum=LIMIT_MAX)
    cursor: str | None = field_of(None, "Where the last page ended.", chars_max=64 * 1024)


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a waiting message is meant for."""

    topic: str
    queue_id: int


@dataclass(frozen=True, slots=True)
class WaitingMessage(MessagePicture):
    """A waiting message; `checks` and `producer_group` are those of transactions."""

    due_ms: int | None
    origin: Origin
    checks: int | None
    producer_group: str | None


@dataclass(frozen=True, slots=True)
class WaitingList:
    """Waiting messages, and the cursor of what follows."""

    items: tuple[WaitingMessage, ...]
    next: str | None


@waiting.get("/waiting")
async def show(desk: Desk) -> WaitingPicture:
    """How much waits, on all brokers together."""
    found = await _waiting(desk).now(await desk.picture.masters())
    return WaitingPicture(
        tuple(LevelPicture(one.level, one.delay_ms, one.messages) for one in found.levels),
        TimerPicture(found.timer.messages, found.timer.behind_ms) if found.timer else None,
        HalfPicture(found.half) if found.half is not None else None,
    )


@waiting.get("/waiting/levels/{level}")
async def in_level(desk: Desk, level: int, query: WaitingQuery) -> WaitingList:
    """The messages that wait in a delay level, the next ones first."""
    asked, masters = _waiting(desk), await desk.picture.masters()
    delays = await asked.delays_ms(masters[0]) if masters else []
    if not 1 <= level <= len(delays):
        raise not_found("level", str(level), f"there are {len(delays)} delay levels")
    stretches = await asked.level_stretches(level, masters)
    found = await _page(desk, stretches, query)
    return _listed(found, lambda message: due_ms_of(message, delays[level - 1]))


@waiting.get("/waiting/timer")
async def in_timer(desk: Desk, query: WaitingQuery) -> WaitingList:
    """The messages that wait for a moment, those sent last first."""
    stretches = await _waiting(desk).timer_stretches(await desk.picture.masters())
    found = await _page(desk, stretches, query, newest=True)
    now = desk.clock.now_ms()
    still = [message for message in found.messages if due_ms_of(message) > now]
    return _listed(Found(still, found.next), due_ms_of)


@waiting.get("/waiting/half")
async def half(desk: Desk, query: WaitingQuery) -> WaitingList:
    """Half messages whose transactions have not ended, the oldest first."""
    asked = _waiting(desk)
    stretches = await asked.half_stretches(await desk.picture.masters())
    ended = {
        (one.place.queue.broker_name, offset)
        for one in stretches
        for offset in await asked.ended_halves(one)
    }
    found = await _page(desk, stretches, query)
    still = [one for one in found.messages if (one.broker_name, one.queue_offset) not in ended]
    return _listed(Found(still, found.next), lambda message: None)


def _waiting(desk: Desk) -> Waiting:
    return Waiting(desk.admin.calls, desk.admin.messages.reader)


async def _page(
    desk: Desk, stretches: list[Stretch], query: WaitingQuery, *, newest: bool = False
) -> Found:
    return await page_of_stretches(
        desk.admin.messages.reader,
        [(one.place, one.first, one.end) for one in stretches],
        cursor=query.cursor,
        limit=query.limit,
        newest=newest,
    )


def _listed(found: Found, due: Callable[[ReceivedMessage], int | None]) -> WaitingList:
    return WaitingList(tuple(_row(one, due(one)) for one in found.messages), found.next)


def _row(message: ReceivedMessage, due_ms: int | None) -> WaitingMessage:
    facts = MessagePicture.of(message)
    checks = message.properties.get(_CHECKS, "")
    return WaitingMessage(
        **{one.name: getattr(facts, one.name) for one in fields(facts)},
        due_ms=due_ms,
        origin=Origin(*origin_of(message)),
        checks=int(checks) if checks.isdigit() else None,
        producer_group=message.properties.get(PRODUCER_GROUP),
    )
