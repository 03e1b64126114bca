"""An operator cleans up: CLEAN_EXPIRED_CONSUMEQUEUE (306), CLEAN_UNUSED_TOPIC (316) and
DELETE_EXPIRED_COMMITLOG (329)."""

from __future__ import annotations

import logging
from collections.abc import Mapping

from pocketmq.broker.services.long_work import LongWork
from pocketmq.broker.services.retention import RetentionService
from pocketmq.broker.state.topics import TopicTable
from pocketmq.net import Connection, Handler
from pocketmq.protocol.codes import RequestCode
from pocketmq.protocol.command import Command
from pocketmq.store import MessageStore

_log = logging.getLogger(__name__)


class CleaningHandler:
    """Starts cleaning of files, whose end the answer does not wait for, and cleans topics away."""

    def __init__(
        self,
        retention: RetentionService,
        topics: TopicTable,
        store: MessageStore,
        long_work: LongWork,
    ) -> None:
        self._retention = retention
        self._topics = topics
        self._store = store
        self._long_work = long_work

    def routes(self) -> Mapping[int, Handler]:
        """Request code -> handler."""
        return {
            RequestCode.CLEAN_EXPIRED_CONSUMEQUEUE: self.clean_expired,
            RequestCode.DELETE_EXPIRED_COMMITLOG: self.clean_expired,
            RequestCode.CLEAN_UNUSED_TOPIC: self.clean_unused,
        }

    def clean_expired(self, connection: Connection, command: Command) -> Command:
        """Let expired files go at once, at whatever hour it is; queues follow the log."""
        self._retention.clean_now()
        return command.reply()

    async def clean_unused(self, connection: Connection, command: Command) -> Command:
        """Delete the queues of topics that do not exist any more."""
        async with self._long_work.steps() as steps:
            for name in self._store.topics():
                if self._topics.find(name) is None and not self._topics.is_system(name):
                    self._store.delete_topic(name)
                    _log.info("queues without a topic deleted topic=%s", name)
                await steps.pause()
        return command.reply()
