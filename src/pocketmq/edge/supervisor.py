"""Keeps the edge running in a process of its own, as long as this one lives.

Whoever starts it owns the listening socket and hands it on, so that a busy port is known at once,
and browsers wait instead of failing while the edge starts, or starts again. The child reads its
settings from a pipe. That pipe stays open: when it ends, for whatever reason, so does the child.

One thread starts the child and waits for it; it does nothing else, and never computes.
"""

from __future__ import annotations

import asyncio
import json
import logging
import socket
import subprocess
import threading
from collections.abc import Mapping, Sequence
from typing import Any, Final

from pocketmq.clock import SystemClock

_log = logging.getLogger(__name__)
_CLOCK: Final = SystemClock()

BACKOFF_SECONDS: Final = (1.0, 2.0, 5.0, 15.0, 60.0)
_STEADY_SECONDS: Final = 60.0
_STOP_SECONDS: Final = 4.0


class EdgeSupervisor:
    """Starts a command with a socket and a document, again and again until stopped.

    It is an app: `start` and `stop`.
    """

    def __init__(
        self,
        command: Sequence[str],
        listener: socket.socket,
        document: Mapping[str, Any],
        backoff_seconds: Sequence[float] = BACKOFF_SECONDS,
    ) -> None:
        self._command = [*command]
        self._listener = listener
        self._line = json.dumps({**document, "fd": listener.fileno()}).encode() + b"\n"
        self._backoff_seconds = backoff_seconds
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._thread = threading.Thread(target=self._keep, name="edge-supervisor", daemon=True)

    @property
    def process_id(self) -> int | None:
        """The child's, while it runs."""
        process = self._process
        return process.pid if process is not None else None

    async def start(self) -> None:
        """Start the child, without waiting for it."""
        self._thread.start()

    async def stop(self) -> None:
        """End the child: it is told by the end of its pipe, and killed if it does not listen."""
        await asyncio.to_thread(self._stop)

    def _stop(self) -> None:
        self._stopping.set()
        with self._lock:
            process = self._process
        if process is not None:
            assert process.stdin is not None
            process.stdin.close()
            try:
                process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                _log.warning("the console does not stop by itself; it is killed")
                process.kill()
        self._thread.join()
        self._listener.close()

    def _keep(self) -> None:
        failures = 0
        while not self._stopping.is_set():
            started = _CLOCK.monotonic()
            ended = self._run_once()
            if self._stopping.is_set():
                return
            if _CLOCK.monotonic() - started > _STEADY_SECONDS:
                failures = 0
            delay = self._backoff_seconds[min(failures, len(self._backoff_seconds) - 1)]
            failures += 1
            _log.warning("the console ended (%s); it is started again in %g s", ended, delay)
            self._stopping.wait(delay)

    def _run_once(self) -> str:
        """Start the child and wait until it ends; return how."""
        try:
            with self._lock:
                if self._stopping.is_set():
                    return "stopping"
                process = subprocess.Popen(
                    self._command, stdin=subprocess.PIPE, pass_fds=[self._listener.fileno()]
                )
                self._process = process
        except OSError as error:
            return f"it cannot be started: {error}"
        assert process.stdin is not None
        try:
            process.stdin.write(self._line)
            process.stdin.flush()
        except (OSError, ValueError):
            _log.debug("the console ended before it read its settings")
        code = process.wait()
        process.stdin.close()
        with self._lock:
            self._process = None
        return f"signal {-code}" if code < 0 else f"exit code {code}"
