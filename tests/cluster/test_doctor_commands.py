"""`pocketmq doctor` and `pocketmq message explain`, as typed; and the commands that they advise."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable
from pathlib import Path

import click
import pytest

import pocketmq.admin.doctor
import pocketmq.admin.explain
from pocketmq.cli.main import commands, main
from pocketmq.testing import LocalBroker

Run = Callable[..., tuple[int, str]]


@pytest.fixture
def run(
    rocketmq: LocalBroker, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Run:
    """`run("doctor")`: how a command exits, and what it prints."""
    monkeypatch.setenv("NAMESRV_ADDR", rocketmq.address)

    def call(*words: str) -> tuple[int, str]:
        with pytest.raises(SystemExit) as ended:
            main(words)
        out, err = capsys.readouterr()
        assert isinstance(ended.value.code, int)
        return ended.value.code, out or err

    return call


def test_a_healthy_cluster_exits_with_zero(run: Run, rocketmq: LocalBroker) -> None:
    rocketmq.topic("orders")
    code, out = run("doctor", "--interval", "0")
    assert code == 0
    assert out.startswith("Looked at 1 name server, 1 broker, ")
    assert out.endswith("checks: all is well\n")


def test_what_is_wrong_is_told_with_why_and_what_to_do(run: Run, rocketmq: LocalBroker) -> None:
    rocketmq.clock.jump(minutes=1)
    code, out = run("doctor", "--interval", "0")
    assert code == 1
    assert out.startswith("warning  The clock of broker pocketmq is ")
    assert "\n         Why: Delayed messages, retries and what is popped" in out
    assert "\n         Do:  Let both machines follow a time server" in out
    assert out.endswith("checks: 1 warning\n")
    run("topic", "create", "unread", "--permission", "write")
    code, out = run("doctor", "--interval", "0", "--json")
    assert code == 5
    told = json.loads(out)
    assert [one["severity"] for one in told["findings"]] == ["problem", "warning"]
    assert told["findings"][0]["command"] == "pocketmq topic update unread --permission both"
    assert {"check", "subject", "what", "why", "mend", "evidence"} < set(told["findings"][0])


def test_a_name_server_that_is_not_there(run: Run) -> None:
    code, out = run("doctor", "-n", "127.0.0.1:1")
    assert code == 3
    assert "The name server 127.0.0.1:1 does not answer: connection refused." in out


def test_a_message_is_explained(run: Run, rocketmq: LocalBroker) -> None:
    message_id = rocketmq.send("orders", "pizza", tag="new", keys="42")
    code, out = run("message", "explain", message_id)
    assert code == 0
    lines = out.splitlines()
    assert lines[0] == f"Message {message_id} of topic orders"
    assert lines[1].startswith("  Stored ")
    assert "  $ pocketmq group list" in out
    assert max(map(len, lines)) <= 100
    _, evidence = run("message", "explain", message_id, "--evidence")
    assert "queue_offset: 0" in evidence
    code, out = run("message", "explain", "--key", "42", "--topic", "orders", "--json")
    (life,) = json.loads(out)["messages"]
    assert (life["message_id"], life["topic"], life["groups"]) == (message_id, "orders", [])
    assert life["findings"][0]["kind"] == "stored"
    _, out = run("message", "explain", message_id, "--group", "billing", "--json")
    (group,) = json.loads(out)["messages"][0]["groups"]
    assert (group["group"], group["status"]) == ("billing", "not subscribed")


def test_a_message_that_is_not_there(run: Run) -> None:
    code, out = run("message", "explain", "nothing")
    assert code == 1
    assert "No message with id nothing was found" in out
    code, out = run("message", "explain")
    assert (code, "say either the id of a message or a key" in out) == (2, True)


def test_control_characters_in_a_message_reach_no_terminal(run: Run, rocketmq: LocalBroker) -> None:
    message_id = rocketmq.send("orders", "pizza", tag="\x1b[2J", keys="\x1b]0;x\x07")
    _, out = run("message", "explain", message_id)
    assert "\x1b" not in out
    assert "\\x1b[2J" in out


# -- advice ---------------------------------------------------------------------------------------


def _advised() -> list[str]:
    """Every command in the sources of explain and doctor, with words in place of braces."""
    found: set[str] = set()
    for package in (pocketmq.admin.explain, pocketmq.admin.doctor):
        assert package.__file__ is not None
        for path in Path(package.__file__).parent.rglob("*.py"):
            text = re.sub(r'"\s*\n\s*f?"', "", path.read_text(encoding="utf-8"))
            for command in re.findall(r'[`"](pocketmq [^`"]+)[`"]', text):
                if "{count}" in command:
                    found.add(command.replace("{count}", " --queues 4"))
                found.add(command.replace("{count}", ""))
    return sorted(found)


@pytest.mark.parametrize("line", _advised())
def test_each_command_that_is_advised_exists(line: str) -> None:
    """Parse it as the command line would, to the last option; run nothing."""
    words = shlex.split(re.sub(r"\{[^}]*\}", "4", line))[1:]
    command: click.Command = commands
    context = click.Context(commands)
    while words and isinstance(command, click.Group):
        found = command.get_command(context, words[0])
        if found is None:
            break
        command, words = found, words[1:]
        context = click.Context(command, parent=context, info_name=line)
    assert command is not commands, line
    command.make_context(line, words, resilient_parsing=False)
