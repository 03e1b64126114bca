"""Positions set anew, dead letters given back, and the tasks that do so."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Literal

from pocketmq.admin import ResetQueue
from pocketmq.admin.dead_letters import DeadLetterQueue
from pocketmq.admin.offsets import TO_THE_END
from pocketmq.admin.redriving import TO_GROUP, origin_topic_of
from pocketmq.console.api.messages import LIMIT_MAX, MessagePicture
from pocketmq.console.api.paging import page_field, size_field, slice_of
from pocketmq.console.desk import Desk
from pocketmq.console.endpoints import Noun
from pocketmq.console.problems import bad_request
from pocketmq.console.searching import by_time
from pocketmq.console.shapes import field_of
from pocketmq.console.tasks import Task
from pocketmq.message.topics import dead_letter_topic

offsets = Noun("Offsets")
dead_letters = Noun("Dead letters")
tasks = Noun("Tasks")


@dataclass(frozen=True, slots=True)
class ResetForm:
    """A group, a topic, and where to go on: at an end or at a moment."""

    group: str = field_of(doc="The group.")
    topic: str = field_of(doc="The topic.")
    to: Literal["start", "end"] | None = field_of(None, "The first or beyond the last message.")
    to_ms: int | None = field_of(None, "The first message stored then or later.", minimum=0)
    force: bool = field_of(True, "Also where that is a step forward.")


@dataclass(frozen=True, slots=True)
class SkipForm:
    """A group and a topic."""

    group: str = field_of(doc="The group.")
    topic: str = field_of(doc="The topic.")


@dataclass(frozen=True, slots=True)
class SetForm:
    """A group, a queue and an offset."""

    group: str = field_of(doc="The group.")
    topic: str = field_of(doc="The topic.")
    broker: str = field_of(doc="The broker's name.")
    queue_id: int = field_of(doc="The queue.", minimum=0)
    offset: int = field_of(doc="Where to go on.", minimum=0)


@dataclass(frozen=True, slots=True)
class CloneForm:
    """Two groups; without a topic, all topics of the first."""

    source: str = field_of(doc="Whose positions.")
    target: str = field_of(doc="Who gets them.")
    topic: str | None = field_of(None, "Only in this topic.")


@dataclass(frozen=True, slots=True)
class Position:
    """Where a group goes on in one queue."""

    topic: str
    broker: str
    queue_id: int
    offset: int


@dataclass(frozen=True, slots=True)
class Positions:
    """Where a group goes on."""

    items: tuple[Position, ...]


@dataclass(frozen=True, slots=True)
class DeadLettersQuery:
    """Which groups."""

    q: str = field_of("", "A part of the group's name, in any case.")
    page: int = page_field()
    size: int = size_field()


@dataclass(frozen=True, slots=True)
class DeadLetterRow:
    """A group's dead letters; `waiting` have not been given back."""

    group: str
    topic: str
    messages: int
    waiting: int
    updated_ms: int

    @classmethod
    def of(cls, queue: DeadLetterQueue) -> DeadLetterRow:
        """A group's dead letters as they are shown."""
        return cls(queue.group, queue.topic, queue.messages, queue.waiting, queue.newest_ms)


@dataclass(frozen=True, slots=True)
class DeadLetterPage:
    """A page of groups with dead letters."""

    items: tuple[DeadLetterRow, ...]
    total: int
    page: int
    size: int


@dataclass(frozen=True, slots=True)
class LettersQuery:
    """Which dead letters."""

    from_ms: int | None = field_of(None, "Given up from this moment.", minimum=0)
    to_ms: int | None = field_of(None, "Given up to this moment.", minimum=0)
    order: Literal["newest", "oldest"] = field_of("newest", "What comes first.")
    limit: int = field_of(32, "How many.", minimum=1, maximum=LIMIT_MAX)
    cursor: str | None = field_of(None, "Where the last page ended.", chars_max=64 * 1024)


@dataclass(frozen=True, slots=True)
class DeadLetterPicture(MessagePicture):
    """A dead letter, and where it came from."""

    origin_topic: str
    given_back: bool


@dataclass(frozen=True, slots=True)
class DeadLetterList:
    """Dead letters, and the cursor of what follows."""

    items: tuple[DeadLetterPicture, ...]
    next: str | None


@dataclass(frozen=True, slots=True)
class RedriveForm:
    """Which dead letters go back, and where to."""

    ids: tuple[str, ...] = field_of((), "These.")
    all: bool = field_of(False, "All that have not been given back.")
    from_ms: int | None = field_of(None, "Only those given up from this moment.", minimum=0)
    to_ms: int | None = field_of(None, "Only those given up to this moment.", minimum=0)
    to: str = field_of(
        TO_GROUP, "`group`: this group alone; `topic`: where they came from; or a topic's name."
    )


@dataclass(frozen=True, slots=True)
class TaskList:
    """Tasks, the newest first."""

    items: tuple[Task, ...]


@offsets.post("/offsets/reset")
async def reset(desk: Desk, body: ResetForm) -> Positions:
    """Let a group go on at a moment, in every queue of a topic."""
    if (body.to is None) == (body.to_ms is None):
        raise bad_request("give either to or to_ms", "to")
    at = body.to_ms if body.to_ms is not None else TO_THE_END if body.to == "end" else 0
    return _positions(await desk.admin.offsets.reset(body.group, body.topic, at, force=body.force))


@offsets.post("/offsets/skip")
async def skip(desk: Desk, body: SkipForm) -> Positions:
    """Let a group forget what it has not consumed of a topic."""
    return _positions(await desk.admin.offsets.skip(body.group, body.topic))


@offsets.post("/offsets/set")
async def set_one(desk: Desk, body: SetForm) -> Positions:
    """Let a group go on at an offset of one queue."""
    found = await desk.admin.offsets.set(
        body.group, body.topic, body.broker, body.queue_id, body.offset
    )
    return _positions([found])


@offsets.post("/offsets/clone")
async def clone(desk: Desk, body: CloneForm) -> Positions:
    """Let one group go on where another is."""
    return _positions(await desk.admin.offsets.clone(body.source, body.target, body.topic))


@dead_letters.get("/dead-letters")
async def list_groups(desk: Desk, query: DeadLettersQuery) -> DeadLetterPage:
    """The groups that have dead letters."""
    found = [
        queue for queue in await desk.live.dead_letters() if query.q.lower() in queue.group.lower()
    ]
    rows = tuple(DeadLetterRow.of(one) for one in slice_of(found, query.page, query.size))
    return DeadLetterPage(rows, len(found), query.page, query.size)


@dead_letters.get("/dead-letters/{group}/messages")
async def list_messages(desk: Desk, group: str, query: LettersQuery) -> DeadLetterList:
    """A group's dead letters."""
    topic = dead_letter_topic(group)
    found = await by_time(
        desk.admin.messages.reader,
        topic,
        query.from_ms or 0,
        query.to_ms,
        cursor=query.cursor,
        limit=query.limit,
        newest=query.order == "newest",
    )
    marks = await desk.admin.dead_letters.marks(topic)
    items = []
    for message in found.messages:
        mark = marks.get((message.broker_name, message.queue_id), 0)
        facts = MessagePicture.of(message)
        items.append(
            DeadLetterPicture(
                **{one.name: getattr(facts, one.name) for one in fields(facts)},
                origin_topic=origin_topic_of(message, group),
                given_back=message.queue_offset < mark,
            )
        )
    return DeadLetterList(tuple(items), found.next)


@dead_letters.post("/dead-letters/{group}/redrive", status=202)
async def redrive(desk: Desk, group: str, body: RedriveForm) -> Task:
    """Give dead letters back, as a task that tells how far it is."""
    if bool(body.ids) == body.all:
        raise bad_request("give either ids or all", "ids")
    await desk.admin.dead_letters.queue(group)  # NoRoute: it never had any

    async def work(task: Task, moved: Callable[[], None]) -> None:
        def progress(done: int, total: int) -> None:
            task.done, task.total = done, total
            moved()

        result = await desk.admin.dead_letters.redrive(
            group,
            to=body.to,
            ids=body.ids,
            begin_ms=body.from_ms or 0,
            end_ms=body.to_ms,
            on_progress=progress,
        )
        task.done = result.given_back
        desk.live.forget_dead_letters()

    return desk.tasks.begin("redrive", group, work)


@tasks.get("/tasks")
async def list_tasks(desk: Desk) -> TaskList:
    """Tasks that run, and the last that ended."""
    return TaskList(tuple(desk.tasks.all()))


@tasks.get("/tasks/{id}")
async def show_task(desk: Desk, id: str) -> Task:
    """One task."""
    return desk.tasks.get(id)


@tasks.delete("/tasks/{id}")
async def stop_task(desk: Desk, id: str) -> Task:
    """Ask a task to stop. What it has done stays done."""
    return desk.tasks.stop(id)


def _positions(found: list[ResetQueue]) -> Positions:
    return Positions(
        tuple(Position(one.topic, one.broker, one.queue_id, one.offset) for one in found)
    )
