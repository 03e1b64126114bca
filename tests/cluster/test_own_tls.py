"""What a server starts beside itself reaches it also when it takes TLS alone."""

from __future__ import annotations

import socket
import sys
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from tests.cluster.test_console_edge import PORTS, started, tree, wait_for
from tests.support.certificates import self_signed

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="up starts no console there")


def _page(port: int) -> str:
    """The exporter's page, as soon as there is one of a broker."""

    def look() -> str:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=60) as answer:
                text: str = answer.read().decode()
        except urllib.error.URLError:
            return ""
        return text if "pocketmq_broker_up" in text else ""

    return wait_for(look)


@pytest.mark.parametrize("client_auth", ["none", "require"])
def test_exporter_and_console_trust_the_servers_own_certificate(
    tmp_path: Path, client_auth: str
) -> None:
    files = self_signed(tmp_path, name="broker.example")
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    settings = ["metricsExporterType=PROM", f"metricsPromExporterPort={port}"]
    for server, mode in (("nameserver", "permissive"), ("broker", "enforcing")):
        settings += [
            f"{server}.listen.tls_mode={mode}",
            f"{server}.listen.tls_client_auth={client_auth}",
            f"{server}.listen.tls_certificate={files / 'cert.pem'}",
            f"{server}.listen.tls_key={files / 'key.pem'}",
            f"{server}.listen.tls_trust={files / 'cert.pem'}",
        ]
    words = [word for one in settings for word in ("--set", one)]
    with started("up", *PORTS, "--console-port", "0", "--data", str(tmp_path), *words) as up:
        (line,) = [one for one in _page(port).splitlines() if one.startswith("pocketmq_broker_up")]
        assert line.endswith(" 1")
        (broker,) = tree(up.rows["console"].rstrip("/"), "/brokers")["items"]
        assert (broker["up"], broker["error"]) == (True, None)
        assert up.stop()[0] == 0
