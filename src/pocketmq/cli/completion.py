"""`pocketmq completion`: what a shell needs to complete commands, flags and live names."""

from __future__ import annotations

import click

from pocketmq.cli.commands import Verb

_PROGRAM = "pocketmq"
_VARIABLE = "_POCKETMQ_COMPLETE"


@click.command(
    cls=Verb,
    examples=[
        ("source <(pocketmq completion bash)", "For this shell; put it into ~/.bashrc for all."),
        ("source <(pocketmq completion zsh)", "The same for zsh and ~/.zshrc."),
        (
            "pocketmq completion fish > ~/.config/fish/completions/pocketmq.fish",
            "For fish, from now on.",
        ),
    ],
)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Print a shell's completion script.

    Topics, groups, brokers and settings are completed from the cluster that -n or NAMESRV_ADDR
    names; one that does not answer within a second is not waited for.
    """
    from click.shell_completion import get_completion_class

    kind = get_completion_class(shell)
    assert kind is not None
    # The base class writes the script; that of bash would run bash to see its version first.
    template = kind(ctx.find_root().command, {}, _PROGRAM, _VARIABLE)
    click.echo(template.source_template % template.source_vars())
