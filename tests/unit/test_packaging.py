"""What is in packaging/ fits what it packages: names of metrics, commands, settings, files."""

from __future__ import annotations

import ast
import json
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest

from pocketmq.broker.config import BrokerConfig
from pocketmq.cli.main import commands
from pocketmq.console.config import ConsoleConfig
from pocketmq.metrics.families import BASE_LABELS, CATALOGUE
from pocketmq.nameserver.config import NameServerConfig
from pocketmq.settings import read_file, resolve

ROOT = Path(__file__).parents[2]
PACKAGING = ROOT / "packaging"

_NAME = re.compile(r"\b(?:rocketmq|pocketmq)_[a-z_]+")
_SELECTOR = re.compile(r"\b((?:rocketmq|pocketmq)_[a-z_]+)\{([^}]*)\}")
_LABEL = re.compile(r"([a-z_]+)\s*(?:=~|!=|=|!~)")


def _exported() -> dict[str, set[str]]:
    """The names of all samples there may be, and their labels."""
    found: dict[str, set[str]] = {}
    for family in CATALOGUE:
        labels = {*family.labels, *BASE_LABELS}
        if family.kind == "histogram":
            for suffix in ("_bucket", "_count", "_sum"):
                found[family.name + suffix] = labels | {"le"}
        else:
            found[family.name] = labels
    return found


def _expressions(tree: Any) -> Iterator[str]:
    if isinstance(tree, dict):
        for key, value in tree.items():
            if key in ("expr", "query", "definition") and isinstance(value, str):
                yield value
            yield from _expressions(value)
    elif isinstance(tree, list):
        for value in tree:
            yield from _expressions(value)


def _assert_measured(text: str) -> None:
    exported = _exported()
    for name in _NAME.findall(text):
        assert name in exported, f"no metric is called {name}: {text}"
    for name, selector in _SELECTOR.findall(text):
        unknown = set(_LABEL.findall(selector)) - exported[name]
        assert not unknown, f"{name} has no label {unknown}: {text}"


def test_every_query_of_the_dashboard_names_what_is_exported() -> None:
    dashboard = json.loads((PACKAGING / "grafana" / "pocketmq.json").read_text())
    queries = [
        text for text in _expressions(dashboard) if "rocketmq_" in text or "pocketmq_" in text
    ]
    assert len(queries) > 30
    for query in queries:
        _assert_measured(query)
        assert query.count("(") == query.count(")"), query
    identifiers = [panel["id"] for panel in dashboard["panels"]]
    assert len(set(identifiers)) == len(identifiers)


def test_every_alert_names_what_is_exported_and_what_to_do() -> None:
    text = (PACKAGING / "prometheus" / "alerts.yaml").read_text()
    rules = text.split("- alert: ")[1:]
    assert len(rules) >= 10
    for rule in rules:
        expression = rule[rule.index("expr:") : rule.index("labels:")]
        _assert_measured(expression)
        assert "summary:" in rule and "action:" in rule
        for words in re.findall(r"pocketmq ([a-z]+(?: [a-z]+)?)", rule[rule.index("action:") :]):
            _assert_command(words)


def _assert_command(words: str) -> None:
    command: click.Command = commands
    context = click.Context(commands)
    for word in words.split():
        if not isinstance(command, click.Group):
            return
        found = command.get_command(context, word)
        assert found is not None, f"there is no command pocketmq {words}"
        command = found


def test_the_settings_of_a_service_exist() -> None:
    sections = {
        "broker": BrokerConfig(),
        "nameserver": NameServerConfig(),
        "console": ConsoleConfig(),
    }
    resolved = resolve(sections, read_file(PACKAGING / "pocketmq.toml"))
    assert not resolved.warnings
    broker = resolved.config(BrokerConfig)
    assert broker.metrics.exporter == "PROM" and broker.listen.host == "0.0.0.0"
    assert not broker.topics.auto_create


def _options(words: list[str]) -> list[str]:
    return [word.split("=", 1)[0] for word in words if word.startswith("-")]


def _assert_options(words: list[str]) -> None:
    """`pocketmq WORDS` has all its options."""
    command = commands.get_command(click.Context(commands), words[0])
    assert command is not None, words
    known = {name for option in command.params for name in option.opts}
    assert set(_options(words[1:])) <= known, words


def test_the_image_and_the_services_start_commands_that_exist() -> None:
    dockerfile = (PACKAGING / "docker" / "Dockerfile").read_text().replace("\\\n", " ")
    command = ast.literal_eval(re.findall(r"^CMD (\[.*\])$", dockerfile, re.M)[-1])
    _assert_options(command)
    unit = (PACKAGING / "systemd" / "pocketmq.service").read_text()
    (line,) = re.findall(r"^ExecStart=(.*)$", unit, re.M)
    _assert_options(shlex.split(line)[1:])
    compose = (PACKAGING / "docker" / "compose.yaml").read_text()
    for name in ("nameserver", "broker", "edge"):
        section = compose.split(f"\n  {name}:\n")[1].split("\n\n")[0]
        words = re.findall(r"(?:^      - |[\[ ])(--?[a-z-]+|edge|broker|nameserver)(?==|,|$| )",
                           section.split("ports:")[0], re.M)  # fmt: skip
        assert words[0] == name
        _assert_options(words)


def test_the_build_of_the_image_has_what_it_copies() -> None:
    wanted = re.findall(
        r"^!(.*)$", (PACKAGING / "docker" / "Dockerfile.dockerignore").read_text(), re.M
    )
    assert "src" in wanted
    for name in wanted:
        assert (ROOT / name).exists(), f"Dockerfile.dockerignore lets {name} in, which is not there"


@pytest.mark.skipif(sys.platform != "linux", reason="systemd is Linux's")
@pytest.mark.parametrize("name", ["pocketmq.service", "pocketmq@.service"])
def test_the_units_are_valid(name: str, tmp_path: Path) -> None:
    tool = shutil.which("systemd-analyze")
    if tool is None:
        pytest.skip("systemd-analyze is not installed")
    program = shutil.which("true")
    text = (PACKAGING / "systemd" / name).read_text()
    unit = tmp_path / name.replace("@", "@broker")
    unit.write_text(text.replace("/opt/pocketmq/bin/pocketmq", str(program)))
    checked = subprocess.run(
        [tool, "verify", str(unit)], capture_output=True, text=True, timeout=60, check=False
    )
    told = [line for line in checked.stderr.splitlines() if unit.name in line]
    assert checked.returncode == 0 and not told, checked.stderr
