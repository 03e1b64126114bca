"""The name server's settings, grouped; RocketMQ's property names are aliases."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pocketmq.net import ListenConfig
from pocketmq.settings import group, setting


@dataclass(frozen=True, slots=True)
class RoutingConfig:
    """What is told to whom. Operators may change these while the name server runs."""

    order_topics: bool = setting(
        False, "Tell clients the order configuration of a topic.", alias="orderMessageEnable"
    )
    return_order_topics: bool = setting(
        True,
        "Tell brokers the order configuration of all topics when they register.",
        alias="returnOrderTopicConfigToBroker",
    )
    acting_master: bool = setting(
        False,
        "Show the smallest replica as master while a broker has none.",
        alias="supportActingMaster",
    )
    delete_unregistered_topics: bool = setting(
        False,
        "Forget a broker's topics that its registration does not name.",
        alias="deleteTopicWithBrokerRegistration",
    )
    notify_min_broker_id: bool = setting(
        False,
        "Tell the replicas of a broker when their smallest id changes.",
        alias="notifyMinBrokerIdChanged",
    )
    list_all_topics: bool = setting(
        True, "Answer requests for all topics.", alias="enableAllTopicList"
    )
    list_topics: bool = setting(
        True, "Answer requests for the topics of a cluster or unit.", alias="enableTopicList"
    )
    wait_for_service: bool = setting(
        False, "Answer no route before brokers had time to register.", alias="needWaitForService"
    )
    wait_for_service_seconds: int = setting(
        45, "How long that is.", alias="waitSecondsForService", minimum=0
    )


@dataclass(frozen=True, slots=True)
class LivenessConfig:
    """When a silent broker is forgotten."""

    scan_interval_ms: int = setting(
        5000,
        "How often silent brokers are looked for.",
        alias="scanNotActiveBrokerInterval",
        minimum=10,
    )
    timeout_ms: int = setting(
        120_000,
        "Silence after which a broker is forgotten, unless it asks for another limit.",
        minimum=1000,
    )


@dataclass(frozen=True, slots=True)
class LimitsConfig:
    """How much is remembered at most."""

    brokers_max: int = setting(10_000, "Registered brokers, replicas included.", minimum=1)
    topics_max: int = setting(1_000_000, "Topics.", minimum=1)
    kv_entries_max: int = setting(100_000, "Key-value settings.", minimum=1)


@dataclass(frozen=True, slots=True)
class NameServerConfig:
    """Everything a name server can be told."""

    listen: ListenConfig = group(ListenConfig, port=9876)
    routing: RoutingConfig = group(RoutingConfig)
    liveness: LivenessConfig = group(LivenessConfig)
    limits: LimitsConfig = group(LimitsConfig)
    kv_path: Path | None = setting(
        None, "File of the key-value settings; without one they are lost.", alias="kvConfigPath"
    )
    protected_settings: str = setting(
        "configBlackList;configStorePath;kvConfigPath",
        "Settings, split by `;`, that requests may not change.",
        alias="configBlackList",
    )
