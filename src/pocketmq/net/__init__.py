"""The sockets. Knows commands, never topics."""

from pocketmq.net.address import Address
from pocketmq.net.config import ListenConfig
from pocketmq.net.connection import Around, Connection, Service
from pocketmq.net.dispatch import Dispatch, Handler
from pocketmq.net.rpc import RpcClient
from pocketmq.net.server import Server, bind

__all__ = [
    "Address",
    "Around",
    "Connection",
    "Dispatch",
    "Handler",
    "ListenConfig",
    "RpcClient",
    "Server",
    "Service",
    "bind",
]
