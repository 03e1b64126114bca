"""`explain` and `doctor` on Apache's clusters of both generations: they tell what is so there."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from tests.compat.conftest import Apaches
from tests.support import apache

import pocketmq
from pocketmq.admin import Admin
from pocketmq.admin.doctor import Diagnosis, Limits, examine
from pocketmq.admin.explain import Finding, GroupFate, MessageLife, Status, explain
from pocketmq.client.subscriptions import Sql
from pocketmq.errors import PocketMQError

SECONDS_MAX = 150
TOPIC = "explained"
GROUPS = ("explained_billing", "explained_sql", "explained_tag")
OPTIONS = pocketmq.ConsumerOptions(commit_interval_ms=100, rebalance_interval_ms=500)


@dataclass
class Told:
    """What was said of messages in several states, and of the cluster."""

    lives: dict[str, MessageLife]
    groups_before: list[str]
    groups_after: list[str]
    diagnosis: Diagnosis
    is_new: bool

    def fate(self, message: str, group: str) -> GroupFate:
        (fate,) = [one for one in self.lives[message].groups if one.group == group]
        return fate

    def finding(self, message: str, kind: str) -> Finding:
        findings = [one for one in self.lives[message].findings if one.kind == kind]
        assert findings, [one.kind for one in self.lives[message].findings]
        return findings[0]


@pytest.fixture(scope="module", params=[apache.OLD_VERSION, apache.VERSION])
def told(request: pytest.FixtureRequest, apaches: Apaches) -> Iterator[Told]:
    version: str = request.param
    cluster = apaches(version)
    is_new = version != apache.OLD_VERSION
    yield asyncio.run(asyncio.wait_for(_tell(cluster.name_server, is_new), 3 * SECONDS_MAX))


async def handle(message: pocketmq.ReceivedMessage) -> None:
    if message.tag == "bad":
        raise ConnectionError("the bank is down")
    if message.tag == "dead":
        message.reject()


def consumer(name_server: str, group: str, wants: str) -> pocketmq.Consumer:
    return pocketmq.Consumer(
        name_server,
        group=group,
        topics={TOPIC: wants},
        handler=handle,
        start_from="first",
        options=OPTIONS,
    )


async def _tell(name_server: str, is_new: bool) -> Told:
    patience = pocketmq.ProducerOptions(send_timeout_ms=15_000)
    billing, sql, tag = GROUPS
    async with Admin(name_server) as admin:
        await _create_topic(admin)
    async with (
        Admin(name_server) as admin,
        pocketmq.Producer(name_server, group="explained_shop", options=patience) as producer,
        consumer(name_server, billing, "*"),
        consumer(name_server, sql, Sql("amount > 5")),
        consumer(name_server, tag, "other"),
    ):
        ids = await _send(producer, is_new)
        await _until_there(admin, ids)
        before = await admin.groups.names()
        lives = {name: await _life(admin, message_id) for name, message_id in ids.items()}
        by_key = await explain(admin, key="explained-42", topic=TOPIC, group="explained_nobody")
        (lives["by key"],) = by_key.messages
        diagnosis = await examine(admin, Limits(apart_seconds=0.2, call_timeout_ms=10_000))
        return Told(lives, before, await admin.groups.names(), diagnosis, is_new)


async def _create_topic(admin: Admin) -> None:
    """Create the topic; a server that has just started may be slow to answer."""
    deadline = asyncio.get_running_loop().time() + SECONDS_MAX
    while True:
        try:
            await admin.topics.create(TOPIC, queues=4)
        except PocketMQError:
            assert asyncio.get_running_loop().time() < deadline
            await asyncio.sleep(0.5)
        else:
            return


async def _send(producer: pocketmq.Producer, is_new: bool) -> dict[str, str]:
    ids = {}
    plain = await producer.send(
        TOPIC, b"1", tag="x", keys="explained-42", properties={"amount": "3"}
    )
    ids["plain"] = plain.message_id
    ids["bad"] = (await producer.send(TOPIC, b"2", tag="bad")).message_id
    ids["dead"] = (await producer.send(TOPIC, b"3", tag="dead")).message_id
    ids["delayed"] = (await producer.send(TOPIC, b"4", delay_level=18)).message_id
    if is_new:
        ids["timed"] = (await producer.send(TOPIC, b"5", delay=3600)).message_id
    async with producer.transaction(TOPIC, b"6") as committed:
        pass
    async with producer.transaction(TOPIC, b"7") as rolled_back:
        await rolled_back.rollback()
    ids["committed"], ids["rolled back"] = committed.message_id, rolled_back.message_id
    ids["offset id"] = plain.offset_message_id
    return ids


async def _missing(admin: Admin, ids: dict[str, str]) -> str:
    """What has not come about yet; empty when all groups are through and ends are written."""
    for group in GROUPS:
        queues = await admin.groups.progress(group, TOPIC)
        if not queues or any(queue.lag for queue in queues):
            return f"{group} is at {queues}"
    dead = await _life(admin, ids["dead"])
    if all(one.status is not Status.DEAD for one in dead.groups):
        return f"nobody gave up: {dead.groups}"
    ended = await _life(admin, ids["rolled back"])
    if all(one.kind == "transaction open" for one in ended.findings):
        return f"not rolled back: {ended.findings}"
    return ""


async def _life(admin: Admin, message_id: str) -> MessageLife:
    (life,) = (await explain(admin, message_id=message_id)).messages
    return life


async def _until_there(admin: Admin, ids: dict[str, str]) -> None:
    deadline = asyncio.get_running_loop().time() + SECONDS_MAX
    while missing := await _missing(admin, ids):
        assert asyncio.get_running_loop().time() < deadline, missing
        await asyncio.sleep(0.3)


# -- what is told ---------------------------------------------------------------------------------


def test_where_a_message_lies(told: Told) -> None:
    stored = told.finding("plain", "stored")
    assert stored.evidence["topic"] == TOPIC
    assert "a body of 1 byte" in stored.text
    assert told.finding("plain", "kept").evidence["kept_hours"] == 72
    assert told.lives["offset id"].message_id == told.lives["plain"].message_id
    assert told.lives["by key"].message_id == told.lives["plain"].message_id


def test_who_has_consumed_it_and_who_filtered_it(told: Told) -> None:
    billing, sql, tag = GROUPS
    assert told.fate("plain", billing).status is Status.CONSUMED
    assert told.fate("plain", sql).status is Status.FILTERED
    assert "amount > 5 is false, as amount is '3'" in told.fate("plain", sql).findings[0].text
    assert told.fate("plain", tag).status is Status.FILTERED
    assert {fate.group for fate in told.lives["plain"].groups} >= set(GROUPS)


def test_what_failed(told: Told) -> None:
    billing = GROUPS[0]
    retrying = told.fate("bad", billing)
    assert retrying.status is Status.RETRYING
    assert retrying.findings[0].evidence["retries_max"] == 16
    assert told.fate("dead", billing).status is Status.DEAD


def test_what_waits_and_how_transactions_ended(told: Told) -> None:
    delayed = told.finding("delayed", "delayed").evidence
    due_ms, stored_ms = delayed["due_ms"], delayed["stored_ms"]
    assert isinstance(due_ms, int) and isinstance(stored_ms, int)
    assert due_ms - stored_ms == 2 * 3_600_000
    if told.is_new:
        assert "by a timer until" in told.finding("timed", "timed").text
    assert told.finding("committed", "committed").evidence["producer_group"] == "explained_shop"
    if told.is_new:
        # These servers ask after two seconds, and write ends down every three: a half message that
        # was asked about in between lives on as a copy, until the broker gives it up.
        kinds = {one.kind for one in told.lives["rolled back"].findings}
        assert kinds & {"rolled back", "transaction given up"}
        if "rolled back" in kinds:
            assert "Nobody will see it" in told.finding("rolled back", "rolled back").text
    else:
        unknown = told.finding("rolled back", "transaction not committed")
        assert "Whether it is still open or was rolled back cannot be told" in unknown.text


def test_looking_changes_nothing(told: Told) -> None:
    assert "explained_nobody" not in told.groups_after
    assert set(told.groups_after) == set(told.groups_before)


def test_the_doctor_finds_what_is_so_and_no_more(told: Told) -> None:
    about_us = {
        (one.check, one.subject)
        for one in told.diagnosis.findings
        if one.subject in (*GROUPS, TOPIC)
    }
    assert about_us == {("no dead letters come", GROUPS[0])}
    severe = [
        one.what
        for one in told.diagnosis.findings
        if one.check in ("brokers answer", "name servers answer", "topics have routes")
        and one.severity.value == "problem"
    ]
    assert severe == []
    assert told.diagnosis.brokers == 1
