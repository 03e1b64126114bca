"""The name server's conversations: routes, registration, key-value settings, topic lists."""

from __future__ import annotations

from typing import NamedTuple

from pocketmq.protocol.fields import I32, I64


class RouteRequest(NamedTuple):
    """Header of GET_ROUTEINFO_BY_TOPIC (105)."""

    topic: str
    accept_standard_json_only: bool | None = None


class RegisterBrokerRequest(NamedTuple):
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


class RegisterBrokerReply(NamedTuple):
    """Header of the answer to 103; a slave learns its master's addresses here."""

    ha_server_addr: str | None = None
    master_addr: str | None = None


class BrokerRequest(NamedTuple):
    """Header of UNREGISTER_BROKER (104) and QUERY_DATA_VERSION (322): which broker is speaking."""

    broker_name: str
    broker_addr: str
    cluster_name: str
    broker_id: I64


class DataVersionReply(NamedTuple):
    """Header of the answer to 322."""

    changed: bool


class BrokerHeartbeatRequest(NamedTuple):
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


class BrokerMemberGroupRequest(NamedTuple):
    """Header of GET_BROKER_MEMBER_GROUP (901)."""

    cluster_name: str
    broker_name: str


class MinBrokerIdChangeRequest(NamedTuple):
    """Header of NOTIFY_MIN_BROKER_ID_CHANGE (905), sent by the name server to brokers."""

    min_broker_id: I64 | None = None
    broker_name: str | None = None
    min_broker_addr: str | None = None
    offline_broker_addr: str | None = None
    ha_broker_addr: str | None = None


class RegisterTopicRequest(NamedTuple):
    """Header of REGISTER_TOPIC_IN_NAMESRV (217)."""

    topic: str


class DeleteTopicInNameserverRequest(NamedTuple):
    """Header of DELETE_TOPIC_IN_NAMESRV (216); without a cluster the whole topic goes."""

    topic: str
    cluster_name: str | None = None


class PutKvRequest(NamedTuple):
    """Header of PUT_KV_CONFIG (100). An absent namespace or key is refused by the handler."""

    namespace: str | None = None
    key: str | None = None
    value: str | None = None


class KvRequest(NamedTuple):
    """Header of GET_KV_CONFIG (101) and DELETE_KV_CONFIG (102)."""

    namespace: str
    key: str


class KvReply(NamedTuple):
    """Header of the answer to 101."""

    value: str | None = None


class KvNamespaceRequest(NamedTuple):
    """Header of GET_KVLIST_BY_NAMESPACE (219)."""

    namespace: str


class BrokerNameRequest(NamedTuple):
    """Header of WIPE_WRITE_PERM_OF_BROKER (205) and ADD_WRITE_PERM_OF_BROKER (327)."""

    broker_name: str


class WipeWritePermReply(NamedTuple):
    """Header of the answer to 205."""

    wipe_topic_count: I32


class AddWritePermReply(NamedTuple):
    """Header of the answer to 327."""

    add_topic_count: I32


class TopicsByClusterRequest(NamedTuple):
    """Header of GET_TOPICS_BY_CLUSTER (224)."""

    cluster: str
