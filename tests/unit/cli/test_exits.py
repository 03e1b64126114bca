"""How commands end: numbers for scripts, and one line that names the cure."""

from __future__ import annotations

import pytest

from pocketmq.cli.exits import NotThere, exit_code, message_of
from pocketmq.errors import (
    BrokerRefused,
    ConfigError,
    ConnectFailed,
    FeatureUnavailable,
    ListenFailed,
    NameServersUnreachable,
    NoRoute,
    PocketMQError,
    RpcTimeout,
    SendFailed,
    SendTimeout,
)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (NotThere("there is none"), 1),
        (NoRoute("orders", "it does not exist"), 1),
        (ConfigError("x"), 2),
        (ListenFailed("port"), 2),
        (NameServersUnreachable({"a:1": "x"}), 3),
        (ConnectFailed("x"), 3),
        (RpcTimeout("x"), 3),
        (SendTimeout("t", []), 3),
        (BrokerRefused("x", "a:1", 1, "SYSTEM_ERROR", None), 4),
        (SendFailed("t", []), 4),
        (FeatureUnavailable("x"), 4),
        (PocketMQError("x"), 2),
    ],
)
def test_each_kind_of_failure_has_its_number(error: PocketMQError, code: int) -> None:
    assert exit_code(error) == code


def test_name_servers_that_do_not_answer_are_told_with_the_cure() -> None:
    said = message_of(NameServersUnreachable({"a:1": "x [Errno 111] y", "b:2": "too\nslow"}))
    assert said == (
        "no name server answers (a:1: nobody listens there; b:2: too slow); start one with "
        "`pocketmq up`, or say where it is with -n HOST:PORT or NAMESRV_ADDR"
    )


def test_a_refusal_gets_a_cure_where_the_server_names_none() -> None:
    bare = BrokerRefused("SEND", "a:1", 26, "SUBSCRIPTION_GROUP_NOT_EXIST", "no group g")
    assert message_of(bare).endswith("no group g; create it with `pocketmq group create`")
    cured = BrokerRefused("SEND", "a:1", 26, "SUBSCRIPTION_GROUP_NOT_EXIST", "no group; make it")
    assert message_of(cured).endswith("no group; make it")
    other = BrokerRefused("SEND", "a:1", 1, "SYSTEM_ERROR", "odd")
    assert message_of(other) == "SEND: a:1 answered SYSTEM_ERROR (1): odd"
    sql = BrokerRefused("x", "a:1", 1, "SYSTEM_ERROR", "does not support SQL92")
    assert "set enablePropertyFilter=true" in message_of(sql)


def test_a_long_remark_is_one_line_that_ends() -> None:
    error = BrokerRefused("x", "a:1", 1, "SYSTEM_ERROR", "java.lang.Exception\n at y" * 200)
    said = message_of(error)
    assert "\n" not in said
    assert len(said) == 600
    assert said.endswith("…")
