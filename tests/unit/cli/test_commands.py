"""Nouns and verbs: help with examples, suggestions, and an order that stays."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

import click
import pytest

from pocketmq.cli.commands import Noun, Verb
from pocketmq.cli.main import commands, main


def leaves(group: click.Group, path: tuple[str, ...] = ()) -> Iterator[tuple[str, click.Command]]:
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        if isinstance(command, click.Group):
            yield from leaves(command, (*path, name))
        else:
            yield " ".join((*path, name)), command


ALL = dict(leaves(commands))
OPERATING = {name: one for name, one in ALL.items() if isinstance(one, Verb)}


def error_of(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    with pytest.raises(SystemExit) as ended:
        main(words)
    assert ended.value.code == 2
    return capsys.readouterr().err


def test_the_commands_there_are() -> None:
    for name in (
        "topic list|show|create|update|delete",
        "group list|show|create|update|forbid|allow|delete",
        "message send|tail|get|query|trace|resend|explain",
        "offset show|reset|skip|clone",
        "dlq list|show|redrive",
        "broker list|show|settings",
        "config list|get|set",
        "cluster show",
    ):
        noun, _, verbs = name.partition(" ")
        assert {f"{noun} {verb}" for verb in verbs.split("|")} <= set(ALL)


@pytest.mark.parametrize("name", OPERATING)
def test_a_command_says_what_it_does_and_shows_examples(name: str) -> None:
    command = OPERATING[name]
    assert command.help is not None
    assert command.help.split("\n")[0].rstrip().endswith((".", ","))
    assert command.examples, f"`{name}` has no examples"
    for typed, purpose in command.examples:
        assert f"pocketmq {name}" in typed
        assert purpose
    for param in command.params:
        if isinstance(param, click.Option) and not param.hidden:
            assert param.help, f"`{name}` {param.opts[0]} says nothing"


@pytest.mark.parametrize("name", OPERATING)
def test_examples_can_be_typed_as_they_are(name: str) -> None:
    """Each example's flags exist and its arguments are enough."""
    for typed, _ in OPERATING[name].examples:
        lexer = shlex.shlex(typed, posix=True, punctuation_chars="|<>()")
        lexer.whitespace_split = True
        words = list(lexer)
        words = words[words.index("pocketmq") + 1 + len(name.split()) :]
        end = next((at for at, word in enumerate(words) if word in ("|", ">", ")")), len(words))
        existing = [__file__ if word == "order.json" else word for word in words[:end]]
        with OPERATING[name].make_context(name, existing) as context:
            assert context.params is not None


def test_help_shows_sections_and_examples(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--help"])
    out = capsys.readouterr().out
    assert ended.value.code == 0
    for title in ("Servers:", "Messages:", "Clusters:", "Other commands:", "Examples:"):
        assert f"\n{title}\n" in out
    for name in commands.list_commands(click.Context(commands)):
        assert f"\n  {name} " in out
    with pytest.raises(SystemExit):
        main(["offset", "reset", "-h"])
    out = capsys.readouterr().out
    assert "\nExamples:\n  pocketmq offset reset billing orders --to first\n    Every" in out


def test_a_word_that_is_no_command_is_answered_with_the_nearest(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert "did you mean topic? See pocketmq --help." in error_of(capsys, "topik", "list")
    assert "did you mean list? See pocketmq topic" in error_of(capsys, "topic", "lst")
    said = error_of(capsys, "cluster", "xyzzy")
    assert "there is no command 'xyzzy'; there are show." in said


def test_a_noun_alone_shows_its_verbs(capsys: pytest.CaptureFixture[str]) -> None:
    said = error_of(capsys, "dlq")
    assert "redrive" in said
    assert "Give a group its dead letters back." in said


def test_flags_of_starting_a_broker_are_not_taken_for_those_of_looking(
    capsys: pytest.CaptureFixture[str],
) -> None:
    said = error_of(capsys, "broker", "--port", "1", "list")
    assert "--port in front of list is for starting a broker" in said


def test_verbs_keep_the_order_of_their_noun() -> None:
    noun = Noun("n", places={"b": (__name__, "_verb"), "a": (__name__, "_verb")})
    noun.add_command(click.Command("c"))
    context = click.Context(noun)
    assert noun.list_commands(context) == ["b", "a", "c"]
    assert noun.get_command(context, "a") is _verb
    assert noun.get_command(context, "z") is None


_verb = Verb("v", help="Do it.")
