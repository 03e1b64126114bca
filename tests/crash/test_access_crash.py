"""kill -9 after a change of users and policies was answered: it is there afterwards."""

from __future__ import annotations

from pathlib import Path

from tests.support.access import (
    ALICE,
    INIT_USER,
    ROOT,
    acl_body,
    ask_as,
    entry,
    make_user,
    told_as,
    user_body,
)
from tests.support.broker_process import broker_process
from tests.support.raw_peer import RawPeer

from pocketmq.protocol.codes import RequestCode as Code
from pocketmq.security import Credentials

SETTINGS = {
    "authenticationEnabled": "true",
    "authorizationEnabled": "true",
    "initAuthenticationUser": INIT_USER,
}


async def test_every_answered_change_outlives_a_kill(tmp_path: Path) -> None:
    fresh = Credentials("root", "fresh")
    async with broker_process(tmp_path, **SETTINGS) as broker:
        async with RawPeer(broker.address.port) as peer:
            await make_user(peer, ALICE, entry("Cluster:C", "Get"), entry("Topic:t", "Pub"))
            await make_user(peer, Credentials("bob", "b"), entry("*", "All"))
            gone = acl_body(entry("Topic:t", "Pub", decision="Deny"))
            await told_as(peer, ROOT, Code.AUTH_UPDATE_ACL, gone, subject="User:alice")
            await told_as(peer, ROOT, Code.AUTH_DELETE_USER, username="bob")
            await told_as(peer, ROOT, Code.AUTH_UPDATE_USER, user_body("fresh"), username="root")
        broker.kill()
    async with (
        broker_process(tmp_path, **SETTINGS) as broker,
        RawPeer(broker.address.port) as peer,
    ):
        assert (await ask_as(peer, ROOT, Code.AUTH_LIST_USER)).code == 16
        users = await told_as(peer, ALICE, Code.AUTH_LIST_USER)
        assert {user["username"]: user["password"] for user in users} == {
            "alice": ALICE.secret_key,
            "root": fresh.secret_key,
        }
        (acl,) = await told_as(peer, fresh, Code.AUTH_LIST_ACL)
        assert acl["subject"] == "User:alice"
        assert [one["decision"] for one in acl["policies"][0]["entries"]] == ["Allow", "Deny"]
        assert broker.stop() == 0
