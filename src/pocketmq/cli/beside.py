"""The edge as a child of `pocketmq up`: settings come through standard input, and so does the end.

    {"fd": 5, "settings": {"edge.name_servers": "127.0.0.1:9876", ...}, "log_format": "text", ...}

When the pipe ends, the parent has ended, in order or not, and so does this process.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import sys
import threading
from typing import Any

from pocketmq.cli.logs import set_up_logs
from pocketmq.cli.running import run
from pocketmq.console.config import ConsoleConfig
from pocketmq.edge.app import EdgeApp
from pocketmq.edge.config import EdgeConfig
from pocketmq.settings import Entry, resolve

_NICER = 5
_STOP_SECONDS = 3.0


def main() -> None:
    """Run until the pipe ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, which then tells us
    document = json.loads(sys.stdin.buffer.readline())
    set_up_logs(document["log_format"], document["log_level"])
    os.nice(_NICER)  # the broker comes first
    run(_serve(document))


async def _serve(document: dict[str, Any]) -> None:
    entries = [Entry(name, value, "up") for name, value in document["settings"].items()]
    resolved = resolve({"edge": EdgeConfig(), "console": ConsoleConfig()}, entries)
    app = EdgeApp(
        resolved.config(EdgeConfig),
        resolved.config(ConsoleConfig),
        listener=socket.socket(fileno=document["fd"]),
    )
    await app.start()
    await _end_of_input()
    try:
        await asyncio.wait_for(app.stop(), _STOP_SECONDS)
    except asyncio.TimeoutError:
        os._exit(1)  # nobody is left who could end it


async def _end_of_input() -> None:
    """Wait until the parent has closed its end, or is gone."""
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()

    def wait() -> None:
        while sys.stdin.buffer.read(1024):
            pass
        loop.call_soon_threadsafe(ended.set)

    threading.Thread(target=wait, name="parent", daemon=True).start()
    await ended.wait()


if __name__ == "__main__":
    main()
