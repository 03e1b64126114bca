"""Users and rules from the command line: the same checks run on PocketMQ's cluster and on Apache's.

A module that imports these tests provides the fixtures of `cli_suite`.
"""

from __future__ import annotations

import pytest
from tests.support.cli_suite import Cli, fresh

PASSWORD = "open sesame"


def _new_user(call: Cli, *words: str) -> str:
    name = fresh("cli_user")
    call("user", "create", name, "--password-stdin", *words, typed=PASSWORD.encode() + b"\n")
    return name


def test_users_are_created_changed_and_deleted(call: Cli) -> None:
    if not call.knows_attributes():
        assert "need RocketMQ 5.3 or newer" in call("user", "list", exits=4)
        return
    name, broker = fresh("cli_user"), call.broker()
    words = ("user", "create", name, "--password-stdin")
    said = call(*words, typed=PASSWORD.encode() + b"\r\n")
    assert said == f"{name} is known to {broker}\n"
    assert f"change it with `user update {name}`" in call(*words, exits=2, typed=b"other\n")
    shown = call.json("user", "show", name)
    assert (shown["name"], shown["type"], shown["enabled"]) == (name, "Normal", True)
    assert (shown["brokers"], shown["lacking"], shown["rules"]) == ([broker], [], [])
    assert "password" not in shown
    call("user", "update", name, "--disable", "--type", "super")
    shown = call.json("user", "show", name, "--show-password")
    assert (shown["type"], shown["enabled"]) == ("Super", False)
    assert shown["password"] == PASSWORD
    call("user", "update", name, "--enable", "--password-stdin", typed=b"another one\n")
    shown = call.json("user", "show", name, "--show-password")
    assert (shown["enabled"], shown["password"]) == (True, "another one")
    assert call("user", "sync", name, "-y") == "nothing had to change\n"
    assert "say --yes" in call("user", "delete", name, exits=2, typed=b"")
    assert call("user", "delete", name, "-y") == f"{name} is gone from {broker}\n"
    assert "there is no user" in call("user", "show", name, exits=1)
    assert "there is no user" in call("user", "delete", name, "-y", exits=1)
    assert "there is no user" in call("user", "update", name, "--enable", exits=2)


def test_passwords_are_printed_for_those_who_ask_alone(
    call: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not call.knows_attributes():
        assert "need RocketMQ 5.3 or newer" in call("user", "show", "alice", exits=4)
        return
    name = fresh("cli_user")
    monkeypatch.setenv("POCKETMQ_USER_PASSWORD", PASSWORD)
    call("user", "create", name, "--type", "super")
    monkeypatch.delenv("POCKETMQ_USER_PASSWORD")
    assert "It may do everything." in call("user", "show", name)
    for words in (("user", "list"), ("user", "list", "--json"), ("user", "show", name)):
        assert PASSWORD not in call(*words)
        assert PASSWORD in call(*words, "--show-password")
    assert name in call("user", "list", "--name", name)
    refused = call("user", "create", fresh("cli_user"), exits=2, typed=b"")
    assert "--password-stdin" in refused
    refused = call("user", "create", fresh("cli_user"), "--password-stdin", exits=2, typed=b"\n")
    assert "a password has 1 to" in refused
    assert "say what to change" in call("user", "update", name, exits=2)


def test_rules_are_created_changed_and_deleted(call: Cli) -> None:
    if not call.knows_attributes():
        assert "need RocketMQ 5.3 or newer" in call("acl", "list", exits=4)
        return
    name, broker = _new_user(call), call.broker()
    words = ("acl", "create", name, "--resource", "Topic:orders,topic:pay*")
    said = call(*words, "--action", "pub,SUB", "--source", "10.0.0.0/8")
    assert said == f"User:{name} has the rule on {broker}\n"
    assert "change it with `acl update`" in call(*words, "--action", "Pub", exits=2)
    (orders, pay) = call.json("acl", "show", name)["rules"]
    assert (orders["resource"], pay["resource"]) == ("Topic:orders", "Topic:pay*")
    assert (orders["actions"], orders["decision"]) == (["Pub", "Sub"], "Allow")
    assert (orders["sources"], orders["brokers"]) == (["10.0.0.0/8"], [broker])
    one = ("--resource", "Topic:orders")
    call("acl", "update", name, *one, "--deny", "--any-source")
    assert "has no rule for Topic:none" in call(
        "acl", "update", name, "--resource", "Topic:none", "--deny", exits=1
    )
    (orders, _) = call.json("acl", "show", f"User:{name}")["rules"]
    assert (orders["actions"], orders["decision"]) == (["Pub", "Sub"], "Deny")
    assert orders["sources"] == []
    assert [rule["resource"] for rule in call.json("user", "show", name)["rules"]] == [
        "Topic:orders",
        "Topic:pay*",
    ]
    found = call.json("acl", "list", "--subject", name, "--resource", "Topic:orders")
    assert [(acl["subject"], len(acl["rules"])) for acl in found] == [(f"User:{name}", 1)]
    assert f"User:{name}" in call("acl", "list")
    assert call("acl", "sync", name, "-y") == "nothing had to change\n"
    assert "say --yes" in call("acl", "delete", name, exits=2, typed=b"")
    assert call("acl", "delete", name, *one, "-y") == f"User:{name} lost it on {broker}\n"
    assert "has no rule for" in call("acl", "delete", name, *one, "-y", exits=1)
    call("acl", "delete", name, "-y")
    assert "has no rules" in call("acl", "show", name, exits=1)
    assert "has no rules" in call("acl", "delete", name, "-y", exits=1)


def test_rules_that_no_broker_takes_are_refused(call: Cli) -> None:
    words = ("acl", "create", "alice", "--resource")
    assert "write Topic:orders" in call(*words, "orders", "--action", "Pub", exits=2)
    assert "is not a kind of resource" in call(*words, "Queue:a", "--action", "Pub", exits=2)
    assert "is not an action" in call(*words, "Topic:a", "--action", "Jump", exits=2)
    assert "say what may be done" in call(*words, "Topic:a", exits=2)
    anywhere = ("--action", "Pub", "--source", "nowhere")
    assert "is no address" in call(*words, "Topic:a", *anywhere, exits=2)
    if not call.knows_attributes():
        return
    nobody = fresh("nobody")
    said = call("acl", "create", nobody, "--resource", "Topic:a", "--action", "Pub", exits=4)
    assert "not exist" in said
    assert "there is no broker" in call("user", "list", "--broker", fresh("broker"), exits=2)
    assert "there is no cluster" in call("acl", "list", "--cluster", fresh("cluster"), exits=2)


def test_a_shell_is_offered_users(call: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    name = _new_user(call) if call.knows_attributes() else ""

    def offered(line: str) -> list[str]:
        monkeypatch.setenv("_POCKETMQ_COMPLETE", "bash_complete")
        monkeypatch.setenv("COMP_WORDS", line)
        monkeypatch.setenv("COMP_CWORD", str(len(line.split(" ")) - 1))
        lines = call().splitlines()
        monkeypatch.delenv("_POCKETMQ_COMPLETE")
        return [text.partition(",")[2] for text in lines if text]

    if not name:
        assert offered("pocketmq user show ") == []
        return
    assert name in offered("pocketmq user show cli_")
    assert name in offered(f"pocketmq acl create {name[:-1]}")
    assert offered("pocketmq user cr") == ["create"]


__all__ = [name for name in globals() if name.startswith("test_")]
