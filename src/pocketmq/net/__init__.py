"""The sockets. Knows commands, never topics."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pocketmq.lazy import loader

if TYPE_CHECKING:
    from pocketmq.net.address import Address as Address
    from pocketmq.net.config import ListenConfig as ListenConfig
    from pocketmq.net.connection import Around as Around
    from pocketmq.net.connection import Connection as Connection
    from pocketmq.net.connection import Service as Service
    from pocketmq.net.dispatch import Dispatch as Dispatch
    from pocketmq.net.dispatch import Handler as Handler
    from pocketmq.net.rpc import RpcClient as RpcClient
    from pocketmq.net.server import Server as Server
    from pocketmq.net.server import bind as bind

_PLACES = {
    "Address": "pocketmq.net.address",
    "Around": "pocketmq.net.connection",
    "Connection": "pocketmq.net.connection",
    "Dispatch": "pocketmq.net.dispatch",
    "Handler": "pocketmq.net.dispatch",
    "ListenConfig": "pocketmq.net.config",
    "RpcClient": "pocketmq.net.rpc",
    "Server": "pocketmq.net.server",
    "Service": "pocketmq.net.connection",
    "bind": "pocketmq.net.server",
}

__all__ = [*_PLACES]


if not TYPE_CHECKING:
    __getattr__ = loader(__name__, _PLACES)
