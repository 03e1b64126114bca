"""A driver process: an official client behind a pipe of JSON lines.

A request is `{"id": 1, "do": "send", …}`, its answer `{"id": 1, …}` or `{"id": 1, "error": "…"}`.
A message that a consumer of the driver receives arrives at any time, as
`{"event": "message", "consumer": name, "message": {…}}`.
"""

from __future__ import annotations

import json
import os
import subprocess
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import IO, Any

START_SECONDS_MAX = 90.0
ANSWER_SECONDS_MAX = 90.0
RECEIVE_SECONDS_MAX = 90.0
SETTLE_SECONDS = 0.4

Json = dict[str, Any]


class DriverFailed(AssertionError):
    """The driver answered with an error, died, or did not answer."""


class Driver:
    """One running driver. Its consumers' messages are kept in the order of their arrival."""

    def __init__(self, name: str, command: Sequence[str], home: Path) -> None:
        home.mkdir(parents=True, exist_ok=True)
        self.name = name
        self.log = home / "driver.log"
        self._log_file: IO[bytes] = self.log.open("ab")
        self._changed = threading.Condition()
        self._answers: dict[int, Json] = {}
        self._received: dict[str, list[Json]] = {}
        self._next_id = 0
        self._ready = False
        self._ended = False
        # Clients keep logs and broadcast offsets in the home directory.
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log_file,
            cwd=home,
            env={**os.environ, "HOME": str(home)},
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._stdin = self._process.stdin
        self._stdout = self._process.stdout
        self._reader = threading.Thread(target=self._read, name=f"driver-{name}", daemon=True)
        self._reader.start()
        self._wait(lambda: self._ready, START_SECONDS_MAX, "start")

    @property
    def has_ended(self) -> bool:
        """Whether the process is gone, killed or not."""
        return self._ended

    def request(self, do: str, **fields: Any) -> Json:
        """Ask the driver for something and return its answer."""
        self._next_id += 1
        request_id = self._next_id
        line = json.dumps({"id": request_id, "do": do, **fields}) + "\n"
        try:
            self._stdin.write(line.encode())
            self._stdin.flush()
        except BrokenPipeError:
            raise DriverFailed(self._explain(f"cannot take `{do}`: it has ended")) from None
        self._wait(lambda: request_id in self._answers, ANSWER_SECONDS_MAX, f"answer `{do}`")
        answer = self._answers.pop(request_id)
        if "error" in answer:
            raise DriverFailed(self._explain(f"`{do}` failed: {answer['error']}"))
        return answer

    def send(
        self, topic: str, bodies: Iterable[str], mode: str = "sync", **fields: Any
    ) -> list[Json]:
        """Send one message per body, all with the same tags and keys, and return the outcomes."""
        messages = [{"body": body, **fields} for body in bodies]
        sent: list[Json] = self.request("send", topic=topic, mode=mode, messages=messages)["sent"]
        return sent

    def start_consumer(self, name: str, group: str, topic: str, **fields: Any) -> None:
        """Start a consumer whose messages are then found under `name`."""
        self._received.setdefault(name, [])
        self.request("start_consumer", name=name, group=group, topic=topic, **fields)

    def stop_consumer(self, name: str) -> None:
        """Shut a consumer down as its client does it."""
        self.request("stop_consumer", name=name)

    def received(self, consumer: str) -> list[Json]:
        """What a consumer received so far."""
        with self._changed:
            return list(self._received.get(consumer, []))

    def bodies(self, consumer: str) -> list[str]:
        """The bodies a consumer received so far, in order."""
        return [message["body"] for message in self.received(consumer)]

    def wait_for(
        self, consumer: str, count: int, seconds: float = RECEIVE_SECONDS_MAX
    ) -> list[Json]:
        """Wait until `count` messages came, and a moment more for those that should not come."""
        self._wait_until(lambda: len(self._received.get(consumer, [])) >= count, seconds)
        self._wait_until(lambda: self._ended, SETTLE_SECONDS)
        return self.received(consumer)

    def kill(self) -> None:
        """End the driver as a crash would."""
        self._process.kill()
        self.close()

    def begin_close(self) -> None:
        """Tell the driver to shut its clients down and end, without waiting for it."""
        try:
            self._stdin.close()
        except BrokenPipeError:
            self._ended = True

    def close(self) -> None:
        """Let the driver shut its clients down, and take it away if it does not."""
        self.begin_close()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._reader.join(5)
        self._stdout.close()
        self._log_file.close()

    def _read(self) -> None:
        for raw in self._stdout:
            try:
                line = json.loads(raw)
            except ValueError:
                self._log_file.write(raw)
                continue
            with self._changed:
                self._take(line)
                self._changed.notify_all()
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def _take(self, line: Json) -> None:
        if line.get("event") == "ready":
            self._ready = True
        elif line.get("event") == "message":
            self._received.setdefault(line["consumer"], []).append(line["message"])
        else:
            self._answers[line["id"]] = line

    def _wait(self, condition: Callable[[], bool], seconds: float, what: str) -> None:
        if not self._wait_until(condition, seconds):
            raise DriverFailed(self._explain(f"did not {what} within {seconds:.0f} s"))

    def _wait_until(self, condition: Callable[[], bool], seconds: float) -> bool:
        deadline = time.monotonic() + seconds
        with self._changed:
            while not condition():
                left = deadline - time.monotonic()
                if left <= 0 or self._ended:
                    return condition()
                self._changed.wait(left)
        return True

    def _explain(self, what: str) -> str:
        tail = self.log.read_bytes()[-4000:].decode("utf-8", "replace")
        return f"driver {self.name}: {what}\n--- end of its log ---\n{tail}"
