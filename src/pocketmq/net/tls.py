"""TLS between a socket and a connection, without the event loop's own TLS.

A server finds out from the first byte whether a client speaks TLS (0x16) or plain frames. By then
that byte has been read, so the loop's `start_tls` cannot be used. `TlsSession` runs the handshake
and the records over memory buffers: the socket's bytes go in, a connection's bytes come out.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Callable, Iterable
from typing import Any

from pocketmq.errors import ConfigError
from pocketmq.net.config import ListenConfig
from pocketmq.net.connection import Connection

_log = logging.getLogger(__name__)

_READ_BYTES = 64 * 1024


def server_context(config: ListenConfig) -> ssl.SSLContext | None:
    """The TLS settings of a server; None when it has no certificate. Raise ConfigError."""
    if config.tls_mode == "enforcing" and not config.tls_certificate:
        raise ConfigError(
            "tls_mode is enforcing, but there is no certificate; set tls_certificate and tls_key"
        )
    if not config.tls_certificate or config.tls_mode == "disabled":
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(
            config.tls_certificate, config.tls_key or None, config.tls_key_password or None
        )
        if config.tls_trust:
            context.load_verify_locations(config.tls_trust)
    except (OSError, ssl.SSLError) as error:
        raise ConfigError(
            f"the TLS files cannot be loaded ({error}); check tls_certificate "
            f"{config.tls_certificate!r}, tls_key {config.tls_key!r} and tls_trust"
        ) from None
    context.verify_mode = {
        "none": ssl.CERT_NONE,
        "optional": ssl.CERT_OPTIONAL,
        "require": ssl.CERT_REQUIRED,
    }[config.tls_client_auth]
    return context


class TlsSession(asyncio.Protocol):
    """The protocol of a TLS socket; to the connection above it is the transport.

    `greeted` is called once: when the handshake is over, or when the peer is lost before.
    """

    def __init__(
        self,
        context: ssl.SSLContext,
        connection: Connection,
        transport: asyncio.Transport,
        greeted: Callable[[], None],
    ) -> None:
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_side=True)
        self._connection = connection
        self._transport = transport
        self._greeted = greeted
        self._established = False

    # -- towards the socket -----------------------------------------------------------------

    def data_received(self, data: bytes) -> None:
        """Decrypt and pass on."""
        self._incoming.write(data)
        try:
            if not self._established:
                self._tls.do_handshake()
                self._established = True
                self._greeted()
                self._flush()
                self._connection.connection_made(self)  # type: ignore[arg-type]
            while plain := self._tls.read(_READ_BYTES):
                self._connection.data_received(plain)
            self.close()
        except ssl.SSLWantReadError:
            self._flush()
        except ssl.SSLError as error:
            _log.info("TLS failed peer=%s reason=%s", self._connection.peer, error)
            self._flush()
            self._transport.close()

    def eof_received(self) -> bool:
        """The peer sends no more: close."""
        return False

    def connection_lost(self, exc: BaseException | None) -> None:
        """The socket is closed."""
        if self._established:
            self._connection.connection_lost(exc)
        else:
            self._greeted()

    def pause_writing(self) -> None:
        """The peer reads too slowly: stop reading from it."""
        self._connection.pause_writing()

    def resume_writing(self) -> None:
        """The peer has caught up."""
        self._connection.resume_writing()

    def _flush(self) -> None:
        pending = self._outgoing.read()
        if pending:
            self._transport.write(pending)

    # -- towards the connection: the part of a transport that it uses -----------------------

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Encrypt and send."""
        self._tls.write(data)
        self._flush()

    def writelines(self, buffers: Iterable[bytes | bytearray | memoryview]) -> None:
        """Encrypt and send several buffers."""
        for buffer in buffers:
            if len(buffer):
                self._tls.write(buffer)
        self._flush()

    def close(self) -> None:
        """Say goodbye and close after what is written has left."""
        try:
            self._tls.unwrap()
        except ssl.SSLError:
            _log.debug("TLS goodbye not completed peer=%s", self._connection.peer)
        self._flush()
        self._transport.close()

    def abort(self) -> None:
        """Close at once."""
        self._transport.abort()

    def pause_reading(self) -> None:
        """Stop reading the socket."""
        self._transport.pause_reading()

    def resume_reading(self) -> None:
        """Read the socket again."""
        self._transport.resume_reading()

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """When writing should pause."""
        self._transport.set_write_buffer_limits(high, low)

    def get_write_buffer_size(self) -> int:
        """Bytes not yet taken by the socket."""
        return self._transport.get_write_buffer_size()

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """What the socket's transport knows."""
        return self._transport.get_extra_info(name, default)
