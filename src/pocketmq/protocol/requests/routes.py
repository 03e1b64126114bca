"""The name server's conversations: routes, registration, key-value settings, topic lists."""

from __future__ import annotations

from dataclasses import dataclass

from pocketmq.protocol.fields import I32, I64


@dataclass(frozen=True, slots=True)
class RouteRequest:
    """Header of GET_ROUTEINFO_BY_TOPIC (105)."""

    topic: str
    accept_standard_json_only: bool | None = None


@dataclass(frozen=True, slots=True)
class RegisterBrokerRequest:
    """Header of REGISTER_BROKER (103). `body_crc32` 0 means that the body is not checked."""

    broker_name: str
    broker_addr: str
    cluster_name: str
    ha_server_addr: str
    broker_id: I64
    heartbeat_timeout_millis: I64 | None = None
    enable_acting_master: bool | None = None
    compressed: bool = False
    body_crc32: I32 = 0


@dataclass(frozen=True, slots=True)
class RegisterBrokerReply:
    """Header of the answer to 103; a slave learns its master's addresses here."""

    ha_server_addr: str | None = None
    master_addr: str | None = None


@dataclass(frozen=True, slots=True)
class BrokerRequest:
    """Header of UNREGISTER_BROKER (104) and QUERY_DATA_VERSION (322): which broker is speaking."""

    broker_name: str
    broker_addr: str
    cluster_name: str
    broker_id: I64


@dataclass(frozen=True, slots=True)
class DataVersionReply:
    """Header of the answer to 322."""

    changed: bool


@dataclass(frozen=True, slots=True)
class BrokerHeartbeatRequest:
    """Header of BROKER_HEARTBEAT (904); the optional fields are for controllers."""

    cluster_name: str
    broker_addr: str
    broker_name: str
    broker_id: I64 | None = None
    epoch: I32 | None = None
    max_offset: I64 | None = None
    confirm_offset: I64 | None = None
    heartbeat_timeout_mills: I64 | None = None
    election_priority: I32 | None = None


@dataclass(frozen=True, slots=True)
class BrokerMemberGroupRequest:
    """Header of GET_BROKER_MEMBER_GROUP (901)."""

    cluster_name: str
    broker_name: str


@dataclass(frozen=True, slots=True)
class MinBrokerIdChangeRequest:
    """Header of NOTIFY_MIN_BROKER_ID_CHANGE (905), sent by the name server to brokers."""

    min_broker_id: I64 | None = None
    broker_name: str | None = None
    min_broker_addr: str | None = None
    offline_broker_addr: str | None = None
    ha_broker_addr: str | None = None


@dataclass(frozen=True, slots=True)
class RegisterTopicRequest:
    """Header of REGISTER_TOPIC_IN_NAMESRV (217)."""

    topic: str


@dataclass(frozen=True, slots=True)
class DeleteTopicInNameserverRequest:
    """Header of DELETE_TOPIC_IN_NAMESRV (216); without a cluster the whole topic goes."""

    topic: str
    cluster_name: str | None = None


@dataclass(frozen=True, slots=True)
class PutKvRequest:
    """Header of PUT_KV_CONFIG (100). An absent namespace or key is refused by the handler."""

    namespace: str | None = None
    key: str | None = None
    value: str | None = None


@dataclass(frozen=True, slots=True)
class KvRequest:
    """Header of GET_KV_CONFIG (101) and DELETE_KV_CONFIG (102)."""

    namespace: str
    key: str


@dataclass(frozen=True, slots=True)
class KvReply:
    """Header of the answer to 101."""

    value: str | None = None


@dataclass(frozen=True, slots=True)
class KvNamespaceRequest:
    """Header of GET_KVLIST_BY_NAMESPACE (219)."""

    namespace: str


@dataclass(frozen=True, slots=True)
class BrokerNameRequest:
    """Header of WIPE_WRITE_PERM_OF_BROKER (205) and ADD_WRITE_PERM_OF_BROKER (327)."""

    broker_name: str


@dataclass(frozen=True, slots=True)
class WipeWritePermReply:
    """Header of the answer to 205."""

    wipe_topic_count: I32


@dataclass(frozen=True, slots=True)
class AddWritePermReply:
    """Header of the answer to 327."""

    add_topic_count: I32


@dataclass(frozen=True, slots=True)
class TopicsByClusterRequest:
    """Header of GET_TOPICS_BY_CLUSTER (224)."""

    cluster: str
