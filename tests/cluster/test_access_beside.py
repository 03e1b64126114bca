"""What a server starts beside itself signs what it asks, without showing how."""

from __future__ import annotations

import json
import socket
import sys
import urllib.error
import urllib.request
from base64 import b64encode
from pathlib import Path

import pytest
from tests.cluster.test_console_edge import PORTS, children, started, tree
from tests.cluster.test_own_tls import _page
from tests.support.access import INIT_USER

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks at /proc")

INNER = '{"accessKey":"inner","secretKey":"inner-secret"}'


def test_exporter_and_console_sign_and_their_secret_is_no_argument(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    conf = tmp_path / "broker.conf"
    settings = {
        "authenticationEnabled": "true",
        "authorizationEnabled": "true",
        "initAuthenticationUser": INIT_USER,
        "innerClientAuthenticationCredentials": INNER,
        "metricsExporterType": "PROM",
        "metricsPromExporterPort": port,
    }
    conf.write_text("".join(f"{name}={value}\n" for name, value in settings.items()))
    words = ("--console-port", "0", "--data", str(tmp_path), "-c", str(conf))
    with started("up", *PORTS, *words) as up:
        assert up.rows["access"] == "signatures and permissions are checked"
        (line,) = [one for one in _page(port).splitlines() if one.startswith("pocketmq_broker_up")]
        assert line.endswith(" 1")
        url = up.rows["console"].rstrip("/")
        with pytest.raises(urllib.error.HTTPError, match="401"):
            tree(url, "/brokers")
        request = urllib.request.Request(f"{url}/api/v1/brokers")
        request.add_header("Authorization", f"Basic {b64encode(b'root:root-secret').decode()}")
        with urllib.request.urlopen(request, timeout=60) as answer:
            (broker,) = json.loads(answer.read())["items"]
        assert (broker["up"], broker["error"]) == (True, None)
        beside = children(up.process.pid)
        assert len(beside) == 2
        for pid in beside:
            assert b"secret" not in Path(f"/proc/{pid}/cmdline").read_bytes()
        code, logs = up.stop()
    assert code == 0, logs
    assert "secret" not in logs
