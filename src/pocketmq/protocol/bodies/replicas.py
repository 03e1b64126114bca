"""Replicas of a broker: 907, 1001, 1004 and 1007."""

from __future__ import annotations

from dataclasses import dataclass, field

from pocketmq.protocol.bodies.documents import Document


@dataclass(frozen=True, slots=True)
class ReplicaConnection(Document):
    """One replica as its master sees it."""

    addr: str = ""
    slave_ack_offset: int = 0
    diff: int = 0
    in_sync: bool = False
    transferred_byte_in_second: int = 0
    transfer_from_where: int = 0


@dataclass(frozen=True, slots=True)
class ReplicaClient(Document):
    """A replica's own view of its stream."""

    master_addr: str | None = None
    transferred_byte_in_second: int = 0
    max_offset: int = 0
    last_read_timestamp: int = 0
    last_write_timestamp: int = 0
    master_flush_offset: int = 0


@dataclass(frozen=True, slots=True)
class ReplicationStatus(Document):
    """Body of the answer to GET_BROKER_HA_STATUS (907)."""

    master: bool = True
    master_commit_log_max_offset: int = 0
    in_sync_slave_nums: int = 0
    connections: tuple[ReplicaConnection, ...] = field(
        default=(), metadata={"wire": "haConnectionInfo"}
    )
    client: ReplicaClient = field(
        default=ReplicaClient(),
        metadata={"wire": "haClientRuntimeInfo"},
    )


@dataclass(frozen=True, slots=True)
class SyncStateSet(Document):
    """Which replicas hold everything: bodies of 1001, 1003, 1004 and 1008."""

    sync_state_set: tuple[int, ...] = ()
    sync_state_set_epoch: int = 0


@dataclass(frozen=True, slots=True)
class EpochEntry(Document):
    """A reign of one master."""

    epoch: int = 0
    start_offset: int = 0
    end_offset: int = 0


@dataclass(frozen=True, slots=True)
class EpochTable(Document):
    """Body of the answer to GET_BROKER_EPOCH_CACHE (1007)."""

    cluster_name: str = ""
    broker_name: str = ""
    broker_id: int = 0
    epoch_list: tuple[EpochEntry, ...] = ()
    max_offset: int = 0
