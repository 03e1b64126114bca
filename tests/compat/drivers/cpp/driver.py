"""Works the native C++ client, through the PyPI package that bundles it, for the interop tests.

One JSON request a line on standard input, one JSON answer a line on standard output, and an event
line for each message a consumer receives. It runs in a process of its own with the package on its
path; the tests never import it.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

client: Any = importlib.import_module("rocketmq.client")
native: Any = importlib.import_module("rocketmq.ffi")

Request = dict[str, Any]
ASYNC_ANSWER_SECONDS = 15.0


class Driver:
    """One producer and any number of consumers, worked by requests."""

    def __init__(self, name_server: str) -> None:
        self._name_server = name_server
        self._output = threading.Lock()
        self._producer: Any = None
        self._consumers: dict[str, Any] = {}
        self._requests: dict[str, Callable[[Request], Request]] = {
            "send": self._send,
            "start_consumer": self._start_consumer,
            "stop_consumer": self._stop_consumer,
            "pull": self._pull,
        }

    def run(self) -> None:
        """Answer requests until standard input ends."""
        self._print({"event": "ready"})
        for line in sys.stdin:
            request = json.loads(line)
            try:
                answer = self._requests[request["do"]](request)
            except Exception as error:  # noqa: BLE001 - the test that asked must see it
                answer = {"error": f"{type(error).__name__}: {error}"}
            self._print({**answer, "id": request["id"]})

    def _print(self, line: Request) -> None:
        with self._output:
            sys.stdout.write(json.dumps(line) + "\n")
            sys.stdout.flush()

    def _send(self, request: Request) -> Request:
        if self._producer is None:
            self._producer = client.Producer("interop_producer")
            self._producer.set_namesrv_addr(self._name_server)
            self._producer.start()
        messages = []
        for item in request["messages"]:
            message = client.Message(request["topic"])
            message.set_body(item["body"])
            if item.get("tags"):
                message.set_tags(item["tags"])
            if item.get("keys"):
                message.set_keys(item["keys"])
            messages.append((item["body"], message))
        mode = request.get("mode", "sync")
        if mode == "async":
            return self._send_async(messages)
        if mode == "batch":
            return {"sent": [sent("", self._producer.send_batch([m for _, m in messages]))]}
        if mode == "oneway":
            for _, message in messages:
                self._producer.send_oneway(message)
            return {"sent": []}
        return {"sent": [sent(body, self._producer.send_sync(m)) for body, m in messages]}

    def _send_async(self, messages: list[tuple[str, Any]]) -> Request:
        accepted: list[Request] = []
        failures: list[str] = []
        for body, message in messages:
            self._producer.send_async(
                message,
                lambda result, body=body: accepted.append(sent(body, result)),
                lambda error: failures.append(str(error)),
            )
        deadline = time.monotonic() + ASYNC_ANSWER_SECONDS
        while len(accepted) + len(failures) < len(messages) and time.monotonic() < deadline:
            time.sleep(0.01)
        if len(accepted) < len(messages):
            return {"error": f"{len(accepted)} of {len(messages)} were answered: {failures}"}
        return {"sent": accepted}

    def _start_consumer(self, request: Request) -> Request:
        name = request["name"]
        broadcasting = request.get("model") == "broadcasting"
        consumer = client.PushConsumer(
            request["group"],
            message_model=native.MessageModel.BROADCASTING
            if broadcasting
            else native.MessageModel.CLUSTERING,
        )
        consumer.set_namesrv_addr(self._name_server)
        consumer.set_instance_name(f"{name}_{os.getpid()}")

        def received(message: Any) -> None:
            self._print({"event": "message", "consumer": name, "message": describe(message)})

        consumer.subscribe(request["topic"], received, request.get("tags") or "*")
        consumer.start()
        self._consumers[name] = consumer
        return {}

    def _stop_consumer(self, request: Request) -> Request:
        # The native object is kept: destroying it while its threads wind down crashes the process.
        self._consumers[request["name"]].shutdown()
        return {}

    def _pull(self, request: Request) -> Request:
        consumer = client.PullConsumer(request["group"])
        consumer.set_namesrv_addr(self._name_server)
        consumer.start()
        self._consumers["pull"] = consumer
        pulled = consumer.pull(request["topic"], request.get("tags") or "*")
        return {"messages": [describe(message) for message in pulled]}


def describe(message: Any) -> Request:
    """A received message as the tests read it."""
    return {
        "topic": message.topic,
        "body": text(message.body),
        "tags": text(message.tags),
        "keys": text(message.keys),
        "queue": message.queue_id,
        "queue_offset": message.queue_offset,
        "message_id": message.id,
    }


def sent(body: str, result: Any) -> Request:
    """A send's outcome as the tests read it."""
    status = "SEND_OK" if result.status == 0 else result.status.name
    return {
        "body": body,
        "status": status,
        "message_id": result.msg_id,
        "queue_offset": result.offset,
    }


def text(value: bytes | None) -> str | None:
    """Decode what the native client hands out."""
    return None if value is None else value.decode("utf-8")


if __name__ == "__main__":
    Driver(sys.argv[1]).run()
    # The native client's destructors race with its own threads; everything is already answered.
    os._exit(0)
