"""The command line as people meet it: in a terminal of its own, in a pipe, and interrupted."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import shlex
import shutil
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable

import pytest
from tests.support.access import INIT_USER, ROOT

from pocketmq.testing import LocalBroker, broker

WITHIN_SECONDS = 60
COLUMNS, LINES = 80, 24

pytestmark = pytest.mark.timeout(120)


class Terminal:
    """A command in a terminal of 80 columns."""

    def __init__(self, rocketmq: LocalBroker, *words: str, **environment: str) -> None:
        self._here, there = pty.openpty()
        size = struct.pack("HHHH", LINES, COLUMNS, 0, 0)
        fcntl.ioctl(there, termios.TIOCSWINSZ, size)
        self._process = subprocess.Popen(
            [sys.executable, "-m", "pocketmq", *words],
            stdin=there,
            stdout=there,
            stderr=there,
            env={**_environment(rocketmq), "TERM": "xterm-256color", **environment},
            start_new_session=True,
        )
        os.close(there)
        self.seen = ""

    def until(self, condition: Callable[[str], object]) -> str:
        """Everything seen, as soon as that is as wanted."""
        deadline = time.monotonic() + WITHIN_SECONDS
        while not condition(self.seen):
            assert time.monotonic() < deadline, self.seen
            if not self._read():
                assert condition(self.seen), self.seen
        return self.seen

    def _read(self) -> bool:
        """Take in what is there; False at the end."""
        if not select.select([self._here], [], [], 0.2)[0]:
            return True
        try:
            data = os.read(self._here, 65_536)
        except OSError:  # so Linux says that the other side has closed
            return False
        self.seen += data.decode()
        return bool(data)

    def type(self, text: str) -> None:
        os.write(self._here, text.encode())

    def interrupt(self) -> None:
        self._process.send_signal(signal.SIGINT)

    def end(self) -> tuple[int, str]:
        """The exit code and everything seen."""
        while self._read():
            assert self._process.poll() is None or self._read() is not None
        code = self._process.wait(WITHIN_SECONDS)
        os.close(self._here)
        return code, self.seen.replace("\r\n", "\n")


_NOISY = ("NO_COLOR", "PYTHONASYNCIODEBUG")


def _environment(rocketmq: LocalBroker) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name not in _NOISY}
    return {**kept, "NAMESRV_ADDR": rocketmq.address, "COLUMNS": "", "LINES": ""}


def test_a_watched_table_is_drawn_again_until_ctrl_c(rocketmq: LocalBroker) -> None:
    rocketmq.topic("orders", queues=1)
    terminal = Terminal(rocketmq, "topic", "show", "orders", "--watch", "0.2")
    terminal.until(lambda seen: seen.count("every 0.2 s; Ctrl-C ends it") >= 2)
    rocketmq.send("orders", "pizza")
    terminal.until(lambda seen: " 1         1  " in seen)
    terminal.interrupt()
    code, seen = terminal.end()
    assert code == 130
    assert "Traceback" not in seen
    assert seen.startswith("\x1b[H\x1b[2J")
    assert "\x1b[1mBROKER" in seen


def test_a_terminal_that_wants_no_colours_gets_none(rocketmq: LocalBroker) -> None:
    rocketmq.topic("orders", queues=1)
    rocketmq.send("orders", "x" * 300, keys="k" * 100)
    code, seen = Terminal(rocketmq, "message", "query", "orders", NO_COLOR="1").end()
    assert code == 0
    assert "\x1b" not in seen
    assert "…" in seen
    assert max(map(len, seen.splitlines())) <= COLUMNS


def test_people_are_asked_whether_it_is_meant(rocketmq: LocalBroker) -> None:
    rocketmq.topic("orders", queues=1)
    rocketmq.send("orders", "pizza")
    terminal = Terminal(rocketmq, "topic", "delete", "orders")
    terminal.until(lambda seen: "Delete orders with all its 1 messages? [y/N]" in seen)
    terminal.type("n\n")
    assert terminal.end()[0] == 130
    assert len(rocketmq.messages("orders")) == 1
    terminal = Terminal(rocketmq, "topic", "delete", "orders")
    terminal.until(lambda seen: "[y/N]" in seen)
    terminal.type("y\n")
    code, seen = terminal.end()
    assert (code, "orders is gone from pocketmq" in seen) == (0, True)


def test_a_password_is_asked_for_twice_and_not_shown() -> None:
    settings = {"authenticationEnabled": True, "initAuthenticationUser": INIT_USER}
    keys = {"ROCKETMQ_ACCESS_KEY": ROOT.access_key, "ROCKETMQ_SECRET_KEY": ROOT.secret_key}
    with broker(settings) as guarded:
        terminal = Terminal(guarded, "user", "create", "till", **keys)
        terminal.until(lambda seen: "Password: " in seen)
        terminal.type("open sesame\n")
        terminal.until(lambda seen: "Repeat for confirmation: " in seen)
        terminal.type("open sesame\n")
        code, seen = terminal.end()
        assert (code, "till is known to pocketmq" in seen) == (0, True)
        assert "open sesame" not in seen
        code, seen = Terminal(guarded, "user", "show", "till", "--show-password", **keys).end()
    assert (code, "open sesame" in seen) == (0, True)


def test_long_work_shows_how_far_it_is(rocketmq: LocalBroker) -> None:
    rocketmq.topic("orders", queues=1)
    words = ("message", "send", "orders", "pizza", "--count", "50")
    code, seen = Terminal(rocketmq, *words).end()
    assert code == 0
    assert "█" * 24 + " 50 of 50" in seen
    assert seen.endswith("50 messages are in orders\n")
    assert len(rocketmq.messages("orders")) == 50


def test_following_a_topic_ends_in_order(rocketmq: LocalBroker) -> None:
    rocketmq.topic("orders", queues=2)
    rocketmq.send("orders", "before", tag="new")
    terminal = Terminal(rocketmq, "message", "tail", "orders", "--from", "first")
    terminal.until(lambda seen: "before" in seen)
    rocketmq.send("orders", "after")
    terminal.until(lambda seen: "after" in seen)
    terminal.interrupt()
    code, seen = terminal.end()
    assert code == 130
    assert "\x1b[32mnew\x1b[0m" in seen
    assert "Traceback" not in seen
    assert "destroyed" not in seen


def test_bash_completes_commands_flags_and_live_names(rocketmq: LocalBroker) -> None:
    if shutil.which("bash") is None:
        pytest.skip("bash is not installed here; install it to test its completion")
    rocketmq.topic("orders", queues=1)
    rocketmq.topic("ledger", queues=1)
    lines = [
        "pocketmq mess",
        "pocketmq topic sh",
        f"pocketmq topic show -n {rocketmq.address} ",
        f"pocketmq topic show -n {rocketmq.address} or",
        "pocketmq topic show -n 127.0.0.1:1 or",
        "pocketmq topic list --js",
    ]
    python = f"{shlex.quote(sys.executable)} -m pocketmq"
    script = f"""
        pocketmq() {{ {python} "$@"; }}
        source <(pocketmq completion bash)
        for COMP_LINE in "$@"; do
            COMP_POINT=${{#COMP_LINE}}
            _pocketmq_completion pocketmq
            echo "${{COMPREPLY[*]}}"
        done
    """
    ended = subprocess.run(
        ["bash", "-c", script, "bash", *lines], capture_output=True, text=True, check=True
    )
    assert ended.stderr == ""
    offered = ended.stdout.split("\n")
    assert offered[:6] == ["message", "show", "ledger orders", "orders", "", "--json"]


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_other_shells_have_a_script(rocketmq: LocalBroker, shell: str) -> None:
    code, seen = Terminal(rocketmq, "completion", shell).end()
    assert code == 0
    assert f"_POCKETMQ_COMPLETE={shell}_complete" in seen
    assert "pocketmq" in seen.splitlines()[0]


def test_a_reader_that_goes_away_is_no_error(rocketmq: LocalBroker) -> None:
    for number in range(300):
        rocketmq.topic(f"a_topic_with_a_long_name_{number}_{'x' * 90}", queues=1)
    process = subprocess.Popen(
        [sys.executable, "-m", "pocketmq", "topic", "list"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=_environment(rocketmq),
    )
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    assert process.stderr.read() == b""
    process.stderr.close()
    assert process.wait(WITHIN_SECONDS) == 141


def test_listing_topics_loads_little(rocketmq: LocalBroker) -> None:
    code = (
        "import sys\n"
        "from pocketmq.cli.main import main\n"
        "try: main(['topic', 'list'])\n"
        "except SystemExit: pass\n"
        "print(*(name for name in sys.modules), file=sys.stderr)"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code],
        env=_environment(rocketmq),
        capture_output=True,
        text=True,
        check=True,
    )
    loaded = set(ended.stderr.split())
    assert "pocketmq.admin.topics" in loaded
    for heavy in (
        "uvloop",
        "rich",
        "pocketmq.admin.messages",
        "pocketmq.broker",
        "pocketmq.client.producer",
        "pocketmq.net.server",
        "pocketmq.protocol.bodies.stats",
        "pocketmq.store",
    ):
        assert heavy not in loaded
    assert len([name for name in loaded if name.startswith("pocketmq.")]) < 70
