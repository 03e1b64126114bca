"""The console's socket: where it listens, and whether it may."""

from __future__ import annotations

import socket

from pocketmq.console.config import ConsoleConfig
from pocketmq.errors import ListenFailed

_BACKLOG = 128


def listen(config: ConsoleConfig) -> socket.socket:
    """The listening socket. Raise ListenFailed, which names the address and the cure."""
    host, port = config.listen.host, config.listen.port
    try:
        found = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE | socket.AI_NUMERICSERV
        )
    except OSError as error:
        raise ListenFailed(f"the console cannot listen on {host}: {error.strerror}") from None
    family, kind, protocol, _, address = found[0]
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(_BACKLOG)
        listener.setblocking(False)
    except OSError as error:
        listener.close()
        raise ListenFailed(
            f"there is no console: {host}:{port} cannot be listened on ({error.strerror}); choose "
            "another port with --console-port PORT, or do without it with --no-console"
        ) from None
    return listener


def exposure_problem(config: ConsoleConfig) -> str | None:
    """Why it must not listen where it should: on a public address, and nobody has to log in."""
    host = config.listen.host
    if config.open_to_all or host in ("localhost", "::1") or host.startswith("127."):
        return None
    if config.broker_login or (config.users is not None and config.users.exists()):
        return None
    return (
        f"on {host} the console would be open to everybody who can reach it; make a login with "
        "`pocketmq console user add NAME`, or say --set console.open_to_all=true"
    )


def url_of(listener: socket.socket) -> str:
    """The address of the page; one that listens everywhere is shown as this machine."""
    host, port = listener.getsockname()[:2]
    if host in ("0.0.0.0", "::", ""):
        host = "127.0.0.1"
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
