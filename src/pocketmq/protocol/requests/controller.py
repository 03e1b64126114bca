"""Conversations with a controller, which elects masters among replicas: 1001 to 1013."""

from __future__ import annotations

from typing import NamedTuple

from pocketmq.protocol.fields import I32, I64


class AlterSyncStateSetRequest(NamedTuple):
    """Header of CONTROLLER_ALTER_SYNC_STATE_SET (1001)."""

    broker_name: str
    master_broker_id: I64
    master_epoch: I32
    invoke_time: I64 = 0


class AlterSyncStateSetReply(NamedTuple):
    """Header of the answer to 1001."""

    new_sync_state_set_epoch: I32


class ElectMasterRequest(NamedTuple):
    """Header of CONTROLLER_ELECT_MASTER (1002)."""

    cluster_name: str = ""
    broker_name: str = ""
    broker_id: I64 = -1
    designate_elect: bool = False
    invoke_time: I64 = 0


class ElectMasterReply(NamedTuple):
    """Header of the answer to 1002."""

    master_broker_id: I64 | None = None
    master_address: str | None = None
    master_epoch: I32 | None = None
    sync_state_set_epoch: I32 | None = None


class RegisterReplicaRequest(NamedTuple):
    """Header of CONTROLLER_REGISTER_BROKER (1003)."""

    cluster_name: str
    broker_name: str
    broker_id: I64
    broker_address: str
    invoke_time: I64 = 0


class RegisterReplicaReply(NamedTuple):
    """Header of the answer to 1003."""

    cluster_name: str | None = None
    broker_name: str | None = None
    master_broker_id: I64 | None = None
    master_address: str | None = None
    master_epoch: I32 | None = None
    sync_state_set_epoch: I32 | None = None


class ReplicaRequest(NamedTuple):
    """Header of CONTROLLER_GET_REPLICA_INFO (1004)."""

    broker_name: str


class ReplicaReply(NamedTuple):
    """Header of the answer to 1004."""

    master_broker_id: I64 | None = None
    master_address: str | None = None
    master_epoch: I32 | None = None


class ControllerMetadataReply(NamedTuple):
    """Header of the answer to CONTROLLER_GET_METADATA_INFO (1005)."""

    group: str | None = None
    controller_leader_id: str | None = None
    controller_leader_address: str | None = None
    is_leader: bool = False
    peers: str | None = None


class RoleChangedRequest(NamedTuple):
    """Header of NOTIFY_BROKER_ROLE_CHANGED (1008), sent by the controller."""

    master_address: str | None = None
    master_epoch: I32 | None = None
    sync_state_set_epoch: I32 | None = None
    master_broker_id: I64 | None = None


class CleanBrokerDataRequest(NamedTuple):
    """Header of CLEAN_BROKER_DATA (1011)."""

    broker_name: str
    cluster_name: str | None = None
    broker_controller_ids_to_clean: str | None = None
    is_clean_living_broker: bool = False
    invoke_time: I64 = 0


class NextBrokerIdRequest(NamedTuple):
    """Header of CONTROLLER_GET_NEXT_BROKER_ID (1012)."""

    cluster_name: str
    broker_name: str


class NextBrokerIdReply(NamedTuple):
    """Header of the answer to 1012."""

    cluster_name: str
    broker_name: str
    next_broker_id: I64


class ApplyBrokerIdRequest(NamedTuple):
    """Header of CONTROLLER_APPLY_BROKER_ID (1013)."""

    cluster_name: str
    broker_name: str
    applied_broker_id: I64
    register_check_code: str | None = None


class ApplyBrokerIdReply(NamedTuple):
    """Header of the answer to 1013."""

    cluster_name: str
    broker_name: str
