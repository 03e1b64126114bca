"""The console that `up` starts beside the broker: where it listens, and whom it asks to log in."""

from __future__ import annotations

import asyncio
import logging
import socket
import sys
from typing import Any

import pytest
from tests.support.console import read_answer

from pocketmq.cli.edge import Reaching, start_beside
from pocketmq.cli.running import Processes
from pocketmq.console.config import ConsoleConfig
from pocketmq.errors import ListenFailed
from pocketmq.settings import Entry, Resolved, resolve

OPTIONS = {"log_format": "text", "log_level": "info"}

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="up starts no console there")


@pytest.mark.parametrize("said", [None, "false"])
async def test_a_console_beside_a_broker_that_asks_who_one_is_asks_too(said: str | None) -> None:
    entries = [Entry("console.listen.port", "0", "--console-port")]
    if said is not None:
        entries.append(Entry("console.broker_login", said, "--set"))
    processes = Processes()
    try:
        url = await start_beside(
            processes,
            resolve({"console": ConsoleConfig()}, entries),
            Reaching("127.0.0.1:9", guarded=True),
            OPTIONS,
        )
        session = await _session(url.rpartition("/")[2])
    finally:
        await processes.stop()
        await asyncio.get_running_loop().shutdown_default_executor()  # it waited for the child
    assert (session["auth"], session["role"]) == (
        (True, None) if said is None else (False, "admin")
    )


async def _session(address: str) -> Any:
    """What the console says of somebody who has not logged in."""
    host, _, port = address.partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    try:
        writer.write(f"GET /api/v1/session HTTP/1.1\r\nHost: {address}\r\n\r\n".encode())
        return (await read_answer(reader)).tree
    finally:
        writer.close()
        await writer.wait_closed()


async def _start(resolved: Resolved) -> str:
    processes = Processes()
    try:
        return await start_beside(processes, resolved, Reaching("127.0.0.1:9876"), OPTIONS)
    finally:
        await processes.stop()


async def test_a_busy_default_port_is_a_warning_and_one_that_was_asked_for_an_error(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as busy:
        entry = Entry("console.listen.port", str(busy.getsockname()[1]), "--console-port")
        asked_for = resolve({"console": ConsoleConfig()}, [entry])
        with pytest.raises(ListenFailed, match="--console-port PORT"):
            await _start(asked_for)
        by_default = Resolved(asked_for.configs, {}, ())
        with caplog.at_level(logging.WARNING):
            assert await _start(by_default) == ""
    (warning,) = caplog.messages
    assert "there is no console" in warning
    assert "--no-console" in warning


async def test_a_console_that_is_off_takes_no_port() -> None:
    entry = Entry("console.enabled", "false", "--no-console")
    assert await _start(resolve({"console": ConsoleConfig()}, [entry])) == ""
