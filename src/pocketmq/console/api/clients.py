"""Clients: who is connected, and what they do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from pocketmq.admin.clients import Client
from pocketmq.console.api.paging import page_field, size_field, slice_of
from pocketmq.console.desk import Desk
from pocketmq.console.endpoints import Noun
from pocketmq.console.shapes import field_of

clients = Noun("Clients")


@dataclass(frozen=True, slots=True)
class RolePicture:
    """What a client does, in which group."""

    kind: str
    group: str


@dataclass(frozen=True, slots=True)
class ClientPicture:
    """One connected client. `updated_ms` null: brokers do not tell."""

    client_id: str
    address: str
    language: str
    version: int
    version_name: str
    roles: tuple[RolePicture, ...]
    updated_ms: int | None

    @classmethod
    def of(cls, client: Client) -> ClientPicture:
        """A client as it is shown."""
        return cls(
            client.client_id,
            client.address,
            client.language,
            client.version,
            client.version_name,
            tuple(RolePicture(role.kind, role.group) for role in client.roles),
            client.updated_ms or None,
        )


@dataclass(frozen=True, slots=True)
class ClientsQuery:
    """Which clients."""

    q: str = field_of("", "A part of the id, the address or a group, in any case.")
    kind: Literal["all", "consumer", "producer"] = field_of("all", "What they do.")
    page: int = page_field()
    size: int = size_field()


@dataclass(frozen=True, slots=True)
class ClientPage:
    """A page of clients."""

    items: tuple[ClientPicture, ...]
    total: int
    page: int
    size: int


@clients.get("/clients")
async def list_clients(desk: Desk, query: ClientsQuery) -> ClientPage:
    """A page of the connected clients."""
    part = query.q.lower()
    found = [
        client
        for client in await desk.live.all_clients()
        if (query.kind == "all" or any(role.kind == query.kind for role in client.roles))
        and (
            part in client.client_id.lower()
            or part in client.address.lower()
            or any(part in role.group.lower() for role in client.roles)
        )
    ]
    page = slice_of(found, query.page, query.size)
    items = tuple(ClientPicture.of(client) for client in page)
    return ClientPage(items, len(found), query.page, query.size)
