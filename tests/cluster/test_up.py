"""`pocketmq up` as a person meets it: a process, its banner, its signals, its one-line failures."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="sends POSIX signals")

FREE_PORTS = (
    *("--nameserver-port", "0", "--broker-port", "0", "--set", "fast_port_offset=0"),
    "--no-console",
)

# A start imports and opens files on the loop, about which asyncio's debug mode would complain.
QUIET = {name: value for name, value in os.environ.items() if name != "PYTHONASYNCIODEBUG"}


class Started:
    """A running `pocketmq up` whose banner has been read."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.rows: dict[str, str] = {}
        assert process.stdout is not None
        for line in process.stdout:
            if match := re.match(r"  (\S.*?)   +(\S.*)", line):
                self.rows[match[1]] = match[2]
            if "Ctrl-C" in line:
                return
        assert process.stderr is not None
        pytest.fail(f"pocketmq did not start: {process.stderr.read()}")

    @property
    def name_server(self) -> str:
        return self.rows["name server"]

    def stop(self) -> tuple[int, str]:
        """Send SIGTERM; return the exit code and the logs."""
        self.process.send_signal(signal.SIGTERM)
        _, logs = self.process.communicate()
        return self.process.returncode, logs


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "pocketmq", *arguments]


@contextmanager
def up_process(*arguments: str, **environment: str) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        command("up", *FREE_PORTS, *arguments),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**QUIET, **environment},
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


@contextmanager
def up(*arguments: str, **environment: str) -> Iterator[Started]:
    with up_process(*arguments, **environment) as process:
        yield Started(process)


def fails(*arguments: str, code: int = 2) -> str:
    """Run a command that must fail; return the one line it says."""
    done = subprocess.run(
        command(*arguments), capture_output=True, text=True, check=False, env=QUIET
    )
    assert done.returncode == code, done.stderr
    assert done.stdout == ""
    lines = [line for line in done.stderr.splitlines() if " INFO " not in line]
    assert len(lines) == 1, done.stderr
    return lines[0]


def hello(name_server: str) -> str:
    done = subprocess.run(
        command("hello", "-n", name_server, "a message"),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_one_command_takes_and_gives_back_a_message_and_stops_cleanly(tmp_path: Path) -> None:
    with up("--data", str(tmp_path)) as started:
        assert started.rows["data"] == str(tmp_path / "store")
        assert "received  'a message'" in hello(started.name_server)
        code, logs = started.stop()
    assert code == 0, logs
    assert "WARNING" not in logs
    assert "ERROR" not in logs
    assert not (tmp_path / "store" / "abort").exists()


def test_messages_outlive_the_process(tmp_path: Path) -> None:
    for expected in (0, 1):
        with up("--data", str(tmp_path)) as started:
            assert f"offset {expected} " in hello(started.name_server)
            assert started.stop()[0] == 0


def test_a_file_of_a_master_with_replicas_is_served_and_says_that_there_are_none(
    tmp_path: Path,
) -> None:
    conf = tmp_path / "broker.conf"
    conf.write_text("brokerName=a\nbrokerId=2\nbrokerRole=SYNC_MASTER\n")
    with up("--ephemeral", "-c", str(conf)) as started:
        assert "received" in hello(started.name_server)
        code, logs = started.stop()
    assert code == 0
    assert "no send waits for a replica" in logs
    assert "brokerId=2: a master is 0" in logs


def test_ephemeral_data_is_gone_at_exit() -> None:
    with up("--ephemeral") as started:
        root = Path(started.rows["data"].removesuffix(", gone at exit"))
        assert root.is_dir()
        assert "received" in hello(started.name_server)
        assert started.stop()[0] == 0
    assert not root.parent.exists()


def test_a_busy_port_is_one_line_that_names_the_flag(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        line = fails("up", "--data", str(tmp_path), "--nameserver-port", port, "--broker-port", "0")
        assert f"127.0.0.1:{port} is already in use" in line
        assert "--nameserver-port" in line
        line = fails("up", "--data", str(tmp_path), "--nameserver-port", "0", "--broker-port", port)
        assert f"127.0.0.1:{port} is already in use" in line
        assert "--broker-port" in line
    assert not (tmp_path / "store" / "abort").exists()


def test_a_host_or_a_port_that_cannot_be_is_one_line_with_its_own_cure() -> None:
    line = fails("up", "--ephemeral", *FREE_PORTS, "--host", "999.1.1.1")
    assert "999.1.1.1" in line
    assert line.endswith("choose another --host")
    line = fails("up", "--ephemeral", "--nameserver-port", "0", "--broker-port", "1")
    assert "the second port would be -1" in line
    assert "fast_port_offset=0" in line


def test_a_data_directory_in_use_is_one_line_that_names_the_cure(tmp_path: Path) -> None:
    with up("--data", str(tmp_path)) as started:
        line = fails("up", "--data", str(tmp_path), *FREE_PORTS)
        assert "is in use" in line
        assert "choose another --data directory" in line
        assert "received" in hello(started.name_server)


def test_a_data_directory_that_cannot_be_is_one_line(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("")
    line = fails("up", "--data", str(file / "below"), *FREE_PORTS)
    assert "choose another --data directory" in line


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="needs a directory nobody can write to")
@pytest.mark.parametrize("name", ["storePathRootDir", "storePathCommitLog"])
def test_a_store_path_that_cannot_be_is_one_line_that_names_it(tmp_path: Path, name: str) -> None:
    line = fails("up", "--data", str(tmp_path), *FREE_PORTS, "--set", f"{name}=/proc/nowhere")
    assert "/proc/nowhere" in line


@pytest.mark.skipif(sys.platform != "linux", reason="limits the size of files as Linux does")
def test_a_full_disk_is_one_line_and_the_next_start_works(tmp_path: Path) -> None:
    """The limit of file sizes stands in for a disk without room."""
    limited = ["/bin/sh", "-c", 'ulimit -f 4; exec "$@"', "sh"]
    start = [*command("up", "--data", str(tmp_path), *FREE_PORTS)]
    done = subprocess.run(
        [*limited, *start], capture_output=True, text=True, check=False, env=QUIET
    )
    lines = [line for line in done.stderr.splitlines() if " INFO " not in line]
    assert (done.returncode, len(lines)) == (2, 1), done.stderr
    assert "no room on the disk" in lines[0]
    with up("--data", str(tmp_path)) as started:
        assert "received" in hello(started.name_server)
        assert started.stop()[0] == 0


def test_a_message_for_nobody_says_what_to_start(tmp_path: Path) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        line = fails("hello", "-n", f"127.0.0.1:{unused.getsockname()[1]}", code=3)
    assert "cannot connect" in line


def test_hello_goes_where_the_environment_says_and_past_a_name_server_that_is_down(
    tmp_path: Path,
) -> None:
    with up("--data", str(tmp_path)) as started, socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        down = f"127.0.0.1:{unused.getsockname()[1]}"
        done = subprocess.run(
            command("hello", "a message"),
            capture_output=True, text=True, check=False,
            env={**os.environ, "NAMESRV_ADDR": f"{down};{started.name_server}"},
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        assert f"another name server, as cannot connect to {down}" in done.stdout
        assert "received  'a message'" in done.stdout


def test_json_logs_are_objects_and_replace_the_banner(tmp_path: Path) -> None:
    with up_process("--data", str(tmp_path), "--log-format", "json") as process:
        assert process.stderr is not None
        for line in process.stderr:
            if "ready" in json.loads(line)["message"]:
                break
        process.send_signal(signal.SIGINT)
        out, rest = process.communicate()
    assert out == ""
    assert all(json.loads(line)["level"] == "info" for line in rest.splitlines())
    assert process.returncode == 0


BARE_SYSTEM = """
import asyncio, builtins, ctypes, mmap, os, sys, types

for name in ("uvloop", "fcntl", "resource"):
    sys.modules[name] = None

locked = types.ModuleType("msvcrt")
locked.LK_NBLCK = 2
locked.locking = lambda descriptor, mode, count: None
sys.modules["msvcrt"] = locked

for name in (
    "fdatasync posix_fallocate posix_fadvise sched_yield sysconf SEEK_DATA SEEK_HOLE link "
    "preadv pwritev sendfile sched_getaffinity eventfd"
).split():
    if hasattr(os, name):
        delattr(os, name)
for name in [name for name in vars(mmap) if name.startswith("MADV_")]:
    delattr(mmap, name)

def missing_below(call, *roots):
    def guarded(path, *args, **more):
        if isinstance(path, (str, os.PathLike)) and os.fspath(path).startswith(roots):
            raise FileNotFoundError(2, "hidden", os.fspath(path))
        return call(path, *args, **more)
    return guarded

builtins.open = missing_below(builtins.open, "/proc", "/sys")
os.listdir = missing_below(os.listdir, "/proc", "/sys")
plain_access = os.access
os.access = lambda path, mode: os.fspath(path) != "/dev/shm" and plain_access(path, mode)

class NoLibrary(ctypes.CDLL):
    def __init__(self, name, *args, **more):
        if name is None:
            raise OSError("hidden")
        super().__init__(name, *args, **more)

ctypes.CDLL = NoLibrary
"""


def bare_system(tmp_path: Path, pure: str) -> dict[str, str]:
    """The environment of a process from which all that only Linux has is taken away."""
    hiding = tmp_path / "hiding"
    hiding.mkdir()
    (hiding / "sitecustomize.py").write_text(BARE_SYSTEM)
    return {"PYTHONPATH": str(hiding), "POCKETMQ_PURE": pure, "TMPDIR": str(tmp_path)}


@pytest.mark.parametrize(("pure", "mode"), [("1", "SYNC_FLUSH"), ("", "ASYNC_FLUSH")])
def test_nothing_needs_what_only_linux_has(tmp_path: Path, pure: str, mode: str) -> None:
    """A stand-in for other systems: what they lack is gone before anything is imported."""
    data, bare = str(tmp_path / "data"), bare_system(tmp_path, pure)
    with up("--data", data, "--set", f"flushDiskType={mode}", **bare) as started:
        assert "received" in hello(started.name_server)
        code, logs = started.stop()
        assert (code, "Error" in logs, "WARNING" in logs) == (0, False, False), logs
    assert not (Path(data) / "store" / "abort").exists()


def test_what_a_bare_system_wrote_is_found_again(tmp_path: Path) -> None:
    data, bare = str(tmp_path / "data"), bare_system(tmp_path, "")
    for _ in range(2):
        with up("--data", data, "--set", "transientStorePoolEnable=true", **bare) as started:
            said = hello(started.name_server)
            assert "received" in said
            assert started.stop()[0] == 0
    assert "offset 1 in" in said


def test_without_uvloop_the_servers_run_on_asyncio(tmp_path: Path) -> None:
    """A stand-in for systems without it: the import fails, everything else is the same."""
    (tmp_path / "uvloop.py").write_text("raise ImportError('hidden')\n")
    with up("--ephemeral", PYTHONPATH=str(tmp_path), POCKETMQ_PURE="1") as started:
        assert "received" in hello(started.name_server)
        assert started.stop()[0] == 0
