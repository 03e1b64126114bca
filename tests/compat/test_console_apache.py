"""The console's page of users and rules in front of Apache's brokers of both generations."""

from __future__ import annotations

import uuid

import pytest
from tests.compat.conftest import Apaches
from tests.support.apache import OLD_VERSION, VERSION
from tests.support.console import console

WORD = "open sesame"


@pytest.mark.parametrize("version", [VERSION])
async def test_users_of_apaches_broker_are_managed(apaches: Apaches, version: str) -> None:
    name = f"console-{uuid.uuid4().hex[:8]}"
    rule = {"subject": name, "resource": "Topic:orders", "actions": ["Pub"], "decision": "Deny"}
    async with console(apaches(version).name_server) as browser:
        made = await browser.post("/access/users", {"name": name, "password": WORD})
        assert (made["type"], made["enabled"], made["lacking"]) == ("Normal", True, [])
        changes = {"enabled": False, "type": "Super"}
        changed = await browser.write("PATCH", f"/access/users/{name}", changes)
        assert (changed.tree["type"], changed.tree["enabled"]) == ("Super", False)
        saved = await browser.write("PUT", "/access/rules", rule)
        assert saved.tree == {"brokers": made["brokers"]}
        shown = await browser.get("/access")
        (kept,) = [one for one in shown.tree["rules"] if one["subject"] == f"User:{name}"]
        assert (kept["resource"], kept["decision"], kept["actions"]) == (
            "Topic:orders",
            "Deny",
            ["Pub"],
        )
        assert WORD.encode() not in shown.body
        (broker,) = shown.tree["brokers"]
        assert (broker["authentication"], broker["authorization"]) == (False, False)
        assert (await browser.write("DELETE", f"/access/users/{name}")).status == 200
        left = await browser.tree("/access")
        assert name not in str(left)


@pytest.mark.parametrize("version", [OLD_VERSION])
async def test_a_broker_that_is_too_old_is_explained(apaches: Apaches, version: str) -> None:
    async with console(apaches(version).name_server) as browser:
        shown = await browser.tree("/access")
    assert "need RocketMQ 5.3 or newer" in shown["unavailable"]
    assert shown["to_set"] == {}
