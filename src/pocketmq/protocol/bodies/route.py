"""Where a topic is, and who belongs to a cluster."""

from __future__ import annotations

from dataclasses import dataclass, field

from pocketmq.protocol.bodies.documents import Document
from pocketmq.protocol.bodies.static_topics import TopicQueueMapping

MASTER_ID = 0


@dataclass(frozen=True, slots=True)
class BrokerData(Document):
    """A broker name and the addresses of its replicas by id; 0 is the master."""

    cluster: str = ""
    broker_name: str = ""
    broker_addrs: dict[int, str] = field(default_factory=dict)
    enable_acting_master: bool = False
    zone_name: str | None = None


@dataclass(frozen=True, slots=True)
class QueueData(Document):
    """How many queues of a topic a broker offers."""

    broker_name: str = ""
    read_queue_nums: int = 0
    write_queue_nums: int = 0
    perm: int = 0
    topic_sys_flag: int = 0


@dataclass(frozen=True, slots=True)
class TopicRoute(Document):
    """Body of the answer to GET_ROUTEINFO_BY_TOPIC (105), and of 217."""

    queue_datas: tuple[QueueData, ...] = ()
    broker_datas: tuple[BrokerData, ...] = ()
    filter_server_table: dict[str, tuple[str, ...]] = field(default_factory=dict)
    order_topic_conf: str | None = None
    topic_queue_mapping_by_broker: dict[str, TopicQueueMapping] | None = None


@dataclass(frozen=True, slots=True)
class ClusterTable(Document):
    """Body of the answer to GET_BROKER_CLUSTER_INFO (106)."""

    broker_addr_table: dict[str, BrokerData] = field(default_factory=dict)
    cluster_addr_table: dict[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class BrokerMembers(Document):
    """The replicas of one broker name."""

    cluster: str = ""
    broker_name: str = ""
    broker_addrs: dict[int, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class BrokerMemberGroup(Document):
    """Body of the answer to GET_BROKER_MEMBER_GROUP (901)."""

    broker_member_group: BrokerMembers | None = None
