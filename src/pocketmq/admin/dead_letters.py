"""Dead letters: what groups have given up on, looked at and given back.

A group's dead letters lie in the topic `%DLQ%group`, and stay there until they expire. Which of
them have been given back is remembered as the position of RocketMQ's group of tools in that topic,
so that every operator, with whatever program, goes on where the last one stopped.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Collection
from dataclasses import dataclass
from typing import Final

from pocketmq.admin.reading import Place, Reader
from pocketmq.admin.redriving import TO_GROUP, Aim, Redrive, Redriven, origin_topic_of
from pocketmq.admin.topics import Topics
from pocketmq.client.calls import Calls
from pocketmq.client.messages import ReceivedMessage
from pocketmq.errors import ConfigError, NoRoute
from pocketmq.message.topics import DEAD_LETTER_PREFIX, TOOLS_GROUP, dead_letter_topic

AT_ONCE: Final = 32

Progress = Callable[[int, int], None]
"""Hears how many of how many dead letters have been looked at."""


@dataclass(frozen=True, slots=True)
class DeadLetterQueue:
    """The dead letters of one group at a glance."""

    group: str
    topic: str
    messages: int
    """How many there are."""
    waiting: int
    """How many of them have not been given back."""
    newest_ms: int


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A message that a group has given up on."""

    message: ReceivedMessage
    origin_topic: str
    """The topic that its producer sent it to."""
    given_back: bool

    @property
    def message_id(self) -> str:
        """The id its producer gave it, which it keeps."""
        return self.message.message_id


class DeadLetters:
    """What an operator does with dead letters. Raises NoRoute, BrokerRefused, NetError."""

    def __init__(self, calls: Calls, topics: Topics, reader: Reader) -> None:
        self._calls = calls
        self._topics = topics
        self._reader = reader

    async def queues(self) -> list[DeadLetterQueue]:
        """The groups that have dead letters."""
        turns = asyncio.Semaphore(AT_ONCE)

        async def look(topic: str) -> DeadLetterQueue | None:
            async with turns:
                try:
                    return await self.queue(topic[len(DEAD_LETTER_PREFIX) :])
                except NoRoute:
                    return None  # deleted meanwhile

        all_names = await self._topics.names(everything=True)
        topics = [name for name in all_names if name.startswith(DEAD_LETTER_PREFIX)]
        found = await asyncio.gather(*(look(topic) for topic in topics))
        return [one for one in found if one is not None and one.messages]

    async def queue(self, group: str) -> DeadLetterQueue:
        """One group's dead letters at a glance. Raise NoRoute when it never had any."""
        topic = dead_letter_topic(group)
        messages = waiting = newest_ms = 0
        marks = await self.marks(topic)
        for extent in await self._topics.extents(topic):
            mark = marks.get((extent.broker, extent.queue_id), 0)
            messages += extent.messages
            waiting += extent.end - max(extent.first, min(mark, extent.end))
            newest_ms = max(newest_ms, extent.updated_ms)
        return DeadLetterQueue(group, topic, messages, waiting, newest_ms)

    async def messages(
        self,
        group: str,
        *,
        begin_ms: int = 0,
        end_ms: int | None = None,
        everything: bool = False,
    ) -> AsyncGenerator[DeadLetter, None]:
        """A group's dead letters, oldest first; `everything`: also those given back.

        Raise NoRoute when the group never had any.
        """
        topic = dead_letter_topic(group)
        marks = await self.marks(topic)
        async for message in self._reader.between(topic, begin_ms, end_ms):
            mark = marks.get((message.broker_name, message.queue_id), 0)
            given_back = message.queue_offset < mark
            if everything or not given_back:
                yield DeadLetter(message, origin_topic_of(message, group), given_back)

    async def redrive(
        self,
        group: str,
        *,
        to: str = TO_GROUP,
        ids: Collection[str] = (),
        begin_ms: int = 0,
        end_ms: int | None = None,
        everything: bool = False,
        dry_run: bool = False,
        on_progress: Progress | None = None,
    ) -> Redriven:
        """Give a group its dead letters back, as new messages with the ids they had.

        `to` is TO_GROUP for this group alone (by its retry topic), TO_TOPIC for the topics they
        came from, where every group gets them again, or the name of any topic. Without `ids` and
        times, all that have not been given back are, and that is remembered, also when an error
        ends it halfway; a chosen few are not remembered. Raise NoRoute, BrokerRefused, NetError.
        """
        names = frozenset(await self._topics.names(everything=True))
        aim = Aim(self._calls, group, to, names)
        await aim.check()
        redrive = Redrive(self._reader, aim, ids, begin_ms, end_ms, dry_run=dry_run)
        marks = {} if everything or ids else await self.marks(dead_letter_topic(group))
        stretches = await self._stretches(group, marks)
        total = sum(end - first for _, first, end in stretches)
        for place, first, end in stretches:
            done = first
            try:
                async for step in redrive.steps(place, first, end):
                    done = step
                    if on_progress is not None:
                        on_progress(redrive.result.looked_at, total)
            finally:
                if done > first and not redrive.chooses and not dry_run:
                    await self._calls.commit_offset(
                        place.address, TOOLS_GROUP, place.queue, done, wait=True
                    )
        return redrive.result

    async def _stretches(
        self, group: str, marks: dict[tuple[str, int], int]
    ) -> list[tuple[Place, int, int]]:
        """The queues of a group's dead letters, where to begin and where they end."""
        topic = dead_letter_topic(group)
        places = await self._reader.places(topic)
        if not places:
            raise ConfigError(
                f"the topic {topic} cannot be read; allow it with "
                f"`topic update {topic} --permission both`"
            )
        found: list[tuple[Place, int, int]] = []
        for place in places:
            first = await self._calls.min_offset(place.address, place.queue)
            end = await self._calls.max_offset(place.address, place.queue)
            mark = marks.get((place.queue.broker_name, place.queue.queue_id), 0)
            found.append((place, min(max(first, mark), end), end))
        return found

    async def marks(self, topic: str) -> dict[tuple[str, int], int]:
        """(broker, queue) -> up to where dead letters have been given back."""

        async def ask(place: Place) -> int:
            return await self._calls.consumer_offset(place.address, TOOLS_GROUP, place.queue) or 0

        places = await self._reader.places(topic)
        marks = await asyncio.gather(*(ask(place) for place in places))
        return {
            (place.queue.broker_name, place.queue.queue_id): mark
            for place, mark in zip(places, marks, strict=True)
        }
