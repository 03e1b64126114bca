"""The broker's settings, grouped; RocketMQ's property names are aliases."""

from __future__ import annotations

import re
import socket
from dataclasses import dataclass
from typing import Literal

from pocketmq.broker.access_config import AccessConfig
from pocketmq.net import ListenConfig
from pocketmq.settings import group, setting
from pocketmq.store.config import StoreConfig

_LABEL = re.compile(r"[\w-]{1,63}")


def _host_name() -> str:
    return socket.gethostname().split(".")[0] or "broker"


def check_role(role: str) -> None:
    """Raise ValueError for a replica: who sets one up relies on a copy that there would not be."""
    if role == "SLAVE":
        raise ValueError(
            "cannot be served, as replication is not there yet; start an independent broker with "
            "a brokerName of its own, or leave the replica to Apache's broker"
        )


def check_host(text: str) -> None:
    """Raise ValueError for what can neither be an IP address nor a host's name."""
    labels = text.removesuffix(".").split(".")
    if ":" not in text and not all(_LABEL.fullmatch(label) for label in labels):
        raise ValueError("must be an IP address, the name of a host, or auto")


@dataclass(frozen=True, slots=True)
class IdentityConfig:
    """Who this broker is."""

    cluster: str = setting(
        "DefaultCluster", "The cluster this broker belongs to.", alias="brokerClusterName"
    )
    name: str = setting("", "The broker's name; empty takes the machine's.", alias="brokerName")
    id: int = setting(
        0, "Of a replica; a master is 0, whatever is set.", alias="brokerId", minimum=0
    )
    role: Literal["ASYNC_MASTER", "SYNC_MASTER", "SLAVE"] = setting(
        "ASYNC_MASTER",
        "A master; SLAVE is refused, as replication is not there yet.",
        alias="brokerRole",
        check=check_role,
    )
    advertise: str = setting(
        "auto",
        "Host that clients are told; auto tells each client the one it used.",
        alias="brokerIP1",
        check=check_host,
    )
    region: str = setting("DefaultRegion", "Stored with each message.", alias="regionId")

    @property
    def broker_name(self) -> str:
        """The name, or the machine's when none is set."""
        return self.name or _host_name()

    @property
    def broker_id(self) -> int:
        """The id this broker registers under."""
        return self.id if self.role == "SLAVE" else 0


@dataclass(frozen=True, slots=True)
class TopicsConfig:
    """How topics come to be."""

    auto_create: bool = setting(
        True, "Create a topic at the first send to it.", alias="autoCreateTopicEnable"
    )
    default_queue_count: int = setting(
        8,
        "Queues of TBW102, the most an auto-created topic gets.",
        alias="defaultTopicQueueNums",
        minimum=1,
        maximum=65_535,
    )
    cluster_topic: bool = setting(
        True, "Topics may be created through the cluster's name.", alias="clusterTopicEnable"
    )
    broker_topic: bool = setting(
        True, "Topics may be created through the broker's name.", alias="brokerTopicEnable"
    )
    trace_topic: bool = setting(
        False, "Create the message trace topic at start.", alias="traceTopicEnable"
    )
    trace_topic_name: str = setting("RMQ_SYS_TRACE_TOPIC", "Its name.", alias="msgTraceTopicName")
    trace_points: bool = setting(
        True,
        "Add what the broker itself knows of a message to the answer, when its trace is asked for.",
    )
    topics_max: int = setting(
        100_000, "Topics on this broker; a send that would create another is refused.", minimum=100
    )
    auto_create_groups: bool = setting(
        True, "Create a consumer group at its first use.", alias="autoCreateSubscriptionGroup"
    )
    groups_max: int = setting(100_000, "Consumer groups on this broker.", minimum=100)


@dataclass(frozen=True, slots=True)
class SendConfig:
    """What producers may do."""

    permission: int = setting(
        6, "4 read, 2 write, 6 both.", alias="brokerPermission", minimum=0, maximum=7
    )
    accept_from_ms: int = setting(
        0,
        "Sends before this time (ms since 1970) are refused.",
        alias="startAcceptSendRequestTimeStamp",
        minimum=0,
    )
    trace_on: bool = setting(
        True, "Tell producers that their sends may be traced.", alias="traceOn"
    )
    reject_transactions: bool = setting(
        False, "Refuse transactional messages.", alias="rejectTransactionMessage"
    )
    store_replies: bool = setting(
        True,
        "Store replies of the request/reply pattern too.",
        alias="storeReplyMessageEnable",
    )
    waiting_for_disk_max: int = setting(
        100_000,
        "Sends waiting for the disk in SYNC_FLUSH, looked at once a read; then SYSTEM_BUSY.",
        alias="sendThreadPoolQueueCapacity",
        minimum=1,
    )


@dataclass(frozen=True, slots=True)
class TimersConfig:
    """Messages delivered at a moment of their producer's choice."""

    enabled: bool = setting(True, "Take timed messages.", alias="timerWheelEnable")
    precision_ms: Literal[100, 200, 500, 1000] = setting(
        1000,
        "Moments are rounded to this; a full timer cannot change it.",
        alias="timerPrecisionMs",
    )
    delay_max_seconds: int = setting(
        259_200,
        "The longest delay a producer may ask for; 40 days at most.",
        alias="timerMaxDelaySec",
        minimum=1,
        maximum=40 * 86_400,
    )
    slot_messages_max: int = setting(
        2**31 - 1,
        "Above this many due at one moment some are refused, above twice as many all.",
        alias="timerCongestNumEachSlot",
        minimum=1,
        maximum=2**31 - 1,
    )
    roll_slots: int = setting(
        172_800,
        "Moments further away, in units of the precision, are approached in stages.",
        alias="timerRollWindowSlot",
        minimum=4,
        maximum=604_000,
    )
    flush_interval_ms: int = setting(
        1000, "How often the timer's files are flushed.", alias="timerFlushIntervalMs", minimum=10
    )
    recall: bool = setting(
        False, "Let producers take timed messages back.", alias="recallMessageEnable"
    )
    recall_read_only: bool = setting(
        True,
        "Let them even while the broker takes no messages.",
        alias="allowRecallWhenBrokerNotWriteable",
    )
    log_file_bytes: int = setting(
        100 * 1024 * 1024,
        "Size of a timer log file; data written with another size cannot be opened.",
        alias="mappedFileSizeTimerLog",
        minimum=1040,
        maximum=2**31 - 1,
    )


@dataclass(frozen=True, slots=True)
class TransactionsConfig:
    """How transactions are ended, and what happens to those that are not."""

    immunity_ms: int = setting(
        6000,
        "A half message is not asked about before it is this old.",
        alias="transactionTimeOut",
        minimum=0,
    )
    checks_max: int = setting(
        15,
        "How often its producer is asked, until it is given up.",
        alias="transactionCheckMax",
        minimum=1,
    )
    check_interval_ms: int = setting(
        30_000, "How often producers are asked.", alias="transactionCheckInterval", minimum=10
    )
    operation_bytes_max: int = setting(
        4096,
        "Size at which the list of ended half messages is written early.",
        alias="transactionOpMsgMaxSize",
        minimum=64,
        maximum=1024 * 1024,
    )
    operation_interval_ms: int = setting(
        3000,
        "How often the list of ended half messages is written.",
        alias="transactionOpBatchInterval",
        minimum=10,
    )


@dataclass(frozen=True, slots=True)
class PullConfig:
    """What consumers may do."""

    long_polling: bool = setting(
        True, "Hold a pull that finds nothing until a message comes.", alias="longPollingEnable"
    )
    short_polling_ms: int = setting(
        1000, "How long it is held otherwise.", alias="shortPollingTimeMills", minimum=1
    )
    hold_ms_max: int = setting(
        60_000, "Longest time a pull is held, whatever its client asks.", minimum=1
    )
    held_max: int = setting(
        100_000,
        "Pulls held at once; further ones are answered at once.",
        alias="pullThreadPoolQueueCapacity",
        minimum=1,
    )
    count_max: int = setting(
        1024, "Most messages one pull may ask for; more is cut.", minimum=1, maximum=65_536
    )
    lite: bool = setting(True, "Allow lite pulls.", alias="litePullMessageEnable")
    reject_pull_consumers: bool = setting(
        False,
        "Refuse pulls of groups that are not push consumers.",
        alias="rejectPullConsumerEnable",
    )
    property_filter: bool = setting(
        False, "Allow SQL92 subscriptions.", alias="enablePropertyFilter"
    )
    filter_retries: bool = setting(
        False,
        "Filter retry topics by the SQL92 subscription to the message's own topic.",
        alias="filterSupportRetry",
    )
    dead_filter_keep_ms: int = setting(
        86_400_000,
        "How long the SQL92 filter of a group that is gone is remembered.",
        alias="filterDataCleanTimeSpan",
        minimum=0,
    )
    broadcast_offsets: bool = setting(
        True,
        "Keep offsets of broadcast consumers behind a proxy.",
        alias="enableBroadcastOffsetStore",
    )
    broadcast_expiry_seconds: int = setting(
        120,
        "Forget such a consumer this long after its last pull.",
        alias="broadcastOffsetExpireSecond",
        minimum=1,
    )
    broadcast_online_expiry_seconds: int = setting(
        300,
        "The same while it is connected.",
        alias="broadcastOffsetExpireMaxSecond",
        minimum=1,
    )
    server_side_reset: bool = setting(
        True, "An offset reset takes effect in the broker.", alias="useServerSideResetOffset"
    )


@dataclass(frozen=True, slots=True)
class PopConfig:
    """Pop consumption: messages handed out for a time, whoever asks."""

    retry_first_percent: int = setting(
        20,
        "How many of a hundred pops look at the retry topic first; the others look there last.",
        alias="popFromRetryProbability",
        minimum=0,
        maximum=100,
    )
    second_retry_form: bool = setting(
        False,
        "Name retry topics %RETRY%group+topic instead of %RETRY%group_topic.",
        alias="enableRetryTopicV2",
    )
    read_first_retry_form: bool = setting(
        True,
        "Still hand out what is in retry topics of the first form.",
        alias="retrieveMessageFromPopRetryTopicV1",
    )
    show_retry_topic: bool = setting(
        False,
        "Hand out retried messages under their retry topic, not under their own.",
        alias="popResponseReturnActualRetryTopic",
    )
    new_group_looks_in_memory: bool = setting(
        True,
        "A group that starts at the end gets all of a queue whose first message is in memory.",
        alias="initPopOffsetByCheckMsgInMem",
    )
    waiting_per_queue_max: int = setting(
        1024,
        "Pops of one group that wait for one queue, or for any; further ones are told so.",
        alias="popPollingSize",
        minimum=1,
    )
    waiting_max: int = setting(
        100_000, "Pops that wait altogether.", alias="maxPopPollingSize", minimum=1
    )
    revive_queues: int = setting(
        8,
        "Queues that check points and acks are spread over; never make it smaller.",
        alias="reviveQueueNum",
        minimum=1,
        maximum=998,
    )
    revive_interval_ms: int = setting(
        1000,
        "How often is looked for what was popped and not acknowledged.",
        alias="reviveInterval",
        minimum=10,
    )
    limit_out: bool = setting(
        False,
        "Hand out no more of a queue to a group that has too many messages out.",
        alias="enablePopMessageThreshold",
    )
    out_max: int = setting(
        10_000,
        "More than this many messages out are too many.",
        alias="popInflightMessageThreshold",
        minimum=1,
    )
    drop_after_failures: bool = setting(
        False,
        "Give up on a message that could not be put in the retry topic 17 times.",
        alias="skipWhenCKRePutReachMaxTimes",
    )


@dataclass(frozen=True, slots=True)
class AssignmentsConfig:
    """Which consumer gets which queue, where clients leave that to the broker."""

    balance: bool = setting(
        True,
        "Share queues out among a group's members; else each gets all.",
        alias="serverLoadBalancerEnable",
    )
    mode: Literal["PULL", "POP"] = setting(
        "PULL",
        "How groups fetch messages when nothing was set for them.",
        alias="defaultMessageRequestMode",
    )
    pop_share_queues: int = setting(
        -1,
        "How many members' queues a popping member shares beside its own; 0 or less: all.",
        alias="defaultPopShareQueueNum",
    )


@dataclass(frozen=True, slots=True)
class ClientsConfig:
    """How connected clients are kept."""

    channel_expiry_ms: int = setting(
        120_000,
        "A client without a heartbeat for this long is gone.",
        alias="channelExpiredTimeout",
        minimum=1000,
    )
    popped_expiry_ms: int = setting(
        600_000,
        "How long a group counts as subscribed to a topic that it popped without heartbeats.",
        alias="subscriptionExpiredTimeout",
        minimum=1000,
    )
    scan_interval_ms: int = setting(10_000, "How often that is checked.", minimum=100)
    notify_changes: bool = setting(
        True,
        "Tell a group's consumers when one joins or leaves.",
        alias="notifyConsumerIdsChangedEnable",
    )
    lock_lease_ms: int = setting(
        60_000,
        "How long an ordered consumer holds a queue without renewing.",
        alias="rocketmq.broker.rebalance.lockMaxLiveTime",
        minimum=1000,
    )


@dataclass(frozen=True, slots=True)
class RegistrationConfig:
    """How the name servers learn of this broker."""

    name_servers: str = setting(
        "", "Name servers, split by `;`.", alias="namesrvAddr", environment="NAMESRV_ADDR"
    )
    interval_ms: int = setting(
        30_000,
        "How often this broker registers.",
        alias="registerNameServerPeriod",
        minimum=10_000,
        maximum=60_000,
    )
    timeout_ms: int = setting(
        24_000,
        "How long a name server may take to answer.",
        alias="registerBrokerTimeoutMills",
        minimum=100,
    )


@dataclass(frozen=True, slots=True)
class SavingConfig:
    """How often tables are saved."""

    offsets_interval_ms: int = setting(
        5000, "Consumer offsets.", alias="flushConsumerOffsetInterval", minimum=100
    )
    others_interval_ms: int = setting(10_000, "Everything else that changes often.", minimum=100)


@dataclass(frozen=True, slots=True)
class MetricsConfig:
    """How this broker is measured."""

    exporter: Literal["DISABLE", "PROM", "OTLP_GRPC", "LOG"] = setting(
        "DISABLE",
        "PROM starts a process that serves Prometheus; for the others see the operations guide.",
        alias="metricsExporterType",
    )
    port: int = setting(
        5557, "Where it is served.", alias="metricsPromExporterPort", minimum=0, maximum=65_535
    )
    host: str = setting(
        "", "On which address; empty takes the broker's.", alias="metricsPromExporterHost"
    )
    labels: str = setting(
        "", "More labels for all metrics: `name:value,name:value`.", alias="metricsLabel"
    )


@dataclass(frozen=True, slots=True)
class BrokerConfig:
    """Everything a broker can be told."""

    identity: IdentityConfig = group(IdentityConfig)
    listen: ListenConfig = group(ListenConfig, port=10911)
    fast_port_offset: int = setting(
        -2,
        "The second port, without pulls, is this far from the first; 0 opens none.",
        minimum=-100,
        maximum=100,
    )
    store: StoreConfig = group(StoreConfig)
    topics: TopicsConfig = group(TopicsConfig)
    send: SendConfig = group(SendConfig)
    timers: TimersConfig = group(TimersConfig)
    transactions: TransactionsConfig = group(TransactionsConfig)
    pull: PullConfig = group(PullConfig)
    pop: PopConfig = group(PopConfig)
    assignments: AssignmentsConfig = group(AssignmentsConfig)
    clients: ClientsConfig = group(ClientsConfig)
    registration: RegistrationConfig = group(RegistrationConfig)
    saving: SavingConfig = group(SavingConfig)
    metrics: MetricsConfig = group(MetricsConfig)
    access: AccessConfig = group(AccessConfig)
