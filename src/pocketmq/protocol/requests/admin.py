"""Operator requests that fit no other conversation: settings, statistics, users, replicas."""

from __future__ import annotations

from typing import Annotated, NamedTuple

from pocketmq.message.positions import LogOffset
from pocketmq.protocol.fields import I64, wire


class BrokerConfigReply(NamedTuple):
    """Header of the answer to GET_BROKER_CONFIG (26): a data version as JSON text."""

    version: str


class BrokerStatsRequest(NamedTuple):
    """Header of VIEW_BROKER_STATS_DATA (315)."""

    stats_name: str
    stats_key: str


class ExportConfigRequest(NamedTuple):
    """Header of EXPORT_ROCKSDB_CONFIG_TO_JSON (355)."""

    config_type: str


class ReadModeRequest(NamedTuple):
    """Header of SET_COMMITLOG_READ_MODE (2004): `0` reads ahead, `1` does not."""

    read_ahead_mode: Annotated[str, wire("READ_AHEAD_MODE")]


class ReplicationPeer(NamedTuple):
    """Header of EXCHANGE_BROKER_HA_INFO (906) and of its answer."""

    master_ha_address: str | None = None
    master_flush_offset: LogOffset | None = None
    master_address: str | None = None


class ResetMasterFlushRequest(NamedTuple):
    """Header of RESET_MASTER_FLUSH_OFFSET (908)."""

    master_flush_offset: LogOffset


class UserRequest(NamedTuple):
    """Header of AUTH_CREATE_USER to AUTH_GET_USER (3001 to 3004)."""

    username: str | None = None


class ListUsersRequest(NamedTuple):
    """Header of AUTH_LIST_USER (3005)."""

    filter: str | None = None


class AclRequest(NamedTuple):
    """Header of AUTH_CREATE_ACL, AUTH_UPDATE_ACL and AUTH_GET_ACL (3006, 3007, 3009)."""

    subject: str | None = None


class DeleteAclRequest(NamedTuple):
    """Header of AUTH_DELETE_ACL (3008); without a resource the whole policy goes."""

    subject: str | None = None
    policy_type: str | None = None
    resource: str | None = None


class ListAclsRequest(NamedTuple):
    """Header of AUTH_LIST_ACL (3010)."""

    subject_filter: str | None = None
    resource_filter: str | None = None


class FiguresRequest(NamedTuple):
    """Header of COLLECT_FIGURES (990001): which rows, and how many of them to pass over."""

    section: str
    start: I64 = 0
