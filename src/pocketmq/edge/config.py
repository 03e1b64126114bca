"""The edge's settings: the cluster it stands in front of, and in whose name it asks."""

from __future__ import annotations

from dataclasses import dataclass

from pocketmq.settings import setting


@dataclass(frozen=True, slots=True)
class EdgeConfig:
    """Which cluster the edge is a client of."""

    name_servers: str = setting(
        "", "Name servers of the cluster, split by `;`.", environment="NAMESRV_ADDR"
    )
    access_key: str = setting("", "Signs requests, where brokers ask for that.")
    secret_key: str = setting("", "Belongs to the access key.", secret=True)
    tls: bool = setting(False, "Speak TLS with name servers and brokers.")
    tls_authorities: str = setting("", "PEM file with authorities to trust, if not the system's.")
    tls_certificate: str = setting("", "PEM file with a certificate, where servers ask for one.")
    tls_key: str = setting("", "PEM file with its private key.")
    tls_key_password: str = setting("", "Password of that key.", secret=True)
