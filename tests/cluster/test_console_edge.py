"""The edge as a process: beside a broker, where `up` keeps it, and alone."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import pytest
from tests.cluster.test_up import QUIET, Started, command

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks at /proc")

T = TypeVar("T")

PORTS = ("--nameserver-port", "0", "--broker-port", "0", "--set", "fast_port_offset=0")
PRIVATE_BYTES_MAX = 60 * 1024 * 1024


@contextmanager
def started(*arguments: str) -> Iterator[Started]:
    """A process of ours whose banner has been read; killed at the end."""
    process = subprocess.Popen(
        command(*arguments), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=QUIET
    )
    with process:
        try:
            yield Started(process)
        finally:
            process.kill()


def up(*arguments: str) -> Any:
    """`pocketmq up` on free ports."""
    return started("up", *PORTS, *arguments)


def tree(url: str, path: str) -> Any:
    """The JSON document at a path of the console's API."""
    with urllib.request.urlopen(f"{url}/api/v1{path}", timeout=60) as answer:
        return json.loads(answer.read())


def wait_for(look: Callable[[], T], within_seconds: float = 60) -> T:
    """What `look` returns as soon as that is something."""
    deadline = time.monotonic() + within_seconds
    while True:
        found = look()
        if found:
            return found
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


def children(pid: int) -> list[int]:
    """The processes that a process has started."""
    text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    more = [
        path.read_text() for path in Path(f"/proc/{pid}/task").glob("*/children") if path.exists()
    ]
    return sorted({int(word) for one in (text, *more) for word in one.split()})


def is_alive(pid: int) -> bool:
    """Whether a process runs; one that waits to be buried does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def private_bytes(pid: int) -> int:
    """The memory that a process has for itself."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return 1024 * sum(int(line.split()[1]) for line in lines if line.startswith("Private_"))


def test_up_keeps_a_console_that_ends_with_it(tmp_path: Path) -> None:
    with up("--data", str(tmp_path), "--console-port", "0") as broker:
        url = broker.rows["console"]
        # It may not have started yet, but its port is open, so a browser just waits.
        assert tree(url, "/session")["name_servers"] == [broker.name_server]
        (first,) = children(broker.process.pid)
        (shown,) = tree(url, "/overview")["brokers"]
        assert shown["up"]
        assert private_bytes(first) < PRIVATE_BYTES_MAX
        for path in ("/healthz", "/metrics", "/"):
            with urllib.request.urlopen(url + path, timeout=60) as answer:
                assert answer.status == 200, path

        os.kill(first, signal.SIGKILL)
        assert tree(url, "/session")["version"]  # the next one answers
        (second,) = children(broker.process.pid)
        assert second != first

        code, logs = broker.stop()
        assert code == 0
        assert "the console ended (signal 9); it is started again" in logs
        assert "killed" not in logs.replace("signal 9", "")
    assert not is_alive(second)


def test_the_console_ends_when_its_parent_is_killed(tmp_path: Path) -> None:
    with up("--data", str(tmp_path), "--console-port", "0") as broker:
        assert tree(broker.rows["console"], "/session")["role"] == "admin"
        (child,) = children(broker.process.pid)
        broker.process.kill()
        wait_for(lambda: not is_alive(child))


def test_a_busy_port_is_one_line_with_the_cure(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as busy:
        port = str(busy.getsockname()[1])
        done = subprocess.run(
            command("up", *PORTS, "--data", str(tmp_path), "--console-port", port),
            capture_output=True,
            text=True,
            env=QUIET,
        )
    last = done.stderr.splitlines()[-1]
    assert done.returncode in (2, 3)
    assert f"127.0.0.1:{port} cannot be listened on" in last
    assert "--console-port PORT" in last
    assert "--no-console" in last


def test_what_is_not_wanted_is_not_started(tmp_path: Path) -> None:
    with up("--data", str(tmp_path), "--no-console") as broker:
        assert "console" not in broker.rows
        assert children(broker.process.pid) == []


def test_a_broker_for_everybody_keeps_its_console_to_itself(tmp_path: Path) -> None:
    arguments = ("--data", str(tmp_path), "--console-port", "0", "--host", "0.0.0.0")
    with up(*arguments) as broker:
        url = broker.rows["console"]
        assert tree(url, "/session")["auth"] is False
        port = int(url.rpartition(":")[2])
        (listening,) = [
            line.split()[1]
            for line in Path("/proc/net/tcp").read_text().splitlines()[1:]
            if line.split()[1].endswith(f":{port:04X}") and line.split()[3] == "0A"
        ]
        assert listening.startswith("0100007F:")
        _, logs = broker.stop()
        assert "the console stays on 127.0.0.1" in logs
        assert "pocketmq console user add" in logs


def test_the_edge_alone_asks_for_a_login_as_soon_as_there_is_a_user(tmp_path: Path) -> None:
    users = tmp_path / "users.json"
    with up("--data", str(tmp_path / "data"), "--no-console") as broker:
        arguments = ("edge", "-n", broker.name_server, "--port", "0", "--users", str(users))
        with started(*arguments) as edge:
            url = edge.rows["console"]
            assert tree(url, "/overview")["brokers"][0]["up"]
            add = ("console", "user", "add", "ann", "--password-file", "-", "--users", str(users))
            added = subprocess.run(
                command(*add), input="correct horse\n", text=True, capture_output=True, env=QUIET
            )
            assert (added.returncode, added.stderr) == (0, "")
            assert tree(url, "/session")["auth"] is True
            for path in ("/api/v1/overview", "/metrics"):
                with pytest.raises(urllib.error.HTTPError) as refused:
                    urllib.request.urlopen(url + path, timeout=60)
                assert refused.value.code == 401
                refused.value.close()
            listed = subprocess.run(
                command("console", "user", "list", "--json", "--users", str(users)),
                text=True,
                capture_output=True,
                env=QUIET,
            )
            assert json.loads(listed.stdout) == [{"name": "ann", "role": "admin"}]
            code, logs = edge.stop()
            assert code == 0, logs


def test_an_edge_for_everybody_needs_users() -> None:
    done = subprocess.run(
        command("edge", "-n", "127.0.0.1:9", "--host", "0.0.0.0", "--port", "0"),
        capture_output=True,
        text=True,
        env=QUIET,
    )
    assert done.returncode == 2
    assert "open to everybody" in done.stderr
    assert "pocketmq console user add" in done.stderr
