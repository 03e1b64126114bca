"""Logging in to the console as a user of the brokers."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.support.access import ROOT, access
from tests.support.console import Browser, console
from tests.support.sdk_cluster import SdkCluster, sdk_cluster

from pocketmq.admin import Admin, Secret, UserChange
from pocketmq.clock import ManualClock
from pocketmq.console.broker_logins import BrokerLogins
from pocketmq.console.config import ConsoleConfig, ConsoleListenConfig
from pocketmq.console.listening import exposure_problem
from pocketmq.console.problems import Problem
from pocketmq.console.sessions import Sessions
from pocketmq.console.users import UserFile

WORD = "open sesame"


@pytest.fixture
async def cluster(tmp_path: Path) -> AsyncIterator[SdkCluster]:
    async with sdk_cluster(tmp_path, access=access()) as started:
        yield started


@pytest.fixture
async def admin(cluster: SdkCluster) -> AsyncIterator[Admin]:
    async with Admin(cluster.address, credentials=ROOT) as opened:
        await opened.users.create("vic", Secret(WORD))
        yield opened


@pytest.fixture
async def browser(cluster: SdkCluster) -> AsyncIterator[Browser]:
    async with console(cluster.address, credentials=ROOT, broker_login=True) as opened:
        yield opened


async def test_super_users_are_admins_and_normal_ones_viewers(
    browser: Browser, admin: Admin
) -> None:
    assert (await browser.get("/topics")).status == 401
    assert (await browser.tree("/session"))["auth"] is True
    entered = await browser.login(ROOT.access_key, ROOT.secret_key)
    assert (entered.tree["user"], entered.tree["role"]) == ("root", "admin")
    assert (await browser.get("/access")).status == 200
    entered = await browser.login("vic", WORD)
    assert (entered.tree["user"], entered.tree["role"]) == ("vic", "viewer")
    assert (await browser.get("/topics")).status == 200
    refused = await browser.write("POST", "/topics", {"name": "x"})
    assert (refused.status, refused.error) == (403, "not_allowed")
    assert (await browser.get("/access")).status == 403


async def test_a_wrong_password_and_an_unknown_user_stay_outside(
    browser: Browser, admin: Admin
) -> None:
    for name, password in (("vic", "wrong"), ("vic", ""), ("nobody", WORD), ("", "")):
        answer = await browser.login(name, password)
        assert (answer.status, answer.error) == (401, "login_failed"), name
    for _ in range(5):
        await browser.login("vic", "wrong")
    waiting = await browser.login("vic", WORD)
    assert (waiting.status, waiting.error) == (429, "too_many")


async def test_a_disabled_user_cannot_log_in(browser: Browser, admin: Admin) -> None:
    await admin.users.update("vic", UserChange(enabled=False))
    answer = await browser.login("vic", WORD)
    assert (answer.status, answer.error) == (401, "login_failed")


async def test_a_script_sends_its_password_along(browser: Browser, admin: Admin) -> None:
    for word, status in ((WORD, 200), ("wrong", 401)):
        sent = base64.b64encode(f"vic:{word}".encode()).decode()
        answer = await browser.get("/topics", Authorization=f"Basic {sent}")
        assert answer.status == status


@pytest.mark.parametrize(
    "change",
    [UserChange(enabled=False), UserChange(Secret("another")), None],
    ids=["disabled", "another password", "deleted"],
)
async def test_a_session_ends_with_the_user_it_is_of(
    admin: Admin, change: UserChange | None
) -> None:
    clock = ManualClock()
    sessions = Sessions(UserFile(None), clock, brokers=BrokerLogins(admin))
    token, visitor = await sessions.login("vic", WORD, "here")
    assert visitor.role == "viewer"
    await admin.users.update("vic", UserChange(kind="Super"))
    clock.advance(ms=31_000)
    again = await sessions.visitor(token, None, "here")
    assert again is not None
    assert again.role == "admin"
    assert sessions.is_open(token)
    if change is None:
        await admin.users.delete("vic")
    else:
        await admin.users.update("vic", change)
    clock.advance(ms=31_000)
    assert await sessions.visitor(token, None, "here") is None
    assert not sessions.is_open(token)


async def test_a_stream_that_nobody_asks_beside_ends(admin: Admin) -> None:
    clock = ManualClock()
    sessions = Sessions(UserFile(None), clock, brokers=BrokerLogins(admin))
    token, _ = await sessions.login("vic", WORD, "here")
    clock.advance(ms=299_000)
    assert sessions.is_open(token)
    clock.advance(ms=2_000)
    assert not sessions.is_open(token)


async def test_a_broker_that_looks_at_no_signature_lets_nobody_in(tmp_path: Path) -> None:
    off = access(authentication=False, authorization=False)
    async with (
        sdk_cluster(tmp_path, access=off) as cluster,
        console(cluster.address, credentials=ROOT, broker_login=True) as browser,
    ):
        answer = await browser.login(ROOT.access_key, ROOT.secret_key)
        assert (answer.status, answer.error) == (422, "refused")
        assert "does not look at signatures" in answer.tree["error"]["message"]
        assert (await browser.get("/topics")).status == 401


async def test_a_console_without_a_super_user_says_what_it_needs(
    cluster: SdkCluster, admin: Admin
) -> None:
    async with console(cluster.address, broker_login=True) as browser:
        answer = await browser.login("vic", WORD)
    assert (answer.status, answer.error) == (422, "refused")
    assert "edge.access_key" in answer.tree["error"]["hint"]


async def test_without_a_broker_nobody_can_be_let_in(admin: Admin, cluster: SdkCluster) -> None:
    await cluster.stop_broker("broker-a")
    with pytest.raises(Problem, match="no broker answers"):
        await BrokerLogins(admin).check("vic", WORD)


async def test_users_of_the_file_go_before_those_of_brokers(
    cluster: SdkCluster, admin: Admin, tmp_path: Path
) -> None:
    users = tmp_path / "users.json"
    UserFile(users).add("vic", "correct horse", "admin")
    async with console(cluster.address, users, ROOT, broker_login=True) as browser:
        assert (await browser.login("vic", WORD)).status == 401
        assert (await browser.login("vic", "correct horse")).tree["role"] == "admin"
        assert (await browser.login("root", ROOT.secret_key)).tree["role"] == "admin"


def test_it_may_listen_everywhere_when_brokers_are_asked() -> None:
    everywhere = ConsoleListenConfig(host="0.0.0.0")
    assert exposure_problem(ConsoleConfig(listen=everywhere)) is not None
    assert exposure_problem(ConsoleConfig(listen=everywhere, broker_login=True)) is None
