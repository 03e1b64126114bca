"""A few remoting calls made by hand, to arrange or look at things without any client.

frame length   4 bytes   of all that follows
header length  4 bytes   its highest byte is the encoding, 0 for JSON
header         JSON
body           the rest
"""

from __future__ import annotations

import json
import re
import socket
import struct
import time
from collections.abc import Callable
from typing import Any

ROUTE = 105
CLUSTER = 106
CREATE_TOPIC = 17
CREATE_GROUP = 200
QUERY_OFFSET = 14
MAX_OFFSET = 30
CONSUMERS_OF_GROUP = 38
CALL_SECONDS_MAX = 20.0
PATIENCE = 4

Header = dict[str, Any]


class CallRefused(Exception):
    """The server answered with a code other than 0."""

    def __init__(self, code: int, remark: str | None) -> None:
        super().__init__(f"code {code}: {remark}")
        self.code = code


def call(
    address: str, code: int, fields: dict[str, str], body: bytes = b"", language: str = "OTHER"
) -> tuple[Header, bytes]:
    """Make one call on a connection of its own; return the answer's header and body."""
    header = json.dumps(
        {
            "code": code,
            "flag": 0,
            "language": language,
            "opaque": 1,
            "version": 479,
            "serializeTypeCurrentRPC": "JSON",
            "extFields": fields,
        }
    ).encode()
    host, _, port = address.rpartition(":")
    with socket.create_connection((host, int(port)), CALL_SECONDS_MAX) as connection:
        lengths = struct.pack(">ii", 4 + len(header) + len(body), len(header))
        connection.sendall(lengths + header + body)
        length, header_length = struct.unpack(">ii", _read(connection, 8))
        rest = _read(connection, length - 4)
    header_length &= 0xFFFFFF
    answer: Header = json.loads(rest[:header_length])
    if answer["code"] != 0:
        raise CallRefused(answer["code"], answer.get("remark"))
    return answer, rest[header_length:]


def listens(address: str) -> bool:
    """Whether a server takes connections at an address."""
    host, _, port = address.rpartition(":")
    try:
        with socket.create_connection((host, int(port)), CALL_SECONDS_MAX):
            return True
    except OSError:
        return False


def create_topic(
    name_server: str, broker: str, topic: str, queues: int = 4, attributes: str = ""
) -> None:
    """Create a topic and wait until the name server tells of it."""
    fields = {
        "topic": topic,
        "defaultTopic": "TBW102",
        "readQueueNums": str(queues),
        "writeQueueNums": str(queues),
        "perm": "6",
        "topicFilterType": "SINGLE_TAG",
        "topicSysFlag": "0",
        "order": "false",
        "attributes": attributes,
    }
    call(broker, CREATE_TOPIC, fields)
    wait_until(lambda: route(name_server, topic) is not None, 20, f"a route of {topic}")


def create_group(broker: str, group: str, **settings: object) -> None:
    """Create a consumer group, or change it, with settings by their names in Apache's JSON."""
    document = {"groupName": group, **settings}
    call(broker, CREATE_GROUP, {}, json.dumps(document).encode())


def route(name_server: str, topic: str) -> str | None:
    """The body of a topic's route, or None while the name server does not know the topic."""
    try:
        return call(name_server, ROUTE, {"topic": topic})[1].decode()
    except (CallRefused, OSError):
        return None


def cluster(name_server: str) -> str:
    """The body that lists the brokers; empty while the name server does not answer."""
    try:
        return call(name_server, CLUSTER, {})[1].decode()
    except (CallRefused, OSError):
        return ""


def brokers(cluster_body: str) -> list[str]:
    """The addresses of all masters in what `cluster` returned."""
    quoted = re.sub(r"([{,])\s*(\d+):", r'\1"\2":', cluster_body)
    table = json.loads(quoted)["brokerAddrTable"]
    return [data["brokerAddrs"]["0"] for data in table.values()]


def stored(broker: str, topic: str, queues: int = 4) -> int:
    """How many messages a topic was given since its beginning."""
    return sum(
        int(call(broker, MAX_OFFSET, {"topic": topic, "queueId": str(q)})[0]["extFields"]["offset"])
        for q in range(queues)
    )


def committed(broker: str, group: str, topic: str, queues: int = 4) -> int:
    """How many messages of a topic a group has said to be done with."""
    total = 0
    for queue in range(queues):
        fields = {"consumerGroup": group, "topic": topic, "queueId": str(queue)}
        try:
            total += int(call(broker, QUERY_OFFSET, fields)[0]["extFields"]["offset"])
        except CallRefused:
            continue
    return total


def consumers_of(broker: str, group: str) -> list[str]:
    """The client ids the broker counts to a group."""
    try:
        body = call(broker, CONSUMERS_OF_GROUP, {"consumerGroup": group})[1]
    except CallRefused:
        return []
    ids: list[str] = json.loads(body)["consumerIdList"]
    return ids


def wait_until(condition: Callable[[], bool], seconds: float, what: str) -> None:
    """Look every few milliseconds until `condition` holds; fail with `what` when it never does.

    `seconds` are those of an idle machine; a busy one is given several times as many.
    """
    seconds *= PATIENCE
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"waited {seconds:.0f} s for {what}"
        time.sleep(0.05)


def _read(connection: socket.socket, length: int) -> bytes:
    parts = bytearray()
    while len(parts) < length:
        part = connection.recv(length - len(parts))
        if not part:
            raise ConnectionError("the server closed the connection")
        parts += part
    return bytes(parts)
