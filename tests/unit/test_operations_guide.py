"""The operations guide names commands, options, settings, metrics and files that exist."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import click
import pytest

from pocketmq.broker.config import BrokerConfig
from pocketmq.cli.main import commands
from pocketmq.console.config import ConsoleConfig
from pocketmq.metrics.families import CATALOGUE
from pocketmq.settings import settings_of

ROOT = Path(__file__).parents[2]
GUIDE = ROOT / "docs" / "guides" / "operations.md"
TEXT = GUIDE.read_text(encoding="utf-8")

BLOCKS = re.findall(r"^```sh\n(.*?)^```", TEXT, re.M | re.S)
INLINE = re.findall(r"`(pocketmq [a-z][^`]*)`", TEXT)
LINES = [
    line.partition(" #")[0].strip()
    for line in (*"".join(BLOCKS).splitlines(), *INLINE)
    if re.match(r"(\S*/)?pocketmq [a-z]", line.strip())
]


@pytest.mark.parametrize("line", dict.fromkeys(LINES))
def test_a_command_of_the_guide_exists_with_its_options(line: str) -> None:
    words = shlex.split(line)[1:]
    command: click.Command = commands
    context = click.Context(commands)
    while words and isinstance(command, click.Group) and not words[0].startswith("-"):
        found = command.get_command(context, words[0])
        if found is None:
            break
        command, words = found, words[1:]
    assert command is not commands, line
    known = {name for option in command.params for name in (*option.opts, *option.secondary_opts)}
    given = {word for word in words if word.startswith("-")}
    assert given <= known, f"{line}: {given - known}"


def test_the_guide_has_commands_to_check() -> None:
    assert len(LINES) > 30


def test_every_metric_of_the_guide_is_exported() -> None:
    known = {family.name for family in CATALOGUE}
    known |= {family.name + "_bucket" for family in CATALOGUE if family.kind == "histogram"}
    named = set(re.findall(r"\b(?:rocketmq|pocketmq)_[a-z_]{3,}", TEXT))
    assert len(named) > 10
    assert named <= known, named - known


def test_every_setting_of_the_guide_exists() -> None:
    known: set[str] = set()
    for config in (BrokerConfig(), ConsoleConfig()):
        for setting in settings_of(config):
            known |= {setting.path, setting.name, *setting.declaration.aliases}
    table = TEXT[TEXT.index("## Settings that matter") : TEXT.index("## Health")]
    named = re.findall(r"`([a-z]+[A-Z]\w+)`", table)
    named += re.findall(r"--set ([\w.]+)=", TEXT)
    named += re.findall(r"config set (\w+)", TEXT)
    named += ["tls_certificate", "tls_key", "tls_mode", "secure_cookie"]
    assert len(named) > 12
    assert set(named) <= known, set(named) - known


def test_every_link_of_the_guide_leads_somewhere() -> None:
    headings = {
        re.sub(r"[^a-z0-9 -]", "", heading.lower()).strip().replace(" ", "-")
        for heading in re.findall(r"^## (.*)$", TEXT, re.M)
    }
    for target in re.findall(r"\]\(([^)]+)\)", TEXT):
        if target.startswith("#"):
            assert target[1:] in headings, target
        else:
            assert (GUIDE.parent / target).exists(), target
