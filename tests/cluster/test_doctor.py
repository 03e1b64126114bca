"""`doctor` on real clusters: it finds what is wrong, and nothing where all is well."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
from tests.support.local_cluster import name_server
from tests.support.registrations import header, register_command, registration
from tests.support.waiting import until

import pocketmq
from pocketmq.admin import Admin
from pocketmq.admin.doctor import Finding, Limits, Severity, examine
from pocketmq.net import RpcClient
from pocketmq.testing import LocalBroker

QUICK = Limits(apart_seconds=0.05, call_timeout_ms=2000)


async def accept(message: pocketmq.ReceivedMessage) -> None:
    return None


def consumer(
    rocketmq: LocalBroker,
    *more_topics: str,
    handler: Callable[[pocketmq.ReceivedMessage], object] = accept,
    wants: str = "*",
) -> pocketmq.Consumer:
    options = pocketmq.ConsumerOptions(
        commit_interval_ms=20, rebalance_interval_ms=100, stop_timeout_ms=200
    )
    return pocketmq.Consumer(
        rocketmq.address,
        group="billing",
        topics={"orders": wants, **dict.fromkeys(more_topics, "*")},
        handler=handler,
        start_from="first",
        options=options,
    )


async def found(rocketmq: LocalBroker, limits: Limits = QUICK, *, more: str = "") -> list[Finding]:
    async with Admin(rocketmq.address + more) as admin:
        return list((await examine(admin, limits)).findings)


def only(findings: list[Finding], check: str) -> Finding:
    assert [one.check for one in findings] == [check], [one.what for one in findings]
    return findings[0]


@pytest.fixture(autouse=True)
def _orders(rocketmq: LocalBroker) -> None:
    rocketmq.topic("orders", queues=2)


async def test_a_healthy_cluster_gets_no_finding(rocketmq: LocalBroker) -> None:
    seen: list[tuple[str, int, int]] = []
    rocketmq.send("orders", "pizza")
    async with consumer(rocketmq), consumer(rocketmq):
        await rocketmq.settle()
        async with Admin(rocketmq.address) as admin:
            diagnosis = await examine(admin, QUICK, lambda *step: seen.append(step))
    assert [one.what for one in diagnosis.findings] == []
    assert (diagnosis.name_servers, diagnosis.brokers, diagnosis.groups) == (1, 1, 1)
    stages = list(dict.fromkeys(stage for stage, _, _ in seen))
    assert stages[:4] == ["name servers", "brokers", "topics", "groups"]
    assert stages[-1] == "queues"
    assert all(0 <= done <= total for _, done, total in seen)


async def test_members_that_subscribe_differently(rocketmq: LocalBroker) -> None:
    async with consumer(rocketmq, wants="paid") as one, consumer(rocketmq, wants="new") as other:
        ids = {one.client_id, other.client_id}
        finding = only(await found(rocketmq), "members subscribe alike")
    assert set(finding.evidence) == ids
    assert (finding.severity, finding.subject) == (Severity.PROBLEM, "billing")


async def test_a_consumer_that_is_stuck_on_one_message(rocketmq: LocalBroker) -> None:
    gate = asyncio.Event()

    async def hang(message: pocketmq.ReceivedMessage) -> None:
        if message.text == "2":
            await gate.wait()

    for number in range(5):
        rocketmq.send("orders", str(number), queue_id=0)
    async with consumer(rocketmq, handler=hang) as held:
        offsets = rocketmq._servers.running.tables.offsets
        await until(lambda: offsets.query("billing", "orders", 0) == 2)
        early = await found(rocketmq)
        rocketmq.clock.jump(minutes=6)
        findings = await found(rocketmq)
        owner = held.client_id
        gate.set()
        await until(lambda: offsets.query("billing", "orders", 0) == 5)
    assert early == []
    finding, clock = findings
    assert clock.check == "clocks agree"
    assert finding.check == "nothing is stuck"
    assert "is stuck at offset 2 of queue 0 of orders on pocketmq: 3 messages wait" in finding.what
    assert finding.evidence["member"] == owner


async def test_lag_that_grows(rocketmq: LocalBroker) -> None:
    rocketmq.send("orders", "0")
    async with consumer(rocketmq):
        await rocketmq.settle()
        offsets = rocketmq._servers.running.tables.offsets
        await until(lambda: offsets.query("billing", "orders", 0) == 1)
    for _ in range(150):
        rocketmq.send("orders", "more")
    looking = asyncio.ensure_future(found(rocketmq, Limits(apart_seconds=1)))
    sent = 0
    async with pocketmq.Producer(rocketmq.address, group="shop") as producer:
        while not looking.done():
            await producer.send("orders", b"still more")
            sent += 1
            await asyncio.sleep(0.01)
    finding = only(await looking, "lag does not grow")
    assert sent > 0
    assert "with no member connected" in finding.what
    before, after = finding.evidence["before"], finding.evidence["after"]
    assert isinstance(before, int) and isinstance(after, int)
    assert 150 <= before < after


async def test_dead_letters_and_messages_that_expire_unread(rocketmq: LocalBroker) -> None:
    async def reject(message: pocketmq.ReceivedMessage) -> None:
        message.reject()

    rocketmq.send("orders", "pizza", queue_id=0)
    async with consumer(rocketmq, handler=reject):
        await rocketmq.settle()
        dead = only(await found(rocketmq), "no dead letters come")
        offsets = rocketmq._servers.running.tables.offsets
        await until(lambda: offsets.query("billing", "orders", 0) == 1)
    assert "Group billing has 1 dead letter; the last came" in dead.what
    rocketmq.send("orders", "pasta", queue_id=0)
    rocketmq.clock.jump(hours=60)
    checks = {one.check: one for one in await found(rocketmq)}
    assert "are about to be deleted" in checks["nothing expires unread"].why
    assert "2 days 12 hours old" in checks["nothing expires unread"].what


async def test_topics_that_cannot_be_used_or_do_not_exist(rocketmq: LocalBroker) -> None:
    async with Admin(rocketmq.address) as admin:
        await admin.topics.create("readonly", queues=2, permission=4)
        await admin.topics.create("unread", queues=2, permission=2)
    async with consumer(rocketmq, "oders"):
        findings = await found(rocketmq)
    assert {(one.check, one.subject) for one in findings} == {
        ("topics can be used", "readonly"),
        ("topics can be used", "unread"),
        ("subscribed topics exist", "billing"),
    }


async def test_a_broker_that_takes_no_messages(rocketmq: LocalBroker) -> None:
    async with Admin(rocketmq.address) as admin:
        (broker,) = await admin.clusters.masters()
        await admin.brokers.update(broker, {"brokerPermission": "4"})
    finding = only(await found(rocketmq), "topics can be used")
    assert finding.what == "Broker pocketmq takes no messages: its permission is 4."


async def test_a_clock_that_is_wrong(rocketmq: LocalBroker) -> None:
    rocketmq.clock.jump(minutes=1)
    finding = only(await found(rocketmq), "clocks agree")
    ahead = finding.evidence["ahead_ms"]
    assert isinstance(ahead, int)
    assert 58_000 < ahead <= 61_000


# -- servers that do not answer -------------------------------------------------------------------


@asynccontextmanager
async def registered(rocketmq: LocalBroker, address: str, *topics: str) -> AsyncIterator[None]:
    """A broker that is registered under an address, and is not there."""
    client = RpcClient()
    try:
        command = register_command(
            header(address, name="broker-b", cluster="DefaultCluster"), registration(topics)
        )
        answer = await client.call(rocketmq.address, command)
        assert answer.code == 0, answer.remark
        yield
    finally:
        await client.close()


async def test_an_advertised_address_that_does_not_answer(rocketmq: LocalBroker) -> None:
    async with registered(rocketmq, "127.0.0.1:1", "payments", "refunds"):
        finding = only(await found(rocketmq), "brokers answer")
    assert finding.what == (
        "Broker broker-b does not answer at 127.0.0.1:1, the address that the name server tells "
        "clients: connection refused."
    )
    assert "set brokerIP1 to one that clients reach" in finding.mend


async def test_name_servers_that_disagree_and_one_that_is_down(rocketmq: LocalBroker) -> None:
    async with name_server() as other:
        more = f";127.0.0.1:{other.port};127.0.0.1:1"
        findings = await found(rocketmq, more=more)
    checks = [one.check for one in findings]
    assert checks.count("name servers answer") == 1
    lacks = [one for one in findings if one.check == "name servers agree"]
    assert "do not agree where broker pocketmq (id 0) is" in lacks[0].what
    assert "does not know 1 topic that others know: orders" in lacks[1].what


async def test_no_name_server_at_all_is_a_finding(rocketmq: LocalBroker) -> None:
    with rocketmq.faults.partition(broker=False):
        (finding,) = await found(rocketmq, Limits(apart_seconds=0, call_timeout_ms=200))
    assert finding.check == "name servers answer"
    assert finding.why == "Clients cannot find any broker."


async def test_a_broker_that_never_answers_takes_bounded_time(rocketmq: LocalBroker) -> None:
    limits = Limits(apart_seconds=0, call_timeout_ms=1000, timeouts_max=1)
    rocketmq.send("orders", "pizza")
    async with consumer(rocketmq):
        await rocketmq.settle()
        with rocketmq.faults.lose("GET_BROKER_RUNTIME_INFO"):
            silent = only(await found(rocketmq, limits), "brokers answer")
        with rocketmq.faults.lose("GET_CONSUMER_CONNECTION_LIST"):
            partly = await found(rocketmq, limits)
    assert "no answer" in silent.what or "within" in silent.what
    assert {one.severity for one in partly} == {Severity.NOTE}
    assert any("Broker pocketmq did not answer" in one.what for one in partly)


async def test_a_route_that_is_not_told_is_not_missing(rocketmq: LocalBroker) -> None:
    with rocketmq.faults.refuse("GET_ROUTEINFO_BY_TOPIC", remark="not today"):
        finding = only(await found(rocketmq), "everything was looked at")
    assert "The routes of some topics are not known" in finding.what


async def test_all_of_it_takes_bounded_time(rocketmq: LocalBroker) -> None:
    limits = Limits(total_seconds=0.3)
    with rocketmq.faults.delay("GET_BROKER_RUNTIME_INFO", seconds=2):
        finding = only(await found(rocketmq, limits), "everything was looked at")
    assert finding.what == ("Not all was looked at within 0.3 s; allow more with --timeout.")
