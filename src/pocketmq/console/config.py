"""The console's settings: where it listens, and who may come in."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pocketmq.settings import group, setting


@dataclass(frozen=True, slots=True)
class ConsoleListenConfig:
    """Where browsers find the console."""

    host: str = setting("127.0.0.1", "Address the console listens on; 0.0.0.0 for all.")
    port: int = setting(
        8080, "TCP port of the console; 0 takes a free one.", minimum=0, maximum=65535
    )


@dataclass(frozen=True, slots=True)
class ConsoleConfig:
    """Everything the console can be told."""

    listen: ConsoleListenConfig = group(ConsoleListenConfig)
    enabled: bool = setting(True, "Start the console together with the broker.")
    users: Path | None = setting(
        None,
        "File of those who may log in, made by `pocketmq console user add`; while it does not "
        "exist, there is no login.",
    )
    broker_login: bool = setting(
        False,
        "Let users of the brokers log in: super users as admins, normal ones as viewers. Brokers "
        "must ask for signatures (authenticationEnabled); `up` sets it when its broker does.",
    )
    open_to_all: bool = setting(False, "Listen on a public address although nobody has to log in.")
    read_only: bool = setting(False, "Refuse every change, whoever asks.")
    host_names: tuple[str, ...] = setting(
        (), "Names under which browsers may ask for it, besides its address and localhost."
    )
    secure_cookie: bool = setting(
        False, "Mark the session's cookie Secure, as a proxy in front speaks TLS."
    )
    session_hours: int = setting(
        12, "A session ends after this long without a request.", minimum=1, maximum=24 * 30
    )
    sessions_max: int = setting(1000, "Sessions; beyond it the one unused longest ends.", minimum=1)
    viewers_max: int = setting(64, "Streams of live figures at once.", minimum=1)
    connections_max: int = setting(256, "Connections of browsers at once.", minimum=8)
    request_bytes_max: int = setting(
        8 * 1024 * 1024, "Longest body of a request; a longer one is refused.", minimum=64 * 1024
    )
    poll_interval_ms: int = setting(
        2000, "How often brokers are asked for live figures while somebody looks.", minimum=200
    )
