"""Users and policies by request, 3001 to 3010, over real sockets."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from tests.support.access import (
    ALICE,
    INIT_USER,
    ROOT,
    access,
    acl_body,
    allow,
    ask_as,
    entry,
    make_user,
    told_as,
    user_body,
)
from tests.support.local_broker import broker_config, local_broker
from tests.support.raw_peer import RawPeer

from pocketmq.broker.access_config import AccessConfig
from pocketmq.broker.app import BrokerApp
from pocketmq.protocol.codes import RequestCode as Code
from pocketmq.protocol.codes import ResponseCode
from pocketmq.security import Credentials

BOB = Credentials("bob", "bob-secret")
ALICE_USER = {
    "username": "alice",
    "password": "alice-secret",
    "userType": "Normal",
    "userStatus": "enable",
}
MAY_READ = entry("Cluster:C", "Get")
MAY_CHANGE = entry("Cluster:C", "Get", "Update")


async def test_users_are_made_changed_shown_and_deleted(tmp_path: Path) -> None:
    async with local_broker(tmp_path, access=access()) as app, RawPeer(app.port) as peer:
        assert await told_as(peer, ROOT, Code.AUTH_GET_USER, username="alice") is None
        await make_user(peer)
        assert await told_as(peer, ROOT, Code.AUTH_GET_USER, username="alice") == ALICE_USER
        body = user_body("fresh", userStatus="DISABLE")
        await told_as(peer, ROOT, Code.AUTH_UPDATE_USER, body, username="alice")
        changed = {**ALICE_USER, "password": "fresh", "userStatus": "disable"}
        assert await told_as(peer, ROOT, Code.AUTH_GET_USER, username="alice") == changed
        await told_as(peer, ROOT, Code.AUTH_UPDATE_USER, b"{}", username="alice")
        listed = await told_as(peer, ROOT, Code.AUTH_LIST_USER)
        assert [user["username"] for user in listed] == ["alice", "root"]
        assert listed[0] == changed
        assert await told_as(peer, ROOT, Code.AUTH_LIST_USER, filter="lic") == [changed]
        assert await told_as(peer, ROOT, Code.AUTH_LIST_USER, filter="nobody") is None
        await told_as(peer, ROOT, Code.AUTH_DELETE_USER, username="alice")
        await told_as(peer, ROOT, Code.AUTH_DELETE_USER, username="alice")
        assert await told_as(peer, ROOT, Code.AUTH_GET_USER, username="alice") is None


@pytest.mark.parametrize(
    ("code", "name", "body", "expected"),
    [
        (Code.AUTH_CREATE_USER, "", user_body("p"), ResponseCode.INVALID_PARAMETER),
        (Code.AUTH_CREATE_USER, " ", user_body("p"), ResponseCode.NO_PERMISSION),
        (Code.AUTH_CREATE_USER, "new", user_body(), ResponseCode.NO_PERMISSION),
        (Code.AUTH_CREATE_USER, "new", user_body(" "), ResponseCode.NO_PERMISSION),
        (Code.AUTH_CREATE_USER, "root", user_body("p"), ResponseCode.NO_PERMISSION),
        (Code.AUTH_CREATE_USER, "new", b"", ResponseCode.SYSTEM_ERROR),
        (Code.AUTH_CREATE_USER, "a\nb", user_body("p"), ResponseCode.INVALID_PARAMETER),
        (Code.AUTH_CREATE_USER, "a" * 256, user_body("p"), ResponseCode.INVALID_PARAMETER),
        (Code.AUTH_CREATE_USER, "new", user_body("p" * 1025), ResponseCode.INVALID_PARAMETER),
        (Code.AUTH_UPDATE_USER, "", user_body("p"), ResponseCode.INVALID_PARAMETER),
        (Code.AUTH_UPDATE_USER, "new", user_body("p"), ResponseCode.NO_PERMISSION),
        (Code.AUTH_DELETE_USER, "", b"", ResponseCode.NO_PERMISSION),
        (Code.AUTH_GET_USER, "", b"", ResponseCode.INVALID_PARAMETER),
    ],
)
async def test_a_wrong_request_about_a_user_is_refused(
    tmp_path: Path, code: int, name: str, body: bytes, expected: int
) -> None:
    async with local_broker(tmp_path, access=access()) as app, RawPeer(app.port) as peer:
        answer = await ask_as(peer, ROOT, code, body, username=name)
        assert answer.code == expected
        assert [user.name for user in app.running.tables.users.all()] == ["root"]


async def test_only_super_users_touch_super_users(tmp_path: Path) -> None:
    async with local_broker(tmp_path, access=access()) as app, RawPeer(app.port) as peer:
        await make_user(peer, ALICE, MAY_CHANGE)
        of_root = {"username": "root"}
        for code, body, fields, expected in (
            (Code.AUTH_CREATE_USER, user_body("p", userType="super"), {"username": "x"}, 1),
            (Code.AUTH_UPDATE_USER, user_body(userType="Super"), {"username": "alice"}, 1),
            (Code.AUTH_UPDATE_USER, user_body("taken"), of_root, 16),
            (Code.AUTH_DELETE_USER, b"", of_root, 16),
        ):
            assert (await ask_as(peer, ALICE, code, body, **fields)).code == expected
        await told_as(peer, ALICE, Code.AUTH_CREATE_USER, user_body("p"), username="carol")
        users = {user.name: user for user in app.running.tables.users.all()}
        assert [(u.name, u.is_super) for u in users.values()] == [
            ("alice", False),
            ("carol", False),
            ("root", True),
        ]
        assert users["root"].password == ROOT.secret_key
        await told_as(
            peer, ROOT, Code.AUTH_CREATE_USER, user_body("p", userType="Super"), username="s"
        )


async def test_policies_are_made_changed_shown_and_deleted(tmp_path: Path) -> None:
    async with local_broker(tmp_path, access=access()) as app, RawPeer(app.port) as peer:
        await make_user(peer)
        alice = {"subject": "User:alice"}
        assert await told_as(peer, ROOT, Code.AUTH_GET_ACL, **alice) is None
        first = entry("Topic:orders", "pub", "SUB", sources=["10.0.0.0/8", "::1"])
        second = entry("Group:*", "All", decision="deny")
        await told_as(peer, ROOT, Code.AUTH_CREATE_ACL, acl_body(first, second), **alice)
        shown = {
            "subject": "User:alice",
            "policies": [
                {
                    "policyType": "Custom",
                    "entries": [
                        {**first, "actions": ["Pub", "Sub"]},
                        {**second, "decision": "Deny"},
                    ],
                }
            ],
        }
        assert await told_as(peer, ROOT, Code.AUTH_GET_ACL, **alice) == shown
        await told_as(
            peer, ROOT, Code.AUTH_UPDATE_ACL, acl_body(entry("Topic:orders", "Get")), **alice
        )
        await told_as(
            peer, ROOT, Code.AUTH_CREATE_ACL, acl_body(MAY_READ, policy="default"), **alice
        )
        (listed,) = await told_as(peer, ROOT, Code.AUTH_LIST_ACL)
        assert [policy["policyType"] for policy in listed["policies"]] == ["Custom", "Default"]
        assert listed["policies"][0]["entries"][0] == entry("Topic:orders", "Get")
        only = await told_as(peer, ROOT, Code.AUTH_LIST_ACL, resourceFilter="Cluster")
        assert only[0]["policies"] == [{"policyType": "Default", "entries": [MAY_READ]}]
        assert await told_as(peer, ROOT, Code.AUTH_LIST_ACL, subjectFilter="bob") is None
        await told_as(peer, ROOT, Code.AUTH_DELETE_ACL, **alice, resource="Topic:orders")
        await told_as(peer, ROOT, Code.AUTH_DELETE_ACL, **alice, resource="Group:*")
        left = await told_as(peer, ROOT, Code.AUTH_GET_ACL, **alice)
        assert left["policies"] == [{"policyType": "Default", "entries": [MAY_READ]}]
        await told_as(peer, ROOT, Code.AUTH_DELETE_ACL, **alice)
        assert await told_as(peer, ROOT, Code.AUTH_GET_ACL, **alice) is None


WRONG_ACLS = {
    "no body": (b"", 1),
    "no policies": (b'{"policies":[]}', 1),
    "no entries": (acl_body(), 16),
    "no resource": (acl_body(entry("Thing:x", "Pub")), 16),
    "no actions": (acl_body(entry("Topic:x")), 16),
    "an action nobody can have": (acl_body(entry("Topic:x", "Any")), 16),
    "no decision": (acl_body(entry("Topic:x", "Pub", decision="?")), 16),
    "no source": (acl_body(entry("*", "Pub", sources=["10.0"])), 16),
    "too many sources": (acl_body(entry("*", "Pub", sources=["::1"] * 101)), 16),
    "too many entries": (acl_body(*(entry(f"Topic:{i}", "Pub") for i in range(4))), 1),
}


@pytest.mark.parametrize("code", [Code.AUTH_CREATE_ACL, Code.AUTH_UPDATE_ACL])
@pytest.mark.parametrize("wrong", WRONG_ACLS)
async def test_policies_that_make_no_sense_are_refused(
    tmp_path: Path, code: int, wrong: str
) -> None:
    body, expected = WRONG_ACLS[wrong]
    config = access(entries_per_user_max=3)
    async with local_broker(tmp_path, access=config) as app, RawPeer(app.port) as peer:
        await make_user(peer)
        answer = await ask_as(peer, ROOT, code, body, subject="User:alice")
        assert (answer.code, bool(answer.remark)) == (expected, True)
        assert app.running.tables.acls.all() == []


@pytest.mark.parametrize(
    ("code", "subject", "expected"),
    [
        (Code.AUTH_CREATE_ACL, "User:nobody", 16),
        (Code.AUTH_CREATE_ACL, "alice", 1),
        (Code.AUTH_DELETE_ACL, "", 16),
        (Code.AUTH_DELETE_ACL, "User:alice", 16),
        (Code.AUTH_GET_ACL, "User:nobody", 16),
        (Code.AUTH_GET_ACL, "", 1),
    ],
)
async def test_policies_of_nobody_are_refused(
    tmp_path: Path, code: int, subject: str, expected: int
) -> None:
    async with local_broker(tmp_path, access=access()) as app, RawPeer(app.port) as peer:
        await make_user(peer)
        answer = await ask_as(peer, ROOT, code, acl_body(MAY_READ), subject=subject)
        assert (answer.code, bool(answer.remark)) == (expected, True)
        assert app.running.tables.acls.all() == []


async def test_a_resource_that_cannot_be_read_deletes_nothing(tmp_path: Path) -> None:
    async with local_broker(tmp_path, access=access()) as app, RawPeer(app.port) as peer:
        await make_user(peer, ALICE, MAY_READ)
        fields = {"subject": "User:alice", "resource": "Thing:x"}
        answer = await ask_as(peer, ROOT, Code.AUTH_DELETE_ACL, **fields)
        assert answer.code == ResponseCode.INVALID_PARAMETER
        assert app.running.tables.acls.find("User:alice") is not None


async def test_with_a_user_go_its_policies(tmp_path: Path) -> None:
    async with local_broker(tmp_path, access=access()) as app, RawPeer(app.port) as peer:
        await make_user(peer, ALICE, MAY_CHANGE)
        await told_as(peer, ROOT, Code.AUTH_DELETE_USER, username="alice")
        await make_user(peer)
        assert await told_as(peer, ROOT, Code.AUTH_GET_ACL, subject="User:alice") is None
        assert (await ask_as(peer, ALICE, Code.AUTH_LIST_USER)).code == ResponseCode.NO_PERMISSION


async def test_numbers_of_users_and_entries_are_bounded(tmp_path: Path) -> None:
    config = access(users_max=2, entries_max=1)
    async with local_broker(tmp_path, access=config) as app, RawPeer(app.port) as peer:
        await make_user(peer, ALICE, MAY_READ)
        full = await ask_as(peer, ROOT, Code.AUTH_CREATE_USER, user_body("p"), username="bob")
        assert (full.code, "users_max" in (full.remark or "")) == (1, True)
        fields = {"subject": "User:root"}
        more = await ask_as(peer, ROOT, Code.AUTH_CREATE_ACL, acl_body(MAY_READ), **fields)
        assert (more.code, "entries_max" in (more.remark or "")) == (1, True)
        await told_as(peer, ROOT, Code.AUTH_CREATE_ACL, acl_body(MAY_READ), subject="User:alice")


async def test_users_and_policies_survive_and_only_their_owner_reads_them(tmp_path: Path) -> None:
    config = access()
    async with local_broker(tmp_path, access=config) as app, RawPeer(app.port) as peer:
        await make_user(peer, ALICE, MAY_READ)
        await told_as(peer, ROOT, Code.AUTH_UPDATE_USER, user_body("fresh"), username="root")
        files = sorted((tmp_path / "config").glob("[ua][sc][el]*"))
        assert {"users.json", "acls.json"} <= {file.name for file in files}
        assert [stat.S_IMODE(file.stat().st_mode) for file in files] == [0o600] * len(files)
    async with local_broker(tmp_path, access=config) as app, RawPeer(app.port) as peer:
        assert (await ask_as(peer, ROOT, Code.AUTH_LIST_USER)).code == ResponseCode.NO_PERMISSION
        root = Credentials("root", "fresh")
        assert await told_as(peer, root, Code.AUTH_GET_USER, username="alice") == ALICE_USER
        assert await told_as(peer, ALICE, Code.AUTH_GET_USER, username="alice") == ALICE_USER


async def test_without_permissions_only_super_users_see_users(tmp_path: Path) -> None:
    config = access(authorization=False)
    async with local_broker(tmp_path, access=config) as app, RawPeer(app.port) as peer:
        await make_user(peer)
        for code in range(Code.AUTH_CREATE_USER, Code.AUTH_LIST_ACL + 1):
            answer = await ask_as(peer, ALICE, code, user_body("p"), username="root")
            assert answer.code == ResponseCode.NO_PERMISSION
            assert "not Super" in (answer.remark or "")
        assert (await ask_as(peer, ALICE, Code.GET_BROKER_RUNTIME_INFO)).code == 0


async def test_users_can_be_prepared_before_anything_is_switched_on(tmp_path: Path) -> None:
    prepared = AccessConfig(init_user=INIT_USER)
    async with local_broker(tmp_path, access=prepared) as app, RawPeer(app.port) as peer:
        assert (await ask_as(peer, None, Code.AUTH_LIST_USER)).code == ResponseCode.NO_PERMISSION
        await make_user(peer, BOB, MAY_READ)
        assert (await ask_as(peer, BOB, Code.AUTH_LIST_USER)).code == ResponseCode.NO_PERMISSION
        assert (await ask_as(peer, None, Code.GET_BROKER_RUNTIME_INFO)).code == 0
    async with local_broker(tmp_path, access=access()) as app, RawPeer(app.port) as peer:
        assert len(await told_as(peer, BOB, Code.AUTH_LIST_USER)) == 2


async def test_a_broker_without_users_says_how_to_get_some(tmp_path: Path) -> None:
    async with local_broker(tmp_path) as app, RawPeer(app.port) as peer:
        for code in range(Code.AUTH_CREATE_USER, Code.AUTH_LIST_ACL + 1):
            answer = await ask_as(peer, None, code, user_body("p"), username="x")
            assert answer.code == ResponseCode.SYSTEM_ERROR
            assert "initAuthenticationUser" in (answer.remark or "")


async def test_no_request_shows_or_changes_the_settings_secrets(tmp_path: Path) -> None:
    inner = '{"accessKey":"inner","secretKey":"inner-secret"}'
    config = access(inner_credentials=inner)
    async with local_broker(tmp_path, access=config) as app, RawPeer(app.port) as peer:
        shown = bytes((await ask_as(peer, ROOT, Code.GET_BROKER_CONFIG)).body).decode()
        assert "initAuthenticationUser=******" in shown
        assert "innerClientAuthenticationCredentials=******" in shown
        assert "authenticationEnabled=true" in shown
        assert "secret" not in repr(config) + shown
        for setting in ("authenticationEnabled=false", "initAuthenticationUser={}"):
            answer = await ask_as(peer, ROOT, Code.UPDATE_BROKER_CONFIG, setting.encode())
            assert answer.code == ResponseCode.NO_PERMISSION
        assert app.running.config.access == config


async def test_secrets_reach_no_log(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    app = BrokerApp(broker_config(tmp_path, access=access()))
    await app.start()
    try:
        async with RawPeer(app.port) as peer:
            await make_user(peer, ALICE, MAY_READ)
            await allow(peer, ALICE, MAY_CHANGE)
            await ask_as(peer, Credentials("root", "wrong-secret"), Code.AUTH_LIST_USER)
            await told_as(peer, ROOT, Code.AUTH_UPDATE_USER, user_body("p-secret"), username="root")
    finally:
        await app.stop()
    assert "alice" in caplog.text
    assert "-secret" not in caplog.text
