"""What all commands that ask a cluster have in common: where it is, who asks, and how to answer.

A command says what it asks and how the answer is shown; `report` does the rest: JSON for scripts,
and with `--watch` the same again and again.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Coroutine
from typing import TYPE_CHECKING, Any, TypeVar

import click

from pocketmq.cli import terminal
from pocketmq.cli.completing import complete_name_server
from pocketmq.cli.own_tls import PASSWORD_VARIABLE
from pocketmq.errors import ConfigError, PocketMQError

if TYPE_CHECKING:
    from pocketmq.admin import Admin
    from pocketmq.client.config import ClientConfig, TlsConfig

T = TypeVar("T")

DEFAULT_NAME_SERVER = "127.0.0.1:9876"
CALL_TIMEOUT_MS = 10_000
"""More than clients allow: a broker may have thousands of topics to tell of."""
_WATCH_SECONDS_MIN = 0.2
_CLEAR = "\x1b[H\x1b[2J\x1b[3J"
_HOME, _LINE_END, _REST = "\x1b[H", "\x1b[K\n", "\x1b[J"


def _remember(ctx: click.Context, param: click.Parameter, value: Any) -> Any:
    """Keep an option for `ask`, so that commands need not hand it on."""
    assert param.name is not None
    ctx.find_root().meta[f"pocketmq.{param.name}"] = value
    return value


def _remembered(name: str) -> Any:
    context = click.get_current_context(silent=True)
    return None if context is None else context.find_root().meta.get(f"pocketmq.{name}")


nameserver_option = click.option(
    "-n",
    "--nameserver",
    metavar="HOST:PORT",
    shell_complete=complete_name_server,
    help=f"Its name servers, split by `;`; else NAMESRV_ADDR, else {DEFAULT_NAME_SERVER}.",
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON, for scripts.")
yes_option = click.option("-y", "--yes", is_flag=True, help="Do not ask whether it is meant.")
_identity_options = (
    click.option(
        "--access-key",
        metavar="NAME",
        envvar="ROCKETMQ_ACCESS_KEY",
        callback=_remember,
        expose_value=False,
        help="Sign requests as this user; else ROCKETMQ_ACCESS_KEY.",
    ),
    click.option(
        "--secret-key",
        metavar="KEY",
        envvar="ROCKETMQ_SECRET_KEY",
        callback=_remember,
        expose_value=False,
        help="The user's secret; rather set ROCKETMQ_SECRET_KEY, which others cannot see.",
    ),
    click.option(
        "--tls",
        is_flag=True,
        callback=_remember,
        expose_value=False,
        help="Connect by TLS, trusting the system's authorities.",
    ),
    *(
        click.option(
            f"--tls-{what}",
            metavar="FILE",
            envvar=f"POCKETMQ_TLS_{what.upper()}",
            callback=_remember,
            expose_value=False,
            help=f"{help_text}; else POCKETMQ_TLS_{what.upper()}.",
        )
        for what, help_text in (
            ("authorities", "The same, trusting the authorities in this PEM file"),
            ("certificate", "The same, showing this certificate where one is asked for"),
            ("key", "Its private key"),
        )
    ),
)
watch_option = click.option(
    "--watch",
    metavar="SECONDS",
    type=click.FloatRange(min=_WATCH_SECONDS_MIN),
    callback=_remember,
    expose_value=False,
    help="Show it again every so many seconds, until Ctrl-C.",
)


def reaching(command: Callable[..., Any]) -> Callable[..., Any]:
    """Options that tell where a cluster is and who asks."""
    for option in reversed((nameserver_option, *_identity_options)):
        command = option(command)
    return command


def asking(command: Callable[..., Any]) -> Callable[..., Any]:
    """Options of a command that asks and prints."""
    for option in reversed((nameserver_option, json_option, *_identity_options)):
        command = option(command)
    return command


def watching(command: Callable[..., Any]) -> Callable[..., Any]:
    """The same, and the option to look again and again; for commands that use `report`."""
    return watch_option(asking(command))


def name_server_of(nameserver: str | None) -> str:
    """The name servers meant."""
    return nameserver or os.environ.get("NAMESRV_ADDR") or DEFAULT_NAME_SERVER


def client_config(nameserver: str | None, **settings: Any) -> ClientConfig:
    """How to reach the cluster that the options of this command name. Raise ConfigError."""
    from pocketmq.client.config import ClientConfig, parse_name_servers

    access, secret = _remembered("access_key"), _remembered("secret_key")
    credentials = None
    if access or secret:
        from pocketmq.security import Credentials

        if not (access and secret):
            raise ConfigError("--access-key and --secret-key belong together; give both")
        credentials = Credentials(access, secret)
    return ClientConfig(
        parse_name_servers(name_server_of(nameserver)),
        credentials=credentials,
        tls=_tls(),
        **{"call_timeout_ms": CALL_TIMEOUT_MS, **settings},
    )


def _tls() -> TlsConfig | bool:
    from pocketmq.client.config import TlsConfig

    config = TlsConfig(
        authorities=_remembered("tls_authorities") or "",
        certificate=_remembered("tls_certificate") or "",
        key=_remembered("tls_key") or "",
        key_password=os.environ.get(PASSWORD_VARIABLE, ""),
    )
    if config.key and not config.certificate:
        raise ConfigError("--tls-key belongs to a --tls-certificate; give both")
    return config if config.authorities or config.certificate else bool(_remembered("tls"))


def ask(nameserver: str | None, question: Callable[[Admin], Awaitable[T]]) -> T:
    """The answer of a cluster to a question."""
    from pocketmq.admin import Admin

    async def main() -> T:
        async with Admin(client_config(nameserver)) as admin:
            return await question(admin)

    return run_client(main())


def report(
    nameserver: str | None,
    question: Callable[[Admin], Awaitable[T]],
    show: Callable[[T], object],
    *,
    as_json: bool,
    to_json: Callable[[T], object] = lambda answer: answer,
) -> None:
    """Show a cluster's answer to a question, with `--watch` again and again."""
    from pocketmq.admin import Admin
    from pocketmq.cli.tables import print_json

    seconds: float | None = _remembered("watch")

    async def main() -> None:
        async with Admin(client_config(nameserver)) as admin:
            answer = await question(admin)
            if seconds is None:
                print_json(to_json(answer)) if as_json else show(answer)
                return
            if as_json:
                await _repeat(
                    admin, question, lambda found: print_json(to_json(found), one_line=True)
                )
            else:
                await _repeat(admin, question, lambda found: _frame(seconds, show, found))

    async def _repeat(
        admin: Admin, question: Callable[[Admin], Awaitable[T]], draw: Callable[[T], object]
    ) -> None:
        assert seconds is not None
        if terminal.is_terminal() and not as_json:
            sys.stdout.write(_CLEAR)
        while True:
            try:
                draw(await question(admin))
            except PocketMQError as error:
                from pocketmq.cli.exits import message_of

                click.echo(f"pocketmq: {message_of(error)}", err=True)
            sys.stdout.flush()
            await asyncio.sleep(seconds)

    run_client(main())


def _frame(seconds: float, show: Callable[[T], object], answer: T) -> None:
    """Draw one picture: on a terminal over the last one, else behind it."""
    if not terminal.is_terminal():
        show(answer)
        terminal.echo()
        return
    with terminal.captured() as collected:
        show(answer)
    from datetime import datetime

    now = datetime.now().strftime("%H:%M:%S")
    head = terminal.paint(f"{now}, every {seconds:g} s; Ctrl-C ends it", dim=True)
    lines = [head, "", *collected.getvalue().splitlines()]
    room = terminal.size()[1] - 1
    if len(lines) > room:
        more = len(lines) - room + 1
        lines = [*lines[: room - 1], terminal.paint(f"… {more} more lines", dim=True)]
    sys.stdout.write(_HOME + "".join(line + _LINE_END for line in lines) + _REST)


def run_client(
    main: Coroutine[Any, Any, T],
    new_loop: Callable[[], asyncio.AbstractEventLoop] = asyncio.new_event_loop,
) -> T:
    """Run a coroutine; Ctrl-C ends it in order. Raise KeyboardInterrupt then."""
    loop = new_loop()
    try:
        asyncio.set_event_loop(loop)
        task = loop.create_task(main)
        heard = _on_signals(loop, task)
        try:
            return loop.run_until_complete(task)
        except asyncio.CancelledError:
            raise KeyboardInterrupt from None
        finally:
            for number in heard:
                loop.remove_signal_handler(number)
            loop.run_until_complete(loop.shutdown_asyncgens())
    finally:
        asyncio.set_event_loop(None)
        loop.close()


def _on_signals(loop: asyncio.AbstractEventLoop, task: asyncio.Task[Any]) -> list[int]:
    """Let signals cancel a task, where the system and the thread allow it."""
    heard = []
    for number in (signal.SIGINT, signal.SIGTERM):
        try:
            loop.add_signal_handler(number, task.cancel)
        except (RuntimeError, ValueError):  # on this system, or in this thread, there are none
            break
        heard.append(int(number))
    return heard


def confirm(question: str, *, yes: bool) -> None:
    """Ask whether it is meant, unless `--yes` was given. Raise click.Abort if not."""
    if yes:
        return
    if not sys.stdin.isatty():
        raise ConfigError(f"{question} Nobody can be asked here; say --yes if it is meant")
    click.confirm(question, abort=True, err=True)
