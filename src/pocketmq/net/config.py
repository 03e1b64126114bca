"""Limits and addresses of a listening socket."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ListenConfig:
    """How a server listens and what one connection may cost."""

    host: str = "127.0.0.1"
    port: int = 0
    backlog: int = 1024
    connections_max: int = 20_000
    frame_bytes_max: int = 16 * 1024 * 1024
    requests_in_flight_max: int = 4096
    write_buffer_pause_bytes: int = 1024 * 1024
    write_buffer_bytes_max: int = 64 * 1024 * 1024
    idle_timeout_seconds: int = 120
    tls_mode: str = "permissive"
    tls_certificate: str = ""
    tls_key: str = ""
    tls_key_password: str = ""
    tls_trust: str = ""
    tls_client_auth: str = "none"
