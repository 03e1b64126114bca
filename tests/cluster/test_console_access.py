"""The console's API for users and rules: what it shows, what it changes, and to whom."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.support.access import ROOT, access
from tests.support.console import Browser, console
from tests.support.sdk_cluster import SdkCluster, sdk_cluster

from pocketmq.console.api.access import NewUser, UserChanges
from pocketmq.console.users import UserFile

WORD = "open sesame"
ALICE = {"name": "alice", "password": WORD}
RULE = {"subject": "alice", "resource": "Topic:orders", "actions": ["pub"]}


@pytest.fixture
async def cluster(tmp_path: Path) -> AsyncIterator[SdkCluster]:
    async with sdk_cluster(tmp_path, "a", "b", access=access()) as started:
        yield started


@pytest.fixture
async def browser(cluster: SdkCluster) -> AsyncIterator[Browser]:
    async with console(cluster.address, credentials=ROOT) as opened:
        yield opened


async def test_users_are_made_changed_and_deleted_without_showing_a_password(
    browser: Browser,
) -> None:
    made = await browser.write("POST", "/access/users", ALICE)
    assert made.status == 201
    assert made.tree == {
        "name": "alice",
        "type": "Normal",
        "enabled": True,
        "brokers": ["a", "b"],
        "lacking": [],
        "differences": [],
    }
    again = await browser.write("POST", "/access/users", ALICE)
    assert (again.status, again.error) == (409, "exists")
    changed = await browser.write(
        "PATCH", "/access/users/alice", {"enabled": False, "password": "another"}
    )
    assert (changed.tree["enabled"], changed.tree["type"]) == (False, "Normal")
    shown = await browser.get("/access")
    assert shown.tree["signs_as"] == ROOT.access_key
    assert [user["name"] for user in shown.tree["users"]] == ["alice", "root"]
    for answer in (made, again, changed, shown):
        for secret in (WORD, "another", ROOT.secret_key):
            assert secret.encode() not in answer.body
    gone = await browser.write("DELETE", "/access/users/alice")
    assert gone.tree == {"brokers": ["a", "b"]}
    missing = await browser.write("DELETE", "/access/users/alice")
    assert (missing.status, missing.error) == (404, "no_such_user")
    assert "open sesame" not in repr(NewUser("alice", WORD)) + repr(UserChanges(WORD))


async def test_rules_are_saved_and_deleted(browser: Browser) -> None:
    await browser.post("/access/users", ALICE)
    saved = await browser.write("PUT", "/access/rules", RULE)
    assert saved.tree == {"brokers": ["a", "b"]}
    (rule,) = (await browser.tree("/access"))["rules"]
    assert (rule["subject"], rule["resource"], rule["actions"]) == (
        "User:alice",
        "Topic:orders",
        ["Pub"],
    )
    assert (rule["decision"], rule["sources"], rule["lacking"]) == ("Allow", [], [])
    denied = {**RULE, "decision": "Deny", "sources": ["10.0.0.0/8"]}
    assert (await browser.write("PUT", "/access/rules", denied)).status == 200
    (rule,) = (await browser.tree("/access"))["rules"]
    assert (rule["decision"], rule["sources"]) == ("Deny", ["10.0.0.0/8"])
    wrong = await browser.write("PUT", "/access/rules", {**RULE, "resource": "orders"})
    assert (wrong.status, wrong.error) == (400, "bad_request")
    unknown = await browser.write("PUT", "/access/rules", {**RULE, "subject": "nobody"})
    assert (unknown.status, unknown.error) == (422, "refused")
    path = "/access/rules?subject=alice&resource=Topic%3Aorders"
    assert (await browser.write("DELETE", path)).tree == {"brokers": ["a", "b"]}
    assert (await browser.tree("/access"))["rules"] == []


async def test_what_a_broker_lacks_is_shown_and_mended(
    browser: Browser, cluster: SdkCluster
) -> None:
    await browser.post("/access/users", ALICE)
    await browser.write("PUT", "/access/rules", RULE)
    await cluster.start_broker("c", access=access(authorization=False))
    tree = await browser.tree("/access")
    switches = {
        one["name"]: (one["authentication"], one["authorization"]) for one in tree["brokers"]
    }
    assert switches == {"a": (True, True), "b": (True, True), "c": (True, False)}
    assert tree["users"][0]["lacking"] == tree["rules"][0]["lacking"] == ["c"]
    assert (await browser.post("/access/sync", {"user": "alice"})) == {"brokers": ["c"]}
    assert (await browser.post("/access/sync", {"subject": "alice"})) == {"brokers": ["c"]}
    tree = await browser.tree("/access")
    assert tree["users"][0]["lacking"] == tree["rules"][0]["lacking"] == []
    both = await browser.write("POST", "/access/sync", {"user": "a", "subject": "b"})
    assert (both.status, both.error) == (400, "bad_request")


async def test_admins_alone_see_who_may_do_what(cluster: SdkCluster, tmp_path: Path) -> None:
    users = tmp_path / "users.json"
    UserFile(users).add("ann", "correct horse", "admin")
    UserFile(users).add("vic", "battery staple", "viewer")
    async with console(cluster.address, users, ROOT) as browser:
        assert (await browser.get("/access")).status == 401
        await browser.login("vic", "battery staple")
        looked = await browser.get("/access")
        assert (looked.status, looked.error) == (403, "not_allowed")
        written = await browser.write("POST", "/access/users", ALICE)
        assert (written.status, written.error) == (403, "not_allowed")
        await browser.login("ann", "correct horse")
        assert (await browser.get("/access")).status == 200
        browser.csrf = "forged"
        forged = await browser.write("POST", "/access/users", ALICE)
        assert (forged.status, forged.error) == (403, "csrf")
    async with console(cluster.address, credentials=ROOT, read_only=True) as browser:
        assert (await browser.get("/access")).status == 200
        written = await browser.write("POST", "/access/users", ALICE)
        assert (written.status, written.error) == (403, "not_allowed")


async def test_a_console_that_may_not_ask_says_what_to_give_it(cluster: SdkCluster) -> None:
    async with console(cluster.address) as browser:
        answer = await browser.get("/access")
    assert (answer.status, answer.error) == (422, "refused")
    assert "edge.access_key" in answer.tree["error"]["hint"]


async def test_a_cluster_without_users_is_explained(tmp_path: Path) -> None:
    async with sdk_cluster(tmp_path) as cluster, console(cluster.address) as browser:
        tree = await browser.tree("/access")
    assert "access control is off" in tree["unavailable"]
    assert list(tree["to_set"]) == ["initAuthenticationUser"]
    assert (tree["users"], tree["brokers"][0]["authentication"]) == ([], False)


async def test_a_broker_is_drained_and_resumed(browser: Browser) -> None:
    drained = await browser.write("PUT", "/brokers/b/writable", {"writable": False})
    assert (drained.tree["name"], drained.tree["writable"]) == ("b", False)
    assert all(count > 0 for count in drained.tree["topics"].values())
    assert (await browser.tree("/brokers"))["drained"] == ["b"]
    await browser.write("PUT", "/brokers/b/writable", {"writable": True})
    assert (await browser.tree("/brokers"))["drained"] == []
    missing = await browser.write("PUT", "/brokers/nobody/writable", {"writable": False})
    assert (missing.status, missing.error) == (404, "no_such_broker")
