"""Logging in to the console with the users of brokers of both kinds."""

from __future__ import annotations

import pytest
from tests.compat.access.guarded import KINDS, ROOT, Guarded
from tests.support.console import console

from pocketmq.security import Credentials

VIC = Credentials("vic", "vic-secret")


@pytest.mark.parametrize("kind", KINDS)
async def test_users_of_brokers_log_in_to_the_console(kind: str, both: dict[str, Guarded]) -> None:
    both[kind].create_user(VIC)
    async with console(both[kind].name_server, credentials=ROOT, broker_login=True) as browser:
        assert (await browser.login(VIC.access_key, "wrong")).status == 401
        assert (await browser.login("nobody", "wrong")).status == 401
        assert (await browser.login(VIC.access_key, VIC.secret_key)).tree["role"] == "viewer"
        assert (await browser.get("/access")).status == 403
        assert (await browser.login(ROOT.access_key, ROOT.secret_key)).tree["role"] == "admin"
        page = await browser.get("/access")
    assert "vic" in {user["name"] for user in page.tree["users"]}
    assert VIC.secret_key.encode() not in page.body
