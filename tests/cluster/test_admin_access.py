"""Users and rules through `pocketmq.admin`, on two brokers that may differ."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.support.access import ROOT, access
from tests.support.scripted_broker import scripted_broker
from tests.support.sdk_cluster import SdkCluster, sdk_cluster

from pocketmq.admin import Admin, Rule, Secret, UserChange
from pocketmq.admin.access import APACHE_PROVIDERS
from pocketmq.admin.doctor import Limits, examine
from pocketmq.errors import AccessUnavailable, BrokerRefused, ConfigError, NetError, PartlyDone
from pocketmq.protocol.codes import RequestCode
from pocketmq.security import Credentials

WORD = Secret("open sesame")
ORDERS = Rule("Topic:orders", ("Pub", "Sub"), "Allow")


@pytest.fixture
async def cluster(tmp_path: Path) -> AsyncIterator[SdkCluster]:
    async with sdk_cluster(tmp_path, "a", "b", access=access()) as started:
        yield started


@pytest.fixture
async def admin(cluster: SdkCluster) -> AsyncIterator[Admin]:
    async with Admin(cluster.address, credentials=ROOT) as opened:
        yield opened


async def test_a_user_is_made_everywhere_and_what_one_broker_lacks_is_said(admin: Admin) -> None:
    assert await admin.users.create("alice", WORD) == ["a", "b"]
    assert await admin.users.create("bob", WORD, broker="b", kind="Super") == ["b"]
    found = await admin.users.all()
    assert (found.brokers, found.problems) == (("a", "b"), {})
    alice, bob, root = found.users
    assert (alice.name, alice.kind, alice.enabled, alice.password) == (
        "alice",
        "Normal",
        True,
        WORD,
    )
    assert (alice.brokers, alice.lacking, alice.same_everywhere) == (("a", "b"), (), True)
    assert (bob.brokers, bob.lacking, bob.same_everywhere) == (("b",), ("a",), False)
    assert root.name == "root"
    with pytest.raises(ConfigError, match="exists on b; change it with `user update bob`"):
        await admin.users.create("bob", WORD)
    assert await admin.users.sync("bob") == ["a"]
    known = await admin.users.find("bob")
    assert known is not None
    assert (known.same_everywhere, known.kind, known.password) == (True, "Super", WORD)
    assert await admin.users.sync("bob") == []


async def test_users_that_differ_are_made_the_same(admin: Admin) -> None:
    await admin.users.create("alice", WORD)
    change = UserChange(Secret("another"), "Super", enabled=False)
    assert await admin.users.update("alice", change, broker="b") == ["b"]
    alice = await admin.users.find("alice")
    assert alice is not None
    assert alice.differences == ("kind", "enabled", "password")
    with pytest.raises(ConfigError, match="c does not know the user alice; a does"):
        await admin.users.sync("alice", "c")
    assert await admin.users.sync("alice", "b") == ["a"]
    alice = await admin.users.find("alice")
    assert alice is not None
    assert (alice.differences, alice.enabled, alice.password) == ((), False, Secret("another"))
    assert await admin.users.delete("alice") == ["a", "b"]
    with pytest.raises(ConfigError, match="there is no user 'alice'"):
        await admin.users.delete("alice")


async def test_rules_that_differ_are_made_the_same(admin: Admin) -> None:
    await admin.users.create("alice", WORD)
    assert await admin.acls.save("User:alice", [ORDERS]) == ["a", "b"]
    groups = Rule("Group:*", ("Sub",), "Allow", ("10.0.0.0/8",))
    only_sub = Rule("Topic:orders", ("Sub",), "Deny")
    await admin.acls.save("User:alice", [only_sub, groups], broker="b")
    acl = await admin.acls.find("User:alice")
    assert acl is not None
    assert [(one.rule, one.brokers, one.lacking) for one in acl.rules] == [
        (groups, ("b",), ("a",)),
        (ORDERS, ("a",), ("b",)),
        (only_sub, ("b",), ("a",)),
    ]
    assert not acl.same_everywhere
    assert await admin.acls.sync("User:alice", "a") == ["b"]
    acl = await admin.acls.find("User:alice")
    assert acl is not None
    assert [(one.rule, one.lacking) for one in acl.rules] == [(ORDERS, ())]
    assert await admin.acls.sync("User:alice") == []
    assert await admin.acls.delete("User:alice", "Topic:orders") == ["a", "b"]
    assert await admin.acls.find("User:alice") is None
    with pytest.raises(ConfigError, match="User:alice has no rules"):
        await admin.acls.delete("User:alice")
    with pytest.raises(ConfigError, match="User:alice has no rules"):
        await admin.acls.sync("User:alice")


async def test_a_broker_that_is_gone_is_named_and_the_rest_is_told(
    admin: Admin, cluster: SdkCluster
) -> None:
    await admin.users.create("alice", WORD)
    await cluster.stop_broker("b")
    await cluster.register("b", "127.0.0.1:1", "orders")
    found = await admin.users.all()
    assert (found.brokers, list(found.problems)) == (("a",), ["b"])
    assert "127.0.0.1:1" in found.problems["b"]
    with pytest.raises(PartlyDone, match="a took the change, and b did not") as raised:
        await admin.users.create("bob", WORD)
    assert (raised.value.done, list(raised.value.problems)) == (["a"], ["b"])
    assert WORD.reveal() not in str(raised.value)
    with pytest.raises(PartlyDone):
        await admin.acls.save("User:alice", [ORDERS])
    for change in (
        admin.users.update("alice", UserChange(enabled=False)),
        admin.acls.sync("User:alice"),
        admin.acls.delete("User:alice", "Topic:orders"),
        admin.users.delete("alice"),
    ):
        # The broker that is gone may know more than is told, so none of these is all done.
        with pytest.raises((PartlyDone, NetError), match=r"127\.0\.0\.1:1"):
            await change
    assert [user.name for user in (await admin.users.all()).users] == ["bob", "root"]


async def test_clusters_have_users_and_rules_of_their_own(
    admin: Admin, cluster: SdkCluster
) -> None:
    for name in ("x", "y"):
        await cluster.start_broker(name, "D", access=access())
    await admin.users.create("alice", WORD, cluster="C")
    await admin.acls.save("User:alice", [ORDERS], broker="a")
    known = await admin.users.find("alice")
    acl = await admin.acls.find("User:alice")
    assert known is not None
    assert acl is not None
    assert (known.brokers, known.lacking) == (("a", "b"), ())
    assert [one.lacking for one in acl.rules] == [("b",)]
    other = Secret("another one")
    await admin.users.create("bob", WORD, broker="a")
    await admin.users.create("bob2", other, broker="y")
    assert await admin.acls.sync("User:alice") == ["b"]
    for name in ("bob", "bob2"):
        assert await admin.users.sync(name) == [{"bob": "b", "bob2": "x"}[name]]
    root = await admin.users.find("root")
    assert root is not None
    assert (root.brokers, root.differences) == (("a", "b", "x", "y"), ())
    await admin.users.create("carl", WORD, cluster="C")
    with pytest.raises(ConfigError, match="exists on a, b"):
        await admin.users.create("carl", other)
    await admin.users.create("carl", other, cluster="D")
    carl = await admin.users.find("carl")
    assert carl is not None
    assert (carl.differences, carl.same_everywhere) == ((), True)
    assert await admin.users.sync("carl") == []
    await admin.users.update("carl", UserChange(WORD), broker="y")
    carl = await admin.users.find("carl")
    assert carl is not None
    assert carl.differences == ("password",)
    assert await admin.users.sync("carl", "y") == ["x"]


async def test_switches_are_told_broker_by_broker(admin: Admin, cluster: SdkCluster) -> None:
    await cluster.start_broker("c", access=access(authorization=False))
    brokers = await admin.access.brokers()
    told = {one.broker: one for one in await admin.access.switches(brokers)}
    assert (told["a"].authentication, told["a"].authorization) == (True, True)
    assert (told["c"].authentication, told["c"].authorization) == (True, False)
    async with Admin(cluster.address) as nobody:
        (refused, *_) = await nobody.access.switches(brokers)
        assert "not signed" in refused.problem
        with pytest.raises(BrokerRefused, match="not signed"):
            await nobody.users.all()


async def test_the_doctor_says_what_brokers_do_not_know_alike(
    admin: Admin, cluster: SdkCluster
) -> None:
    limits = Limits(apart_seconds=0.0)
    await admin.users.create("alice", WORD)
    assert (await examine(admin, limits)).findings == ()
    await admin.users.create("bob", WORD, broker="b")
    await admin.acls.save("User:alice", [ORDERS], broker="a")
    told = await examine(admin, limits)
    assert [(one.check, one.subject, one.command) for one in told.findings] == [
        ("users are known alike", "bob", "pocketmq user list"),
        ("users are known alike", "alice", "pocketmq acl list"),
    ]
    assert WORD.reveal() not in str(told)
    async with Admin(cluster.address, credentials=Credentials("alice", WORD.reveal())) as alice:
        told = await examine(alice, limits)
    assert any("Users and rules were not compared" in one.what for one in told.findings)


async def test_a_broker_that_gives_no_reason_is_asked_for_its_settings(
    admin: Admin, cluster: SdkCluster
) -> None:
    """As Apache's, whose remark says only that an error occurred."""
    async with scripted_broker() as other:
        other.other_codes = dict.fromkeys(
            (RequestCode.AUTH_LIST_USER, RequestCode.AUTH_LIST_ACL), 1
        )
        await cluster.register("other", other.address, "orders")
        with pytest.raises(
            AccessUnavailable, match="as no provider is configured; set auth"
        ) as why:
            await admin.acls.all(broker="other")
        assert why.value.to_set == APACHE_PROVIDERS
        found = await admin.users.all()
        assert (found.brokers, list(found.problems)) == (("a", "b"), ["other"])
        other.other_codes[RequestCode.AUTH_LIST_USER] = 3
        with pytest.raises(AccessUnavailable, match="they need RocketMQ"):
            await admin.users.all(broker="other")


async def test_a_broker_without_users_says_what_to_set(tmp_path: Path) -> None:
    async with sdk_cluster(tmp_path) as cluster, Admin(cluster.address) as admin:
        with pytest.raises(AccessUnavailable, match="access control is off") as raised:
            await admin.users.all()
        assert list(raised.value.to_set) == ["initAuthenticationUser"]
        with pytest.raises(AccessUnavailable):
            await admin.acls.all()
