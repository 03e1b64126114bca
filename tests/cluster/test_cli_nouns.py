"""`pocketmq topic`, `group`, `cluster` and `offset`, as typed."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from pocketmq.cli.main import main
from pocketmq.testing import LocalBroker

Run = Callable[..., str]


@pytest.fixture
def run(
    rocketmq: LocalBroker, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Run:
    """`run("topic", "list")`: what a command prints; it must succeed, or fail with `exits`."""
    monkeypatch.setenv("NAMESRV_ADDR", rocketmq.address)

    def call(*words: str, exits: int = 0) -> str:
        with pytest.raises(SystemExit) as ended:
            main(words)
        out, err = capsys.readouterr()
        assert ended.value.code == exits, err
        return out if exits == 0 else err

    return call


def as_json(run: Run, *words: str) -> Any:
    return json.loads(run(*words, "--json"))


def test_topics_from_the_command_line(run: Run, rocketmq: LocalBroker) -> None:
    assert run("topic", "list") == ""
    assert run("topic", "create", "orders", "--queues", "2") == "orders has 2 queues on pocketmq\n"
    rocketmq.send("orders", "pizza")
    assert run("topic", "list") == "orders\n"
    assert "TBW102" in run("topic", "list", "--all")
    shown = [line.split() for line in run("topic", "show", "orders").splitlines()]
    assert shown[1] == ["pocketmq", rocketmq.broker_address, "2", "2", "both"]
    assert shown[4][:5] == ["pocketmq", "0", "0", "1", "1"]
    assert shown[5] == ["pocketmq", "1", "0", "0", "0"]
    told = as_json(run, "topic", "show", "orders")
    assert [queue["end"] for queue in told["queues"]] == [1, 0]
    assert as_json(run, "topic", "list") == ["orders"]
    assert run("topic", "delete", "orders", "--yes") == "orders is gone from pocketmq\n"
    assert "it does not exist" in run("topic", "delete", "orders", "--yes", exits=1)


def test_a_topic_is_not_deleted_without_being_asked(
    run: Run, rocketmq: LocalBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    rocketmq.topic("orders")
    assert "say --yes if it is meant" in run("topic", "delete", "orders", exits=2)
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("click.termui.visible_prompt_func", lambda prompt: "n")
    run("topic", "delete", "orders", exits=130)
    assert run("topic", "list") == "orders\n"


def test_groups_from_the_command_line(run: Run, rocketmq: LocalBroker) -> None:
    rocketmq.topic("orders", queues=1)
    rocketmq.send("orders", "pizza")
    assert run("group", "create", "billing", "--retries", "3") == "billing is known to pocketmq\n"
    run("offset", "reset", "billing", "orders", "--to", "first", "--yes")
    rows = [line.split() for line in run("group", "list").splitlines()]
    assert rows == [["GROUP", "MEMBERS", "LAG"], ["billing", "0", "1"]]
    (queue,) = as_json(run, "group", "show", "billing")["queues"]
    assert (queue["topic"], queue["end"], queue["consumed"]) == ("orders", 1, 0)
    assert "orders" in run("group", "show", "billing")
    (moved,) = as_json(run, "offset", "reset", "billing", "orders", "--to", "end", "-y")
    assert moved["offset"] == 1
    moment = "2000-01-01T00:00:00+00:00"
    (moved,) = as_json(run, "offset", "reset", "billing", "orders", "--to", moment, "-y")
    assert moved["offset"] == 0
    assert run("group", "delete", "billing", "-y") == "billing is gone from pocketmq\n"
    assert as_json(run, "group", "list") == []


def test_a_cluster_from_the_command_line(run: Run, rocketmq: LocalBroker) -> None:
    head, row = (line.split() for line in run("cluster", "show").splitlines())
    assert head[:4] == ["CLUSTER", "BROKER", "ID", "ADDRESS"]
    assert row[:4] == ["DefaultCluster", "pocketmq", "0", rocketmq.broker_address]
    (told,) = as_json(run, "cluster", "show")
    assert told["broker"]["name"] == "pocketmq"
    assert "bootTimestamp" in told["runtime"]


@pytest.mark.parametrize(
    ("code", "words", "said"),
    [
        (1, ("topic", "show", "nothing"), "no route for topic nothing: it does not exist"),
        (2, ("topic", "create", "x", "--attribute", "odd"), "write it as NAME=VALUE"),
        (2, ("offset", "reset", "g", "t", "--to", "soon", "-y"), "say first, end, a time such as"),
        (3, ("topic", "list", "-n", "127.0.0.1:1"), "no name server answers (127.0.0.1:1: "),
    ],
)
def test_a_mistake_is_one_line_on_standard_error(
    run: Run, code: int, words: tuple[str, ...], said: str
) -> None:
    error = run(*words, exits=code)
    assert said in error
    assert error.count("\n") == 1
