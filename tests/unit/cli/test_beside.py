"""The console that `up` starts beside the broker: what happens when it cannot listen."""

from __future__ import annotations

import logging
import socket
import sys

import pytest

from pocketmq.cli.edge import Reaching, start_beside
from pocketmq.cli.running import Processes
from pocketmq.console.config import ConsoleConfig
from pocketmq.errors import ListenFailed
from pocketmq.settings import Entry, Resolved, resolve

OPTIONS = {"log_format": "text", "log_level": "info"}

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="up starts no console there")


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
