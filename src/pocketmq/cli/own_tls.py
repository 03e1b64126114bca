"""How a server's children speak with it when it refuses whoever does not speak TLS."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pocketmq.client.config import TlsConfig
    from pocketmq.net import ListenConfig

PASSWORD_VARIABLE = "POCKETMQ_TLS_KEY_PASSWORD"
"""Where a command finds the password of its key; others could see it among its arguments."""


def own_tls(listen: ListenConfig) -> TlsConfig | None:
    """What a child needs: it trusts the server's certificate, and shows it where one is asked for.

    None where plain connections are taken, too.
    """
    if listen.tls_mode != "enforcing":
        return None
    from pocketmq.client.config import TlsConfig

    if listen.tls_client_auth != "require":
        return TlsConfig(authorities=listen.tls_certificate)
    return TlsConfig(
        authorities=listen.tls_certificate,
        certificate=listen.tls_certificate,
        key=listen.tls_key,
        key_password=listen.tls_key_password,
    )


def arguments_of(tls: TlsConfig) -> list[str]:
    """The same as options of a command, but for the password."""
    files = {
        "--tls-authorities": tls.authorities,
        "--tls-certificate": tls.certificate,
        "--tls-key": tls.key,
    }
    return ["--tls", *(word for option, file in files.items() if file for word in (option, file))]
