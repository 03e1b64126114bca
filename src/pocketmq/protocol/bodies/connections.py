"""Who is connected: 38, 203, 204 and 328."""

from __future__ import annotations

from dataclasses import dataclass, field

from pocketmq.protocol.bodies.documents import Document
from pocketmq.protocol.bodies.heartbeat import SubscriptionData


@dataclass(frozen=True, slots=True)
class ClientConnection(Document):
    """One connected client."""

    client_id: str = ""
    client_addr: str = ""
    language: str = "OTHER"
    version: int = 0


@dataclass(frozen=True, slots=True)
class ConsumerConnections(Document):
    """Body of the answer to GET_CONSUMER_CONNECTION_LIST (203)."""

    connection_set: tuple[ClientConnection, ...] = ()
    subscription_table: dict[str, SubscriptionData] = field(default_factory=dict)
    consume_type: str | None = None
    message_model: str | None = None
    consume_from_where: str | None = None


@dataclass(frozen=True, slots=True)
class ProducerConnections(Document):
    """Body of the answer to GET_PRODUCER_CONNECTION_LIST (204)."""

    connection_set: tuple[ClientConnection, ...] = ()


@dataclass(frozen=True, slots=True)
class ProducerClient(Document):
    """One producer in the broker's table."""

    client_id: str = ""
    remote_ip: str = field(default="", metadata={"wire": "remoteIP"})
    language: str = "OTHER"
    version: int = 0
    last_update_timestamp: int = 0


@dataclass(frozen=True, slots=True)
class ProducerTable(Document):
    """Body of the answer to GET_ALL_PRODUCER_INFO (328): group -> producers."""

    data: dict[str, tuple[ProducerClient, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ConsumerIds(Document):
    """Body of the answer to GET_CONSUMER_LIST_BY_GROUP (38)."""

    consumer_id_list: tuple[str, ...] = ()
