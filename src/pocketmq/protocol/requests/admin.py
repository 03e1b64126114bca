"""Operator requests that fit no other conversation: settings, statistics, users, replicas."""

from __future__ import annotations

from dataclasses import dataclass, field

from pocketmq.message.positions import LogOffset
from pocketmq.protocol.fields import wire


@dataclass(frozen=True, slots=True)
class BrokerConfigReply:
    """Header of the answer to GET_BROKER_CONFIG (26): a data version as JSON text."""

    version: str


@dataclass(frozen=True, slots=True)
class BrokerStatsRequest:
    """Header of VIEW_BROKER_STATS_DATA (315)."""

    stats_name: str
    stats_key: str


@dataclass(frozen=True, slots=True)
class ExportConfigRequest:
    """Header of EXPORT_ROCKSDB_CONFIG_TO_JSON (355)."""

    config_type: str


@dataclass(frozen=True, slots=True)
class ReadModeRequest:
    """Header of SET_COMMITLOG_READ_MODE (2004): `0` reads ahead, `1` does not."""

    read_ahead_mode: str = field(metadata=wire("READ_AHEAD_MODE"))


@dataclass(frozen=True, slots=True)
class ReplicationPeer:
    """Header of EXCHANGE_BROKER_HA_INFO (906) and of its answer."""

    master_ha_address: str | None = None
    master_flush_offset: LogOffset | None = None
    master_address: str | None = None


@dataclass(frozen=True, slots=True)
class ResetMasterFlushRequest:
    """Header of RESET_MASTER_FLUSH_OFFSET (908)."""

    master_flush_offset: LogOffset


@dataclass(frozen=True, slots=True)
class UserRequest:
    """Header of AUTH_CREATE_USER to AUTH_GET_USER (3001 to 3004)."""

    username: str | None = None


@dataclass(frozen=True, slots=True)
class ListUsersRequest:
    """Header of AUTH_LIST_USER (3005)."""

    filter: str | None = None


@dataclass(frozen=True, slots=True)
class AclRequest:
    """Header of AUTH_CREATE_ACL, AUTH_UPDATE_ACL and AUTH_GET_ACL (3006, 3007, 3009)."""

    subject: str | None = None


@dataclass(frozen=True, slots=True)
class DeleteAclRequest:
    """Header of AUTH_DELETE_ACL (3008); without a resource the whole policy goes."""

    subject: str | None = None
    policy_type: str | None = None
    resource: str | None = None


@dataclass(frozen=True, slots=True)
class ListAclsRequest:
    """Header of AUTH_LIST_ACL (3010)."""

    subject_filter: str | None = None
    resource_filter: str | None = None
