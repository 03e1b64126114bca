"""Limits and addresses of a listening socket."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from pocketmq.settings import setting

TlsMode = Literal["disabled", "permissive", "enforcing"]
ClientAuth = Literal["none", "optional", "require"]


@dataclass(frozen=True, slots=True)
class ListenConfig:
    """How a server listens, and what one connection may cost."""

    host: str = setting("127.0.0.1", "Address to listen on; 0.0.0.0 for all.", alias="bindAddress")
    port: int = setting(
        0,
        "TCP port to listen on; 0 takes a free one.",
        alias="listenPort",
        minimum=0,
        maximum=65535,
    )
    backlog: int = setting(
        1024, "Connections the kernel may queue.", alias="serverSocketBacklog", minimum=1
    )
    connections_max: int = setting(20_000, "Open connections; further ones are refused.", minimum=1)
    frame_bytes_max: int = setting(
        16 * 1024 * 1024,
        "Longest frame read from a peer; a longer one closes the connection.",
        alias="com.rocketmq.remoting.frameMaxLength",
        minimum=64 * 1024,
        maximum=256 * 1024 * 1024,
    )
    requests_in_flight_max: int = setting(
        4096, "Unanswered requests of one connection; at the bound it is not read from.", minimum=1
    )
    write_buffer_pause_bytes: int = setting(
        1024 * 1024, "Unread answers after which a connection is not read from.", minimum=64 * 1024
    )
    write_buffer_bytes_max: int = setting(
        64 * 1024 * 1024, "Unread answers after which a connection is cut off.", minimum=1024 * 1024
    )
    idle_timeout_seconds: int = setting(
        120,
        "A connection without a byte in either direction for this long is closed.",
        alias="serverChannelMaxIdleTimeSeconds",
        minimum=1,
    )
    tls_mode: TlsMode = setting(
        "permissive",
        "disabled refuses TLS, permissive takes TLS and plain, enforcing refuses plain.",
        alias=("tls.server.mode", "tlsMode"),
    )
    tls_certificate: str = setting(
        "", "PEM file with the server's certificate chain.", alias="tls.server.certPath"
    )
    tls_key: str = setting("", "PEM file with the private key.", alias="tls.server.keyPath")
    tls_key_password: str = setting(
        "", "Password of the private key.", alias="tls.server.keyPassword", secret=True
    )
    tls_trust: str = setting(
        "",
        "PEM file with the authorities that client certificates are checked against.",
        alias="tls.server.trustCertPath",
    )
    tls_client_auth: ClientAuth = setting(
        "none", "Whether clients must show a certificate.", alias="tls.server.need.client.auth"
    )
