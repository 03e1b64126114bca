"""Asks producers about half messages that stay open: rounds of checks over the half queue.

A round goes through the queue from where the last one stopped. A half message that has ended is
passed. An open one is put again at the end of the queue, with one more check counted, and then a
producer of its group is asked about the copy: so a round never has to come back to it, whatever the
answer. See `rules/transactions.py` for which ones are asked about.

A half message that gave no answer often enough is moved to TRANS_CHECK_MAX_TIME_TOPIC, where an
operator finds it and may have it checked again.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Final

from pocketmq.broker.config import TransactionsConfig
from pocketmq.broker.rules import transactions as rules
from pocketmq.broker.rules.transactions import Verdict
from pocketmq.broker.services.intake import Intake, OwnMessage, Stored
from pocketmq.broker.services.loop import Loop
from pocketmq.broker.services.transactions import TransactionService
from pocketmq.broker.state.clients import ClientTable
from pocketmq.broker.state.topics import TopicTable
from pocketmq.clock import Clock
from pocketmq.errors import Refused
from pocketmq.message.ids import offset_message_id
from pocketmq.message.properties import (
    CRC32,
    PRODUCER_GROUP,
    UNIQUE_KEY,
    WAIT,
    encode_properties,
)
from pocketmq.message.record import (
    BLANK_BYTES_MIN,
    Record,
    magic_of_topic,
    record_size,
    write_record,
)
from pocketmq.message.topics import CHECK_MAX_TOPIC, HALF_TOPIC
from pocketmq.net import Connection
from pocketmq.protocol.codes import RequestCode
from pocketmq.protocol.command import Command
from pocketmq.store import MessageStore

_log = logging.getLogger(__name__)

ROUND_MS_MAX: Final = 60_000
TRIES_MAX: Final = 3
_QUEUE: Final = 0
_PER_TURN: Final = 64
_CHUNK: Final = 32


class TransactionCheckService:
    """Runs the rounds."""

    def __init__(
        self,
        transactions: TransactionService,
        store: MessageStore,
        intake: Intake,
        clients: ClientTable,
        topics: TopicTable,
        clock: Clock,
        config: TransactionsConfig,
        *,
        broker_name: str,
        age_ms_max: int,
    ) -> None:
        self._transactions = transactions
        self._store = store
        self._intake = intake
        self._clients = clients
        self._topics = topics
        self._clock = clock
        self._age_ms_max = age_ms_max
        self.configure(config)
        self._broker_name = broker_name
        self._turn = 0
        self.asked = 0
        """How many questions producers were asked so far."""
        self._loop = Loop("transaction-checks", config.check_interval_ms, self.step, clock)

    def configure(self, config: TransactionsConfig) -> None:
        """Let other limits hold from the next half message on."""
        self._rules = rules.CheckRules(config.immunity_ms, config.checks_max, self._age_ms_max)

    def start(self) -> None:
        """Begin; the first round is one interval away."""
        self._loop.start()

    async def stop(self) -> None:
        """End after the half message at hand."""
        await self._loop.stop()

    @property
    def due_in_ms(self) -> int:
        """How long until the next round."""
        return self._loop.due_in_ms

    async def step(self) -> int:
        """One round; return how many producers were asked. Raise StoreError; then try again."""
        began_ms = self._clock.now_ms()
        ended = self._transactions.ended
        asked = 0
        offset = max(ended.first, self._store.queue_offsets(HALF_TOPIC, _QUEUE)[0])
        warm_before = offset
        looked_at = 0
        try:
            while self._clock.now_ms() - began_ms <= ROUND_MS_MAX:
                offset = ended.next_open(offset)
                entry = self._entry(offset)
                if offset >= self._store.queue_offsets(HALF_TOPIC, _QUEUE)[1]:
                    break
                looked_at += 1
                if looked_at % _PER_TURN == 0:
                    await asyncio.sleep(0)
                    continue
                if (
                    entry is not None
                    and offset >= warm_before
                    and self._transactions.is_cold(entry)
                ):
                    await self._transactions.warm(offset, _CHUNK)
                    warm_before = offset + _CHUNK
                    continue
                record = None if entry is None else self._store.decoded_record_at(entry)
                if record is None:
                    _log.error("half message is unreadable queue_offset=%d", offset)
                else:
                    done = self._look_at(record, began_ms)
                    if done is Verdict.LATER:
                        break
                    asked += done is Verdict.CHECK
                offset += 1
        finally:
            end = self._store.queue_offsets(HALF_TOPIC, _QUEUE)[1]
            self._transactions.passed(min(offset, end))
        return asked

    def resume(self, record: Record) -> None:
        """Count the checks of a half message from zero again, also of a discarded one.

        Raise Refused, StoreError.
        """
        properties = record.properties
        topic, _ = rules.target(properties)
        stored = self._put(record, HALF_TOPIC, {**properties, rules.CHECK_TIMES: "0"})
        self._transactions.copied(record, properties, stored.queue_offset)
        if record.topic == CHECK_MAX_TOPIC:
            self._transactions.begun(topic)

    # -- one half message -----------------------------------------------------------------------

    def _look_at(self, record: Record, began_ms: int) -> Verdict:
        properties = record.properties
        try:
            topic, queue_id = rules.target(properties)
        except Refused as error:
            _log.error("queue_offset=%d %s", record.queue_offset, error)
            return Verdict.DISCARD
        found = rules.verdict(
            properties,
            record.born_timestamp_ms,
            record.store_timestamp_ms,
            began_ms,
            self._clock.now_ms(),
            self._rules,
        )
        if found is Verdict.LATER:
            return found
        if self._transactions.was_delivered(record, properties, topic):
            self._transactions.found_ended(record, properties, record.queue_offset, topic)
        elif found is Verdict.DISCARD:
            self._discard(record, properties, topic)
        elif found is Verdict.RENEW:
            stored = self._put(record, HALF_TOPIC, rules.renewed(properties, record.queue_offset))
            self._transactions.copied(record, properties, stored.queue_offset)
        else:
            counted = rules.checked(properties)
            stored = self._put(record, HALF_TOPIC, counted)
            self._transactions.copied(record, properties, stored.queue_offset)
            self._ask(record, counted, stored, topic, queue_id)
        return found

    def _discard(self, record: Record, properties: dict[str, str], topic: str) -> None:
        _log.error(
            "half message is given up, see topic %s; key=%s topic=%s checks=%d",
            CHECK_MAX_TOPIC,
            properties.get(UNIQUE_KEY),
            topic,
            rules.check_times(properties),
        )
        self._topics.create(CHECK_MAX_TOPIC, 1)
        self._put(record, CHECK_MAX_TOPIC, properties)
        self._transactions.discarded(record, properties, topic)

    def _put(self, record: Record, topic: str, properties: dict[str, str]) -> Stored:
        properties.pop(CRC32, None)
        return self._intake.put(
            OwnMessage(
                topic,
                _QUEUE,
                record.body,
                properties,
                record.flag,
                record.sys_flag,
                record.born_timestamp_ms,
                record.born_host,
                record.reconsume_times,
            )
        )

    def _ask(
        self, record: Record, properties: dict[str, str], copy: Stored, topic: str, queue_id: int
    ) -> None:
        """Ask one producer; the answer comes as an ordinary end of the copy."""
        group = properties.get(PRODUCER_GROUP, "")
        connection = self._producer(group)
        if connection is None:
            _log.warning("no producer can be asked for a transaction group=%s", group)
            return
        key = properties.get(UNIQUE_KEY, "")
        fields = {
            "topic": HALF_TOPIC,
            "tranStateTableOffset": str(copy.queue_offset),
            "commitLogOffset": str(copy.log_offset),
            "msgId": key,
            "transactionId": key,
            "offsetMsgId": offset_message_id(record.store_host, copy.log_offset),
            "bname": self._broker_name,
        }
        body = _asked_about(record, properties, copy, topic, queue_id)
        self.asked += 1
        connection.notify(Command.request(RequestCode.CHECK_TRANSACTION_STATE, fields, body))

    def _producer(self, group: str) -> Connection | None:
        """A producer of the group, another one each time; one that reads its data if possible."""
        members = self._clients.producers(group)
        self._turn += 1
        usable = None
        for number in range(min(len(members), TRIES_MAX)):
            connection = members[(self._turn + number) % len(members)].connection
            if connection.is_open:
                if not connection.is_congested:
                    return connection
                usable = connection
        return usable

    def _entry(self, queue_offset: int) -> int | None:
        entry = self._store.entry_of(HALF_TOPIC, _QUEUE, queue_offset)
        return None if entry is None else entry[0]


def _asked_about(
    record: Record, properties: dict[str, str], copy: Stored, topic: str, queue_id: int
) -> bytes:
    """The half message as its producer sent it, in the form of a stored record."""
    raw = encode_properties({**properties, WAIT: "false"}).encode("utf-8", "surrogatepass")
    name = topic.encode()
    hosts = len(record.born_host) + len(record.store_host)
    magic = magic_of_topic(topic)
    size = record_size(magic, hosts, len(record.body), len(name), len(raw))
    target = bytearray(size + BLANK_BYTES_MIN)
    written = write_record(
        target,
        0,
        len(target),
        copy.log_offset,
        copy.queue_offset,
        record.store_timestamp_ms,
        magic,
        queue_id,
        record.flag,
        record.sys_flag,
        record.born_timestamp_ms,
        record.born_host,
        record.store_host,
        record.reconsume_times,
        record.prepared_offset,
        record.body,
        record.body_crc,
        name,
        raw,
    )
    return bytes(target[:written])
