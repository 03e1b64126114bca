"""Official clients with keys: who may sends and consumes, who may not is refused, and told so.

The same scenario runs in front of Apache and of us, and must come out the same.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

import pytest
from tests.compat.access.guarded import Guarded
from tests.compat.conftest import unavailable
from tests.support.access import entry
from tests.support.clients.cache import PeerUnavailable
from tests.support.clients.driver import Driver, DriverFailed
from tests.support.clients.peers import JAVA_NEW, PEERS, Peer

from pocketmq.security import Credentials

SIGNING = [peer for peer in PEERS if peer.name.startswith("java-") or peer.name == "go"]
GIVES_BACK = f"java-{JAVA_NEW}"
"""The client that gives a message back once; others look for such messages half a minute later."""
BODIES = ["one", "two", "three"]


@dataclass
class Seen:
    """What came of a client's scenario on one cluster."""

    sent: list[str] = field(default_factory=list)
    refused: dict[str, str] = field(default_factory=dict)
    stored: int = 0
    received: list[str] = field(default_factory=list)
    strangers: tuple[list[str], int] = ([], 0)


def keys(user: Credentials | None) -> dict[str, str]:
    """A driver's fields for a user; of nobody's requests none is signed."""
    if user is None:
        return {}
    return {"access_key": user.access_key, "secret_key": user.secret_key}


def refusal(driver: Driver, topic: str, user: Credentials | None, **fields: Any) -> str:
    """The response code that a client tells of its send; empty when it got through."""
    try:
        messages = [{"body": "not for the log"}]
        driver.request("send", topic=topic, mode="sync", messages=messages, **keys(user), **fields)
    except DriverFailed as failed:
        found = re.search(r"(?i)code: ?(\d+)", str(failed))
        return found[1] if found else str(failed)
    return ""


def scenario(cluster: Guarded, peer: Peer, driver: Driver) -> Seen:
    """What a client and three users do with one topic."""
    stem = re.sub(r"\W", "_", f"access_{peer.name}")
    topic, group, others = stem, f"{stem}_readers", f"{stem}_strangers"
    writer, reader, both = (
        Credentials(f"{stem}_{role}", f"{role}-secret") for role in ("writer", "reader", "both")
    )
    cluster.create_topic(topic)
    cluster.create_user(writer, entry(f"Topic:{topic}", "Pub"))
    reads = [entry("Topic:access_*", "Sub"), entry(f"Group:{group}", "Sub")]
    cluster.create_user(reader, *reads)
    cluster.create_user(both, entry(f"Topic:{topic}", "Pub"), *reads)
    wrong = Credentials(writer.access_key, "not-the-secret")
    seen = Seen()
    messages = [{"body": body} for body in BODIES[:2]]
    sent = driver.request("send", topic=topic, mode="sync", messages=messages, **keys(writer))
    seen.sent = [one["status"] for one in sent["sent"]]
    # Clients share a connection by the user's name, and the first of a name decides how it signs.
    seen.refused = {
        "nobody": refusal(driver, topic, None, group="unsigned"),
        "a reader": refusal(driver, topic, reader),
        "a wrong secret": refusal(driver, topic, wrong, group="wrong"),
    }
    sent = driver.request(
        "send", topic=topic, mode="sync", messages=[{"body": BODIES[2]}], **keys(both)
    )
    seen.sent += [one["status"] for one in sent["sent"]]
    seen.stored = cluster.stored(topic)
    driver.start_consumer("strangers", others, topic, **keys(writer))
    again = {BODIES[0]: 1} if peer.name == GIVES_BACK else {}
    driver.start_consumer("readers", group, topic, **keys(reader), refuse=again, delay_level=1)
    wanted = len(BODIES) + len(again)
    seen.received = sorted(one["body"] for one in driver.wait_for("readers", wanted))
    seen.strangers = (driver.bodies("strangers"), cluster.members(others))
    return seen


@pytest.fixture(scope="module", params=SIGNING, ids=lambda peer: peer.name)
def outcomes(
    request: pytest.FixtureRequest,
    both: dict[str, Guarded],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[dict[str, Seen]]:
    """The scenario with one client, in front of both clusters."""
    peer: Peer = request.param
    with ExitStack() as exits:
        drivers = {}
        for kind, cluster in both.items():
            try:
                command = peer.command(cluster.name_server)
            except PeerUnavailable as error:
                unavailable(error)
            drivers[kind] = Driver(f"{peer.name}-{kind}", command, tmp_path_factory.mktemp(kind))
            exits.callback(drivers[kind].close)
            exits.callback(drivers[kind].begin_close)
        pool = exits.enter_context(ThreadPoolExecutor())
        found = {
            kind: pool.submit(scenario, cluster, peer, drivers[kind])
            for kind, cluster in both.items()
        }
        yield {kind: future.result() for kind, future in found.items()}


def test_a_client_with_the_right_key_sends_and_consumes(
    outcomes: dict[str, Seen], request: pytest.FixtureRequest
) -> None:
    gives_back = GIVES_BACK in request.node.name
    ours = outcomes["pocketmq"]
    assert [status.upper() for status in ours.sent] == ["SEND_OK"] * 3
    assert ours.received == sorted([*BODIES, *BODIES[: int(gives_back)]])
    assert ours.stored == len(BODIES)


def test_a_client_without_the_right_is_refused_and_changes_nothing(
    outcomes: dict[str, Seen],
) -> None:
    ours = outcomes["pocketmq"]
    assert ours.refused == dict.fromkeys(ours.refused, "16")
    assert len(ours.refused) == 3
    assert ours.strangers == ([], 0)
    assert ours.stored == len(BODIES)


def test_apache_lets_and_refuses_the_same(outcomes: dict[str, Seen]) -> None:
    assert outcomes["pocketmq"] == outcomes["apache"]
