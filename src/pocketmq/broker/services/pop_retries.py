"""Puts a popped message again, in the retry topic of the group that did not acknowledge it.

It is a message of its own, one more time consumed, that remembers when it was popped first. What
was popped from a retry topic goes into the same again. There is no limit: whoever pops decides when
to give up.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Final

from pocketmq.broker.config import PopConfig
from pocketmq.broker.rules.pop_records import CheckPoint
from pocketmq.broker.services.cold_reads import ColdReadService
from pocketmq.broker.services.intake import Intake, OwnMessage
from pocketmq.broker.state.groups import GroupTable
from pocketmq.broker.state.offsets import OffsetTable
from pocketmq.broker.state.topics import TopicTable
from pocketmq.message import topics as names
from pocketmq.message.properties import DELAY, TIMER_REQUESTS
from pocketmq.protocol.bodies.topic_config import TopicConfig
from pocketmq.store import MessageStore

_log = logging.getLogger(__name__)

FIRST_POP_TIME: Final = "1ST_POP_TIME"
_OF_THE_FIRST_PUT: Final = (DELAY, *TIMER_REQUESTS)


class PopRetries:
    """Reads popped messages and stores them anew."""

    def __init__(
        self,
        store: MessageStore,
        intake: Intake,
        cold_reads: ColdReadService,
        topics: TopicTable,
        groups: GroupTable,
        offsets: OffsetTable,
        config: PopConfig,
    ) -> None:
        self._store = store
        self._intake = intake
        self._cold_reads = cold_reads
        self._hot_bytes = store.config.reading.hot_bytes
        self._topics = topics
        self._groups = groups
        self._offsets = offsets
        self._second_form = config.second_retry_form

    def is_wanted(self, point: CheckPoint) -> bool:
        """Whether somebody is left to hand the messages to."""
        topic = names.topic_of_pop_retry_topic(point.topic, point.group)
        if self._topics.find(topic) is not None and self._groups.find(point.group) is not None:
            return True
        _log.info("check point dropped: its topic or group is gone topic=%s", point.topic)
        return False

    async def put_again(self, point: CheckPoint, offset: int) -> bool:
        """Store a message anew for its group. False: it is gone. Raise StoreError."""
        entry = self._store.entry_of(point.topic, point.queue_id, offset)
        record = None
        if entry is not None:
            await self.warm(point.topic, point.queue_id, offset, entry[0])
            record = self._store.decoded_record_at(entry[0])
        if record is None:
            _log.warning("popped message is gone topic=%s offset=%d", point.topic, offset)
            return False
        properties = record.properties
        properties.setdefault(FIRST_POP_TIME, str(point.pop_time_ms))
        for name in _OF_THE_FIRST_PUT:
            properties.pop(name, None)
        self._intake.put(
            OwnMessage(
                self._retry_topic(point),
                0,
                record.body,
                properties,
                record.flag,
                record.sys_flag,
                record.born_timestamp_ms,
                b"",
                record.reconsume_times + 1,
            )
        )
        return True

    def _retry_topic(self, point: CheckPoint) -> str:
        topic = point.topic
        if not topic.startswith(names.RETRY_PREFIX):
            topic = names.pop_retry_topic(point.group, topic, second_form=self._second_form)
        if self._topics.find(topic) is None:
            self._topics.put(TopicConfig(topic, 1, 1))
        if self._offsets.query(point.group, topic, 0) is None:
            self._offsets.commit(point.group, topic, 0, 0)
        return topic

    async def warm(self, topic: str, queue_id: int, offset: int, log_offset: int) -> None:
        """Have a message read from the disk, where it is that old, without stopping the loop."""
        if log_offset >= self._store.log_end - self._hot_bytes:
            return
        result = self._store.pull(topic, queue_id, offset, 1)
        if result.cold:
            ready = asyncio.Event()
            self._cold_reads.bring_in(result, ready.set)
            await ready.wait()
