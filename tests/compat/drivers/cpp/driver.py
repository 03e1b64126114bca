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
import zlib
from collections.abc import Callable
from typing import Any

client: Any = importlib.import_module("rocketmq.client")
native: Any = importlib.import_module("rocketmq.ffi")

Request = dict[str, Any]
ASYNC_ANSWER_SECONDS = 15.0
# Those to tell the tests of: the library gives properties by name only.
PROPERTIES = (
    *("DELAY", "REAL_TOPIC", "REAL_QID", "RETRY_TOPIC", "ORIGIN_MESSAGE_ID", "UNIQ_KEY"),
    *("TIMER_DELAY_MS", "TIMER_DELIVER_MS", "TIMER_OUT_MS", "PGROUP", "color", "number", "own"),
)


class Driver:
    """Any number of producers and consumers, worked by requests."""

    def __init__(self, name_server: str) -> None:
        self._name_server = name_server
        self._output = threading.Lock()
        self._producers: dict[str, Any] = {}
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

    def _producer(self, group: str) -> Any:
        if group not in self._producers:
            producer = client.Producer(group)
            producer.set_namesrv_addr(self._name_server)
            producer.start()
            self._producers[group] = producer
        return self._producers[group]

    def _send(self, request: Request) -> Request:
        producer = self._producer(request.get("group") or "interop_producer")
        messages = []
        for item in request["messages"]:
            message = client.Message(request["topic"])
            message.set_body(item["body"])
            if item.get("tags"):
                message.set_tags(item["tags"])
            if item.get("keys"):
                message.set_keys(item["keys"])
            if item.get("delay_level"):
                message.set_delay_time_level(item["delay_level"])
            for name, value in properties(item).items():
                message.set_property(name, value)
            messages.append((item["body"], message))
        if any(item.get("shard") for item in request["messages"]):
            return send_by_shard(producer, request, messages)
        mode = request.get("mode", "sync")
        if mode == "async":
            return send_async(producer, messages)
        if mode == "batch":
            return {"sent": [sent("", producer.send_batch([m for _, m in messages]))]}
        if mode == "oneway":
            for _, message in messages:
                producer.send_oneway(message)
            return {"sent": []}
        return {"sent": [sent(body, producer.send_sync(m)) for body, m in messages]}

    def _start_consumer(self, request: Request) -> Request:
        name = request["name"]
        broadcasting = request.get("model") == "broadcasting"
        consumer = client.PushConsumer(
            request["group"],
            orderly=request.get("listener") == "orderly",
            message_model=native.MessageModel.BROADCASTING
            if broadcasting
            else native.MessageModel.CLUSTERING,
        )
        consumer.set_namesrv_addr(self._name_server)
        consumer.set_instance_name(f"{name}_{os.getpid()}")
        # Of a larger batch the library sends all back when one is refused.
        consumer.set_message_batch_max_size(1)

        refuse: dict[str, int] = request.get("refuse", {})
        refusing = threading.Lock()

        def received(_consumer: int, handle: int) -> int:
            message = describe(client.RecvMessage(handle))
            with refusing:
                left = refuse.get(message["body"], refuse.get("*", 0))
                refuse[message["body"]] = max(left - 1, 0) if left >= 0 else left
            self._print({"event": "message", "consumer": name, "message": message})
            if request.get("stall"):
                threading.Event().wait()
            status = native._CConsumeStatus
            return int(status.RECONSUME_LATER if left else status.CONSUME_SUCCESS)

        # The package's own `subscribe` would report a refusal to the library as a success.
        tags = (request.get("tags") or "*").encode()
        native.dll.Subscribe(consumer._handle, request["topic"].encode(), tags)
        consumer._register_callback(received)
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


def send_by_shard(producer: Any, request: Request, messages: list[tuple[str, Any]]) -> Request:
    """Send the messages of one shard to one queue."""
    outcomes = []
    for item, (body, message) in zip(request["messages"], messages, strict=True):
        number = zlib.crc32(item["shard"].encode()) & 0x7FFF_FFFF
        outcomes.append(sent(body, producer.send_orderly(message, number)))
    return {"sent": outcomes}


def send_async(producer: Any, messages: list[tuple[str, Any]]) -> Request:
    """Send all messages at once and wait for their outcomes."""
    accepted: list[Request] = []
    failures: list[str] = []
    for body, message in messages:
        producer.send_async(
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


def properties(item: Request) -> dict[str, str]:
    """The properties of a message to send; the client knows levels only, but passes on any."""
    own: dict[str, str] = dict(item.get("properties", {}))
    if "delay_ms" in item:
        own["TIMER_DELAY_MS"] = str(item["delay_ms"])
    if "deliver_ms" in item:
        own["TIMER_DELIVER_MS"] = str(item["deliver_ms"])
    return own


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
        "reconsume_times": message.reconsume_times,
        "born_ms": message.born_timestamp,
        "stored_ms": message.store_timestamp,
        "heard_ms": time.time() * 1000,
        "properties": {name: text(value) for name in PROPERTIES if (value := message[name])},
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
