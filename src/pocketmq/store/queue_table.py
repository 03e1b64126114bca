"""All consume queues in memory: topic name -> its queues and their next offsets."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from pocketmq.errors import BadTopicName, CorruptStore, QueueIdOutOfRange, TopicTooLong
from pocketmq.message.positions import QueueOffset
from pocketmq.message.record import MAGIC_V2, TOPIC_BYTES_MAX, magic_of_topic
from pocketmq.message.topics import SCHEDULE_TOPIC
from pocketmq.store import layout
from pocketmq.store.batch_consume_queue import UNIT_BYTES, BatchConsumeQueue
from pocketmq.store.config import QueueConfig
from pocketmq.store.consume_queue import ENTRY_BYTES, ConsumeQueue
from pocketmq.store.file_sequence import FileSequence
from pocketmq.store.mapped_file import MappingCache

ABSENT = -1


class TopicQueues:
    """What the store knows of one topic.

    `next_offsets[i]` is the queue offset the next message of queue i gets, ABSENT for a queue that
    was never used. It runs ahead of `queues[i].end` until the dispatcher has caught up.
    """

    __slots__ = ("is_batch", "is_schedule", "magic", "name", "name_bytes", "next_offsets", "queues")

    def __init__(self, name: str) -> None:
        self.name = name
        self.name_bytes = name.encode("utf-8", "replace")
        self.magic = magic_of_topic(name)
        if len(self.name_bytes) > (TOPIC_BYTES_MAX if self.magic == MAGIC_V2 else 127):
            raise TopicTooLong(name)
        if not name.strip(".") or any(character in name for character in "/\\\0"):
            raise BadTopicName(name)
        self.is_schedule = name == SCHEDULE_TOPIC
        self.is_batch = False
        self.next_offsets: list[int] = []
        self.queues: list[ConsumeQueue | None] = []


class QueueTable:
    """Finds, makes, loads and deletes consume queues."""

    def __init__(
        self, directory: Path, batch_directory: Path, config: QueueConfig, cache: MappingCache
    ) -> None:
        self._directory = directory
        self._batch_directory = batch_directory
        self._config = config
        self._cache = cache
        self._batch_file_bytes = -(-config.batch_file_bytes // UNIT_BYTES) * UNIT_BYTES
        self._file_bytes = -(-config.file_bytes // ENTRY_BYTES) * ENTRY_BYTES
        self.topics: dict[str, TopicQueues] = {}
        self.dirty: set[ConsumeQueue] = set()

    def __iter__(self) -> Iterator[ConsumeQueue]:
        for topic in list(self.topics.values()):
            for queue in topic.queues:
                if queue is not None:
                    yield queue

    def topic(self, name: str) -> TopicQueues:
        """Return a topic's queues, made now if need be. Raise TopicTooLong."""
        found = self.topics.get(name)
        if found is None:
            found = self.topics[name] = TopicQueues(name)
        return found

    def find(self, name: str, queue_id: int) -> ConsumeQueue | None:
        """Return a queue that has been used, or None."""
        topic = self.topics.get(name)
        if topic is None or not 0 <= queue_id < len(topic.queues):
            return None
        return topic.queues[queue_id]

    def open_queue(self, topic: TopicQueues, queue_id: int) -> ConsumeQueue:
        """Return a queue, made now if need be. Raise QueueIdOutOfRange."""
        if not 0 <= queue_id < self._config.queues_per_topic_max:
            raise QueueIdOutOfRange(topic.name, queue_id)
        missing = queue_id + 1 - len(topic.queues)
        if missing > 0:
            topic.queues.extend([None] * missing)
            topic.next_offsets.extend([ABSENT] * missing)
        queue = topic.queues[queue_id]
        if queue is None:
            queue = topic.queues[queue_id] = self._new_queue(topic, queue_id)
            topic.next_offsets[queue_id] = 0
        return queue

    def _new_queue(self, topic: TopicQueues, queue_id: int) -> ConsumeQueue:
        parent = self._batch_directory if topic.is_batch else self._directory
        size = self._batch_file_bytes if topic.is_batch else self._file_bytes
        sequence = FileSequence(os.path.join(parent, topic.name, str(queue_id)), size)
        make = BatchConsumeQueue if topic.is_batch else ConsumeQueue
        reserve = self._config.reserve_bytes_max
        return make(topic.name, queue_id, sequence, self._cache, self.dirty, reserve)

    def load(self, files_checked: int) -> list[str]:
        """Find every queue on the disk. Return the paths whose length had to be mended."""
        mended: list[str] = []
        found = [(x, False) for x in layout.queue_directories(self._directory)]
        found += [(x, True) for x in layout.queue_directories(self._batch_directory)]
        for (name, queue_id, path), is_batch in found:
            topic = self.topic(name)
            if not topic.queues:
                topic.is_batch = is_batch
            if topic.is_batch != is_batch:
                raise CorruptStore(
                    f"{name!r} has both ordinary and batch consume queues; move {path} away"
                )
            mended += self.open_queue(topic, queue_id).load(files_checked)
        return mended

    def last_log_end(self) -> int:
        """Return where the last record that any queue knows ends in the log."""
        return max((queue.last_log_end() for queue in self), default=0)

    def cut_behind(self, log_end: int) -> None:
        """Remove all entries whose records are not wholly before `log_end`."""
        for queue in self:
            queue.cut_behind(log_end)

    def settle_next_offsets(self) -> None:
        """Let the next message of each queue follow its last entry, as after recovery."""
        for topic in self.topics.values():
            for queue_id, queue in enumerate(topic.queues):
                if queue is not None:
                    topic.next_offsets[queue_id] = QueueOffset(queue.end)

    def delete(self, name: str) -> bool:
        """Forget a topic and delete the files of its queues."""
        topic = self.topics.pop(name, None)
        if topic is None:
            return False
        topic.next_offsets.clear()  # whoever still holds this topic finds no queue in it
        for queue in topic.queues:
            if queue is not None:
                queue.close()
                self.dirty.discard(queue)
        for directory in (self._directory / name, self._batch_directory / name):
            if directory.is_dir():
                shutil.rmtree(directory)
        return True

    def close(self) -> None:
        """Drop every mapping."""
        for queue in self:
            queue.close()
