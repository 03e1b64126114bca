"""Every metric there is: its name, kind, labels and what it tells.

Names and labels that start `rocketmq_` are those of Apache RocketMQ 5's own exporter, so that its
dashboards and alerts go on to work; `pocketmq_` is what only a PocketMQ broker knows of itself, and
what the collector knows of its own work. All carry `cluster`, `node_type` and `node_id`, the name
of the broker, too. `anywhere` marks what can be had from Apache's brokers as well.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

Kind = Literal["counter", "gauge", "histogram"]

BASE_LABELS: Final = ("cluster", "node_type", "node_id")


@dataclass(frozen=True, slots=True)
class Family:
    """One metric."""

    name: str
    kind: Kind
    help: str
    labels: tuple[str, ...] = ()
    anywhere: bool = False


_CATALOGUE: dict[str, Family] = {}


def _add(kind: Kind, name: str, text: str, labels: str = "", *, anywhere: bool = False) -> Family:
    family = Family(name, kind, text, tuple(labels.split()), anywhere)
    assert name not in _CATALOGUE, f"{name} is there twice"
    _CATALOGUE[name] = family
    return family


_PROGRESS: Final = "consumer_group topic is_retry is_system"

# -- traffic --------------------------------------------------------------------------------

MESSAGES_IN = _add(
    "counter", "rocketmq_messages_in_total",
    "Messages put into a topic; in front of Apache RocketMQ, since the topic was made.",
    "topic message_type is_system", anywhere=True,
)  # fmt: skip
THROUGHPUT_IN = _add(
    "counter", "rocketmq_throughput_in_total", "Bytes put into a topic.",
    "topic message_type is_system",
)  # fmt: skip
MESSAGES_OUT = _add(
    "counter", "rocketmq_messages_out_total", "Messages handed to a group.", _PROGRESS
)
THROUGHPUT_OUT = _add(
    "counter", "rocketmq_throughput_out_total", "Bytes handed to a group.", _PROGRESS
)
MESSAGE_SIZE = _add(
    "histogram", "rocketmq_message_size",
    "Bytes of messages stored, since this was first asked for; of a queue that gets more than 2,048"
    " between two scrapes, of its newest.",
    "topic message_type is_system",
)  # fmt: skip

# -- consumption ----------------------------------------------------------------------------

LAG = _add(
    "gauge", "rocketmq_consumer_lag_messages", "Messages a group has not consumed.",
    _PROGRESS, anywhere=True,
)  # fmt: skip
LAG_LATENCY = _add(
    "gauge", "rocketmq_consumer_lag_latency_milliseconds",
    "Age of the oldest message a group has not consumed.", _PROGRESS, anywhere=True,
)  # fmt: skip
IN_FLIGHT = _add(
    "gauge", "rocketmq_consumer_inflight_messages",
    "Messages that consumers hold and have not settled.", _PROGRESS, anywhere=True,
)  # fmt: skip
READY = _add(
    "gauge", "rocketmq_consumer_ready_messages", "Messages no consumer has fetched yet.",
    _PROGRESS, anywhere=True,
)  # fmt: skip
QUEUEING_LATENCY = _add(
    "gauge", "rocketmq_consumer_queueing_latency_milliseconds",
    "Age of the oldest message no consumer has fetched yet.", _PROGRESS,
)  # fmt: skip
TO_DEAD_LETTERS = _add(
    "counter", "rocketmq_send_to_dlq_messages_total", "Messages a group has given up.",
    "consumer_group topic is_system",
)  # fmt: skip
SENT_BACK = _add(
    "counter", "pocketmq_sent_back_messages_total",
    "Messages a group could not handle and sent back, dead letters among them.",
    "consumer_group topic is_system",
)  # fmt: skip

# -- clients --------------------------------------------------------------------------------

PRODUCERS = _add(
    "gauge", "rocketmq_producer_connections", "Producers that are connected.",
    "language version protocol_type", anywhere=True,
)  # fmt: skip
CONSUMERS = _add(
    "gauge", "rocketmq_consumer_connections", "Members of a consumer group that are connected.",
    "consumer_group language version consume_mode protocol_type is_system", anywhere=True,
)  # fmt: skip
CONNECTIONS = _add("gauge", "pocketmq_connections", "Open connections of all kinds.")
CLIENTS = _add("gauge", "pocketmq_clients", "Connections whose client belongs to a group.")

# -- transactions, delays, pops -------------------------------------------------------------

HALF = _add("gauge", "rocketmq_half_messages", "Transactions not yet decided.", "topic")
COMMITTED = _add("counter", "rocketmq_commit_messages_total", "Transactions committed.", "topic")
ROLLED_BACK = _add(
    "counter", "rocketmq_rollback_messages_total", "Transactions rolled back.", "topic"
)
TIMING = _add(
    "gauge", "rocketmq_timing_messages", "Timed messages that wait for their moment.", "topic"
)
TIMER_ENQUEUE_LAG = _add(
    "gauge", "rocketmq_timer_enqueue_lag", "Timed messages not yet entered in the timer.",
    anywhere=True,
)  # fmt: skip
TIMER_DEQUEUE_LATENCY = _add(
    "gauge", "rocketmq_timer_dequeue_latency_milliseconds", "How late the timer is.",
    anywhere=True,
)  # fmt: skip
TIMER_ENQUEUED = _add("counter", "rocketmq_timer_enqueue_total", "Messages entered in the timer.")
TIMER_DEQUEUED = _add("counter", "rocketmq_timer_dequeue_total", "Messages the timer delivered.")
DELAYED = _add(
    "gauge", "pocketmq_delayed_messages", "Messages that wait in a delay level.", "level",
    anywhere=True,
)  # fmt: skip
POPS_OPEN = _add(
    "gauge", "rocketmq_pop_checkpoint_buffer_size", "Pops with messages not yet acknowledged."
)

# -- store ----------------------------------------------------------------------------------

_STORED: Final = "storage_type storage_medium"
STORAGE_SIZE = _add(
    "gauge", "rocketmq_storage_size_bytes", "Bytes in use of the file system with the log.",
    _STORED, anywhere=True,
)  # fmt: skip
FLUSH_BEHIND = _add(
    "gauge", "rocketmq_storage_flush_behind_bytes", "Bytes written and not yet on the disk.",
    _STORED, anywhere=True,
)  # fmt: skip
DISPATCH_BEHIND = _add(
    "gauge", "rocketmq_storage_dispatch_behind_bytes",
    "Bytes written and not yet visible to consumers.", _STORED, anywhere=True,
)  # fmt: skip
RESERVE_TIME = _add(
    "gauge", "rocketmq_storage_message_reserve_time_milliseconds",
    "Age of the oldest message kept.", _STORED, anywhere=True,
)  # fmt: skip
DISK_TOTAL = _add(
    "gauge", "pocketmq_disk_total_bytes", "Size of the file system with the log.", anywhere=True
)
DISK_FREE = _add(
    "gauge", "pocketmq_disk_free_bytes", "Bytes free on the file system with the log.",
    anywhere=True,
)  # fmt: skip
LOG_BYTES = _add(
    "gauge", "pocketmq_commit_log_bytes", "From the first to the last byte kept.", anywhere=True
)
WRITABLE = _add(
    "gauge", "pocketmq_broker_writable", "0 while the broker refuses messages, 1 otherwise."
)

# -- the broker itself ----------------------------------------------------------------------

WATERMARK = _add(
    "gauge", "rocketmq_processor_watermark",
    "Requests that wait: `send` for the disk, `pull` for cold data.", "processor", anywhere=True,
)  # fmt: skip
PERMISSION = _add("gauge", "rocketmq_broker_permission", "4 read, 2 write, 6 both.", anywhere=True)
TOPICS = _add("gauge", "rocketmq_topic_number", "Topics of the broker.", anywhere=True)
GROUPS = _add("gauge", "rocketmq_consumer_group_number", "Groups of the broker.", anywhere=True)
PUT_LATENCY = _add(
    "histogram", "pocketmq_put_latency_milliseconds",
    "How long sends were held for the disk; without SYNC_FLUSH they are not.",
)  # fmt: skip
PUTS_FAILED = _add(
    "counter", "pocketmq_sends_refused_total", "Sends answered with an error.", anywhere=True
)
PULLS_FOUND = _add("counter", "pocketmq_pulls_found_total", "Pulls that found messages.")
PULLS_MISSED = _add("counter", "pocketmq_pulls_missed_total", "Pulls that found nothing.")
PULLS_HELD = _add("gauge", "pocketmq_pulls_held", "Pulls that wait for a message to come.")
STARTED = _add(
    "gauge", "pocketmq_broker_start_time_seconds", "When the broker started.", anywhere=True
)
CPU = _add("counter", "pocketmq_broker_cpu_seconds_total", "Processor time the broker used.")
RESIDENT = _add("gauge", "pocketmq_broker_resident_bytes", "Memory the broker holds.")
INFO = _add(
    "gauge", "pocketmq_broker_info", "1, with the broker's version and role as labels.",
    "version role", anywhere=True,
)  # fmt: skip

# -- the collector --------------------------------------------------------------------------

UP = _add(
    "gauge", "pocketmq_broker_up", "1 when the broker answered this scrape, 0 when it did not.",
    "address", anywhere=True,
)  # fmt: skip
SCRAPE_SECONDS = _add(
    "gauge", "pocketmq_scrape_seconds", "How long collecting from the broker took.",
    anywhere=True,
)  # fmt: skip
NAME_SERVER_UP = _add(
    "gauge", "pocketmq_name_server_up",
    "1 when a name server told the brokers, 0 when none did; without the base labels.",
    anywhere=True,
)  # fmt: skip

CATALOGUE: Final = tuple(_CATALOGUE.values())

LEFT_OUT: Final = {
    "rocketmq_rpc_latency_milliseconds": "requests are served many at a time, in turns of the event"
    " loop, and are not timed one by one; see `pocketmq_put_latency_milliseconds`",
    "rocketmq_topic_create_execution_time_milliseconds": "creating takes one table row",
    "rocketmq_consumer_group_create_execution_time_milliseconds": "creating takes one table row",
    "rocketmq_finish_message_latency_milliseconds": "when one began is not kept in memory",
    "rocketmq_delay_message_latency_seconds": "delays are not measured when they are set",
    "rocketmq_timer_enqueue_latency_milliseconds": "messages enter the timer in the turn they come",
    "rocketmq_timer_dequeue_lag": "what is due is delivered in the same turn",
    "rocketmq_timer_message_snapshot": "waiting messages are counted by topic, not by moment",
    "rocketmq_pop_buffer_scan_time_consume_milliseconds": "there is no buffer to scan",
    "rocketmq_pop_offset_buffer_size": "there is no such buffer",
    "rocketmq_pop_revive_in_message_total": "see `rocketmq_messages_in_total` of the revive topic",
    "rocketmq_pop_revive_out_message_total": "not counted",
    "rocketmq_pop_revive_retry_messages_total": "see `rocketmq_messages_in_total` of retry topics",
    "rocketmq_pop_revive_lag_milliseconds": "see the lag of group CID_RMQ_SYS_REVIVE_GROUP",
    "rocketmq_pop_revive_latency_milliseconds": "see the lag of group CID_RMQ_SYS_REVIVE_GROUP",
    "rocketmq_rocksdb_*": "queues are kept in RocketMQ's file format, not in RocksDB",
    "rocketmq_tiered_store_*": "there is no tiered storage yet",
}
"""Apache's metrics that are not exported, and why."""
