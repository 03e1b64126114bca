"""Plain clients in a web server that forks: gunicorn, which loads the application beforehand."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from pocketmq.testing import broker

APPLICATION = """
import os
from pocketmq.blocking import Producer

producer = Producer({address!r}, group="shop")
producer.send("orders", "from the parent")


def application(environ, start_response):
    receipt = producer.send("orders", environ["PATH_INFO"].strip("/"))
    producer.send_soon("orders", "soon " + environ["PATH_INFO"].strip("/"))
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [f"{{os.getpid()}} {{producer.client_id}} {{receipt.message_id}}".encode()]
"""
WORKERS = 3
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="gunicorn needs fork")


@contextmanager
def gunicorn(directory: Path, address: str) -> Iterator[str]:
    """A running server; what to put before a path."""
    if not os.environ.get("CI"):
        pytest.importorskip("gunicorn", reason="pip install gunicorn")
    (directory / "shop.py").write_text(APPLICATION.format(address=address))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        os.set_inheritable(listener.fileno(), True)
        command = [
            *(sys.executable, "-m", "gunicorn", "--preload", "--workers", str(WORKERS)),
            *("--bind", f"fd://{listener.fileno()}", "--chdir", str(directory), "shop"),
        ]
        log = directory / "gunicorn.log"
        with log.open("w") as out:
            process = subprocess.Popen(
                command, pass_fds=[listener.fileno()], stdout=out, stderr=out, cwd=directory
            )
        try:
            where = f"http://127.0.0.1:{listener.getsockname()[1]}"
            yield where
        finally:
            process.send_signal(signal.SIGTERM)
            with suppress(subprocess.TimeoutExpired):
                process.wait(20)
            process.kill()
            process.wait()
    assert "Traceback" not in log.read_text(), log.read_text()


def ask(where: str) -> tuple[str, str, str]:
    """Which process answered, as which client, and the message it sent."""
    with urllib.request.urlopen(where, timeout=20) as answer:
        process, client, message = answer.read().decode().split()
    return process, client, message


@pytest.mark.timeout(90)
def test_workers_of_gunicorn_share_a_producer_that_was_used_before_the_fork(
    tmp_path: Path,
) -> None:
    answers: list[tuple[str, str, str]] = []
    with broker() as rocketmq:
        with gunicorn(tmp_path, rocketmq.address) as where:
            while len({process for process, _, _ in answers}) < WORKERS or len(answers) < 20:
                answers.append(ask(f"{where}/order-{len(answers)}"))
        sent = sorted(message.text for message in rocketmq.messages("orders"))
    clients = {(process, client) for process, client, _ in answers}
    assert len(clients) == len({client for _, client in clients}) == WORKERS
    assert len({message for _, _, message in answers}) == len(answers)
    orders = [f"order-{n}" for n in range(len(answers))]
    assert sent == sorted(["from the parent", *orders, *(f"soon {order}" for order in orders)])
