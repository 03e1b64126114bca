"""How a client reaches its name servers and brokers. Shared by producers and consumers.

name servers   "10.0.0.1:9876", "10.0.0.1:9876;10.0.0.2:9876" or a list; without any, the
               environment variable NAMESRV_ADDR
client id      address@instance[@unit], what operators see
"""

from __future__ import annotations

import os
import ssl
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pocketmq.errors import ConfigError
from pocketmq.net.address import Address

if TYPE_CHECKING:
    from pocketmq.security import Credentials

NameServers = str | Sequence[str]


@dataclass(frozen=True, slots=True)
class TlsConfig:
    """How connections are encrypted. Every connection of a client is, or none is."""

    authorities: str = ""
    """PEM file with the authorities to trust; the system's when empty. A server's own certificate
    may stand in it as well, whoever signed it."""
    certificate: str = ""
    """PEM file with the client's own certificate chain, if the servers ask for one."""
    key: str = ""
    """PEM file with the private key of `certificate`."""
    key_password: str = field(default="", repr=False)
    """Password of `key`."""
    verify: bool = True
    """False trusts any certificate: for tests alone."""
    verify_host_name: bool = False
    """Whether the certificate must name the host connected to. Clusters usually share one
    certificate and brokers are found by number, so this is off unless asked for."""

    def context(self) -> ssl.SSLContext:
        """The settings as the standard library wants them. Raise ConfigError."""
        context = ssl.create_default_context()
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.check_hostname = self.verify and self.verify_host_name
        context.verify_mode = ssl.CERT_REQUIRED if self.verify else ssl.CERT_NONE
        try:
            if self.authorities:
                context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
                context.load_verify_locations(self.authorities)
            if self.certificate:
                password = self.key_password or None
                context.load_cert_chain(self.certificate, self.key or None, password)
        except (OSError, ssl.SSLError) as error:
            raise ConfigError(
                f"the TLS files cannot be loaded ({error}); check authorities "
                f"{self.authorities!r}, certificate {self.certificate!r} and key {self.key!r}"
            ) from None
        return context


@dataclass(frozen=True, slots=True)
class ClientConfig:
    """Where the servers are, who we are, and how patient we are."""

    name_servers: tuple[str, ...] = ()
    """Addresses as host:port. All name servers of a cluster know the same."""
    namespace: str = ""
    """Put before every topic and group as `namespace%name`; users see names without it."""
    instance: str = "DEFAULT"
    """The instance part of the client id. DEFAULT makes one up; a name of your own keeps the
    client's identity over restarts (static membership)."""
    unit: str = ""
    """An optional last part of the client id."""
    credentials: Credentials | None = field(default=None, repr=False)
    """Who signs the requests; without them they are not signed."""
    tls: ssl.SSLContext | TlsConfig | bool = False
    """True for TLS that trusts the system's authorities."""
    connect_timeout_ms: int = 3000
    """How long opening one connection may take."""
    call_timeout_ms: int = 3000
    """How long one answer may take, where a call has no timeout of its own."""
    route_refresh_interval_ms: int = 30_000
    """How often routes are asked for again."""
    heartbeat_interval_ms: int = 30_000
    """How often brokers are told that we live."""
    routes_max: int = 10_000
    """Topics whose routes are kept; beyond it the least recently used ones go."""
    advertise_host: str = ""
    """The address in the client id and in unique keys; found out when empty."""

    @classmethod
    def of(
        cls,
        name_servers: NameServers | ClientConfig = "",
        *,
        credentials: Credentials | None = None,
        tls: ssl.SSLContext | TlsConfig | bool | None = None,
        namespace: str = "",
        instance: str = "",
    ) -> ClientConfig:
        """A config from what constructors of clients take. Raise ConfigError.

        >>> ClientConfig.of("10.0.0.1:9876;10.0.0.2:9876").name_servers
        ('10.0.0.1:9876', '10.0.0.2:9876')
        """
        if isinstance(name_servers, ClientConfig):
            if credentials or tls is not None or namespace or instance:
                raise ConfigError(
                    "credentials, tls, namespace and instance belong into the ClientConfig "
                    "when one is given; use dataclasses.replace to change it"
                )
            return name_servers
        return cls(
            parse_name_servers(name_servers),
            namespace=namespace,
            instance=instance or "DEFAULT",
            credentials=credentials,
            tls=False if tls is None else tls,
        )

    def tls_context(self) -> ssl.SSLContext | None:
        """What connections are opened with; None for plain ones. Raise ConfigError."""
        if self.tls is True:
            return TlsConfig().context()
        if self.tls is False:
            return None
        return self.tls.context() if isinstance(self.tls, TlsConfig) else self.tls


def parse_name_servers(given: NameServers) -> tuple[str, ...]:
    """The addresses in a text or a list; the environment's when there are none.

    Raise ConfigError, which says how to write them.

    >>> parse_name_servers(["a:1", "b:2"])
    ('a:1', 'b:2')
    """
    texts = [given] if isinstance(given, str) else list(given)
    if not any(text.strip() for text in texts):
        texts = [os.environ.get("NAMESRV_ADDR", "")]
    parts = [part.strip() for text in texts for part in text.replace(",", ";").split(";")]
    found = tuple(dict.fromkeys(part for part in parts if part))
    if not found:
        raise ConfigError(
            "no name server is given; pass its address, as in Producer('127.0.0.1:9876'), "
            "or set NAMESRV_ADDR"
        )
    for address in found:
        try:
            Address.parse(address)
        except ValueError as error:
            raise ConfigError(f"name server {error}") from None
    return found
