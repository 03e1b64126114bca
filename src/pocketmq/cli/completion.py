"""`pocketmq completion`: what a shell needs to complete commands, flags and live names."""

from __future__ import annotations

import click

from pocketmq.cli.commands import Verb

_PROGRAM = "pocketmq"
_VARIABLE = "_POCKETMQ_COMPLETE"

# Bash splits words at colons, and so would tear -n HOST:PORT apart; this counts words by spaces.
_BASH = """\
_pocketmq_completion() {
    local line="${COMP_LINE:0:COMP_POINT}" words count kind value
    IFS=$' \\t' read -ra words <<< "$line"
    count=${#words[@]}
    [[ $line == *[[:space:]] ]] || count=$((count - 1))
    COMPREPLY=()
    while IFS=, read -r kind value; do
        case $kind in
            plain) COMPREPLY+=("$value") ;;
            file) compopt -o default ;;
            dir) compopt -o dirnames ;;
        esac
    done < <(COMP_WORDS="$line" COMP_CWORD="$count" _POCKETMQ_COMPLETE=bash_complete "$1")
}
complete -o nosort -F _pocketmq_completion pocketmq
"""


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
    if shell == "bash":
        click.echo(_BASH, nl=False)
        return
    from click.shell_completion import get_completion_class

    kind = get_completion_class(shell)
    assert kind is not None
    template = kind(ctx.find_root().command, {}, _PROGRAM, _VARIABLE)
    click.echo(template.source_template % template.source_vars())
