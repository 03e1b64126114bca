"""Users and rules from the command line, on a broker that asks who somebody is."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.support.access import INIT_USER, ROOT
from tests.support.cli_access_suite import *  # noqa: F403 - the tests to run
from tests.support.cli_suite import Cli

from pocketmq.testing import broker


@pytest.fixture(autouse=True)
def _no_leaked_resources() -> None:
    """The broker outlives a test here, so what a single test leaves open says nothing."""


@pytest.fixture(scope="module")
def name_server() -> Iterator[str]:
    settings = {
        "authenticationEnabled": True,
        "authorizationEnabled": True,
        "initAuthenticationUser": INIT_USER,
    }
    with broker(settings) as running:
        yield running.address


@pytest.fixture
def call(
    name_server: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Cli:
    monkeypatch.setenv("ROCKETMQ_ACCESS_KEY", ROOT.access_key)
    monkeypatch.setenv("ROCKETMQ_SECRET_KEY", ROOT.secret_key)
    return Cli(name_server, capsys, monkeypatch)


def test_a_user_does_what_its_rules_allow_and_no_more(
    call: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    call("topic", "create", "orders")
    call("user", "create", "till", "--password-stdin", typed=b"till secret\n")
    words = ("--access-key", "till", "--secret-key")
    refused = call("message", "send", "orders", "pizza", *words, "till secret", exits=4)
    assert "no permission to Pub Topic:orders" in refused
    call("acl", "create", "till", "--resource", "Topic:orders", "--action", "Pub")
    sent = call.json("message", "send", "orders", "pizza", *words, "till secret")
    assert sent["topic"] == "orders"
    refused = call("message", "send", "orders", "pizza", *words, "wrong", exits=4)
    assert "signature" in refused
    assert "no permission" in call("user", "list", *words, "till secret", exits=4)
    call("user", "update", "till", "--disable")
    assert "is disabled" in call("message", "send", "orders", "x", *words, "till secret", exits=4)


def test_a_broker_without_users_says_what_to_set(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with broker() as running:
        call = Cli(running.address, capsys, monkeypatch)
        said = call("user", "list", exits=4)
        assert "pocketmq: access control is off" in said
        assert "set initAuthenticationUser" in said
        assert "set initAuthenticationUser" in call("acl", "list", exits=4)
