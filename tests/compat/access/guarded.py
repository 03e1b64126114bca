"""Brokers that ask who their clients are, Apache's and ours, and operators' requests to both."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.apache import ApacheBroker, ApacheNameServer
from tests.support.clients import raw
from tests.support.clients.servers import PocketBroker, PocketNameServer, wait_registered

from pocketmq.security import Credentials, sign

ROOT = Credentials("root", "root-secret")
CREATE_TOPIC, MAX_OFFSET, MEMBERS = 17, 30, 38
CREATE_USER, DELETE_USER, CREATE_ACL, DELETE_ACL = 3001, 3003, 3006, 3008
PROVIDERS = "org.apache.rocketmq.auth.{}.provider.Local{}MetadataProvider"
SETTINGS = {
    "authenticationEnabled": "true",
    "authorizationEnabled": "true",
    "initAuthenticationUser": json.dumps({"username": "root", "password": "root-secret"}),
    "innerClientAuthenticationCredentials": json.dumps(
        {"accessKey": "inner", "secretKey": "inner-secret"}
    ),
    "authenticationMetadataProvider": PROVIDERS.format("authentication", "Authentication"),
    "authorizationMetadataProvider": PROVIDERS.format("authorization", "Authorization"),
}
KINDS = {
    "apache": (ApacheNameServer, ApacheBroker),
    "pocketmq": (PocketNameServer, PocketBroker),
}


@dataclass(frozen=True)
class Guarded:
    """A cluster that asks for signatures and looks at permissions."""

    kind: str
    name_server: str
    broker: str

    def ask(
        self, by: Credentials | None, code: int, body: bytes = b"", /, **fields: str
    ) -> tuple[dict[str, Any], bytes]:
        """The answer to a signed request. Raise raw.CallRefused."""
        if by is not None:
            sign(fields, body, by)
        return raw.call(self.broker, code, fields, body)

    def code_of(
        self, by: Credentials | None, code: int, body: bytes = b"", /, **fields: str
    ) -> int:
        """Only the code of the answer."""
        try:
            self.ask(by, code, body, **fields)
        except raw.CallRefused as refused:
            return refused.code
        return 0

    def create_topic(self, topic: str) -> None:
        """Create a topic of one queue, and wait until clients can find it."""
        fields = {"topic": topic, "defaultTopic": "TBW102", "readQueueNums": "1"}
        fields |= {"writeQueueNums": "1", "perm": "6", "topicFilterType": "SINGLE_TAG"}
        fields |= {"topicSysFlag": "0", "order": "false"}
        self.ask(ROOT, CREATE_TOPIC, **fields)
        raw.wait_until(
            lambda: raw.route(self.name_server, topic) is not None, 20, f"a route of {topic}"
        )

    def create_user(self, user: Credentials, *entries: dict[str, Any]) -> None:
        """Create a user to whom this is allowed or denied."""
        body = json.dumps({"username": user.access_key, "password": user.secret_key}).encode()
        self.ask(ROOT, CREATE_USER, body, username=user.access_key)
        if entries:
            self.allow(user, *entries)

    def allow(self, user: Credentials, *entries: dict[str, Any]) -> None:
        """Add to what is allowed or denied to a user."""
        document = {"policies": [{"policyType": "Custom", "entries": [*entries]}]}
        subject = f"User:{user.access_key}"
        self.ask(ROOT, CREATE_ACL, json.dumps(document).encode(), subject=subject)

    def forget(self, user: Credentials) -> None:
        """Delete what is allowed or denied to a user."""
        self.ask(ROOT, DELETE_ACL, subject=f"User:{user.access_key}")

    def stored(self, topic: str) -> int:
        """How many messages a topic's one queue holds."""
        answer, _ = self.ask(ROOT, MAX_OFFSET, topic=topic, queueId="0", committed="true")
        return int(answer["extFields"]["offset"])

    def members(self, group: str) -> int:
        """How many consumers of a group are connected."""
        try:
            _, body = self.ask(ROOT, MEMBERS, consumerGroup=group)
        except raw.CallRefused:
            return 0
        return len(json.loads(body)["consumerIdList"])


@contextmanager
def guarded(kind: str, home: Path, **settings: object) -> Iterator[Guarded]:
    """A running cluster with everything switched on."""
    name_servers, brokers = KINDS[kind]
    name_server = name_servers(home / "namesrv")
    broker = brokers(home / "broker", name_server.address, home / "data", **SETTINGS, **settings)
    with ExitStack() as exits:
        for server in (name_server, broker):
            exits.callback(server.process.kill)
            server.process.start()
        wait_registered(name_server.address, broker.address, name_server.process, broker.process)
        yield Guarded(kind, name_server.address, broker.address)
