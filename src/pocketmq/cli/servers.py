"""`pocketmq up`, `nameserver` and `broker`: the commands that start servers."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from pocketmq.cli.banner import Row, program, show_banner
from pocketmq.cli.children import exporter_of
from pocketmq.cli.commands import Noun
from pocketmq.cli.configuring import Flags, configured
from pocketmq.cli.connecting import name_server_of
from pocketmq.cli.logs import Format, set_up_logs
from pocketmq.cli.own_tls import own_tls
from pocketmq.cli.running import Processes, run, serve
from pocketmq.errors import ListenFailed
from pocketmq.settings import Entry, Resolved

if TYPE_CHECKING:
    from pocketmq.broker.config import BrokerConfig
    from pocketmq.nameserver.config import NameServerConfig
    from pocketmq.security import Credentials

_log = logging.getLogger(__name__)

_SHARED = (
    click.option(
        "-c",
        "--config",
        "files",
        type=click.Path(path_type=Path),
        multiple=True,
        metavar="FILE",
        help="Read a TOML file, or an Apache broker.conf or namesrv.conf as it is.",
    ),
    click.option(
        "--set",
        "sets",
        multiple=True,
        metavar="NAME=VALUE",
        help="Set anything, by RocketMQ's name or ours.",
    ),
    click.option("--host", metavar="ADDRESS", help="Listen here instead of 127.0.0.1."),
    click.option(
        "--data",
        type=click.Path(path_type=Path, file_okay=False),
        metavar="DIR",
        help="Keep the data here instead of in the user's data directory.",
    ),
    click.option(
        "--ephemeral",
        is_flag=True,
        help="Keep the data in memory; it is gone at exit.",
    ),
    click.option(
        "--log-format",
        type=click.Choice(["text", "json"]),
        default="text",
        show_default=True,
        help="Write logs for people or for machines.",
    ),
    click.option(
        "--log-level",
        type=click.Choice(["debug", "info", "warning", "error"]),
        default="info",
        show_default=True,
        help="Write logs from this level up.",
    ),
)
_NAME_SERVER_PORT = click.option(
    "--nameserver-port", metavar="PORT", help="The name server's port, if not 9876."
)
_BROKER_PORT = click.option(
    "--broker-port", metavar="PORT", help="The broker's port, if not 10911."
)


def _shared(command: Callable[..., None]) -> Callable[..., None]:
    for option in reversed(_SHARED):
        command = option(command)
    return command


@click.command()
@_NAME_SERVER_PORT
@_BROKER_PORT
@click.option("--console-port", metavar="PORT", help="The web console's port, if not 8080.")
@click.option("--no-console", is_flag=True, help="Start no web console.")
@_shared
def up(
    nameserver_port: str | None,
    broker_port: str | None,
    console_port: str | None,
    no_console: bool,
    **options: Any,
) -> None:
    """Start a name server, a broker and the web console."""
    from pocketmq.broker.config import BrokerConfig
    from pocketmq.console.config import ConsoleConfig
    from pocketmq.nameserver.config import NameServerConfig

    sections = {
        "broker": BrokerConfig(),
        "nameserver": NameServerConfig(),
        "console": ConsoleConfig(),
    }
    extra = _ports(nameserver_port, broker_port)
    if console_port is not None:
        extra.append(Entry("console.listen.port", console_port, "--console-port"))
    if no_console:
        extra.append(Entry("console.enabled", "false", "--no-console"))
    flags = _flags(options, extra)
    with configured(sections, flags) as resolved:
        _begin(resolved, options)
        root = resolved.config(BrokerConfig).store.root
        root.mkdir(parents=True, exist_ok=True)
        _serve(flags, root, lambda p: _start_both(p, resolved, options))


@click.command()
@click.option("--port", "--nameserver-port", metavar="PORT", help="Listen on this port, not 9876.")
@_shared
def nameserver(port: str | None, **options: Any) -> None:
    """Start a name server alone."""
    from pocketmq.nameserver.config import NameServerConfig

    flags = _flags(options, _ports(port, None))
    with configured({"nameserver": NameServerConfig()}, flags) as resolved:
        _begin(resolved, options)
        config = resolved.config(NameServerConfig)

        async def start(processes: Processes) -> None:
            address = await _start_name_server(processes, config)
            _ready([("name server", address)], _try_client(address), options)

        _serve(flags, None, start)


@click.group(
    cls=Noun,
    invoke_without_command=True,
    places={
        "list": ("pocketmq.cli.broker_list", "list_brokers"),
        "show": ("pocketmq.cli.broker_list", "show_broker"),
        "settings": ("pocketmq.cli.broker_list", "broker_settings"),
        "drain": ("pocketmq.cli.broker_drain", "drain"),
        "resume": ("pocketmq.cli.broker_drain", "resume"),
    },
)
@click.option("--port", "--broker-port", metavar="PORT", help="Listen on this port, not 10911.")
@click.option(
    "-n",
    "--nameserver",
    "name_servers",
    metavar="HOST:PORT",
    help="Register with these name servers, split by `;`.",
)
@_shared
@click.pass_context
def broker(
    ctx: click.Context, /, port: str | None, name_servers: str | None, **options: Any
) -> None:
    """Start a broker alone, or with one of the commands below care for brokers that run."""
    if ctx.invoked_subcommand is not None:
        _check_no_options(ctx)
        return
    from pocketmq.broker.config import BrokerConfig

    extra = _ports(None, port)
    if name_servers is not None:
        extra.append(Entry("broker.registration.name_servers", name_servers, "--nameserver"))
    flags = _flags(options, extra)
    with configured({"broker": BrokerConfig()}, flags, client_variables=True) as resolved:
        _begin(resolved, options)
        config = resolved.config(BrokerConfig)
        config.store.root.mkdir(parents=True, exist_ok=True)
        known_to = config.registration.name_servers
        if not known_to:
            _log.warning("no client will find this broker: no name server is set; use -n HOST:PORT")

        async def start(processes: Processes) -> None:
            address, _ = await _start_broker(processes, config)
            rows = _broker_rows(config, address, options)
            _ready([("name servers", known_to or "none"), *rows], _try_client(known_to), options)

        _serve(flags, config.store.root, start)


def _check_no_options(ctx: click.Context) -> None:
    """Raise UsageError for options of the start in front of a command that looks."""
    for param in ctx.command.params:
        assert param.name is not None
        if ctx.get_parameter_source(param.name) is ParameterSource.COMMANDLINE:
            raise click.UsageError(
                f"{param.opts[0]} in front of {ctx.invoked_subcommand} is for starting a broker; "
                f"options of {ctx.invoked_subcommand} come behind it.",
                ctx,
            )


def _ports(nameserver_port: str | None, broker_port: str | None) -> list[Entry]:
    given = (
        Entry("nameserver.listen.port", nameserver_port, "--nameserver-port"),
        Entry("broker.listen.port", broker_port, "--broker-port"),
    )
    return [entry for entry in given if entry.value is not None]


def _flags(options: dict[str, Any], extra: Sequence[Entry]) -> Flags:
    return Flags(
        data=options["data"],
        ephemeral=options["ephemeral"],
        host=options["host"],
        files=options["files"],
        sets=options["sets"],
        extra=extra,
    )


def _begin(resolved: Resolved, options: dict[str, Any]) -> None:
    form: Format = options["log_format"]
    set_up_logs(form, options["log_level"])
    for warning in resolved.warnings:
        _log.warning("%s", warning)


def _serve(
    flags: Flags, store_root: Path | None, start: Callable[[Processes], Awaitable[None]]
) -> None:
    def clean_up() -> None:
        if flags.ephemeral and store_root is not None:
            shutil.rmtree(store_root.parent, ignore_errors=True)

    run(serve(start, clean_up))


async def _start_both(processes: Processes, resolved: Resolved, options: dict[str, Any]) -> None:
    from pocketmq.broker.config import BrokerConfig
    from pocketmq.cli.edge import Reaching, start_beside
    from pocketmq.nameserver.config import NameServerConfig

    broker_config = resolved.config(BrokerConfig)
    name_server = await _start_name_server(processes, resolved.config(NameServerConfig))
    registration = broker_config.registration
    others = [part for part in registration.name_servers.split(";") if part]
    known_to = ";".join(dict.fromkeys([_reachable(name_server), *others]))
    config = replace(broker_config, registration=replace(registration, name_servers=known_to))
    address, credentials = await _start_broker(processes, config)
    rows = [("name server", name_server), *_broker_rows(config, address, options)]
    tls, guarded = own_tls(broker_config.listen), config.access.authentication
    reaching = Reaching(_reachable(name_server), tls, credentials, guarded)
    if config.access.authentication and credentials is None:
        _log.warning(
            "the console cannot sign, so the broker refuses all it asks; set "
            "initAuthenticationUser or innerClientAuthenticationCredentials"
        )
    console = await start_beside(processes, resolved, reaching, options)
    if console:
        rows.append(("console", console))
    _ready(rows, _try_hello(name_server), options)


async def _start_name_server(processes: Processes, config: NameServerConfig) -> str:
    from pocketmq.nameserver.app import NameServerApp

    if config.kv_path is not None:
        config.kv_path.parent.mkdir(parents=True, exist_ok=True)
    app = NameServerApp(config)
    try:
        await processes.start(app)
    except ListenFailed as error:
        raise _with_flag(error, "--nameserver-port") from None
    return str(app.address)


async def _start_broker(
    processes: Processes, config: BrokerConfig
) -> tuple[str, Credentials | None]:
    """Start a broker and what belongs to it; return its address, and what its helpers sign with."""
    from pocketmq.broker.app import BrokerApp

    _warn_of_replicas(config)
    app = BrokerApp(config)
    try:
        await processes.start(app)
    except ListenFailed as error:
        raise _with_flag(error, "--broker-port") from None
    credentials = app.running.tables.users.helper_credentials()
    exporter = exporter_of(config, _reachable(str(app.address)), credentials)
    if exporter is not None:
        await processes.start(exporter)
    return str(app.address), credentials


def _with_flag(error: ListenFailed, flag: str) -> ListenFailed:
    return ListenFailed(f"{error} ({flag} PORT)") if error.other_port_helps else error


def _warn_of_replicas(config: BrokerConfig) -> None:
    identity = config.identity
    if identity.role == "SYNC_MASTER":
        _log.warning("brokerRole=SYNC_MASTER: no send waits for a replica, as there are none yet")
    if identity.id != identity.broker_id:
        _log.warning("brokerId=%d: a master is %d in any case", identity.id, identity.broker_id)


def _broker_rows(config: BrokerConfig, address: str, options: dict[str, Any]) -> list[Row]:
    identity = config.identity
    data = str(config.store.root)
    if options["ephemeral"]:
        data += ", gone at exit"
    rows = [
        ("broker", f"{address}, {identity.broker_name} of {identity.cluster}"),
        ("data", data),
    ]
    access = config.access
    asked = {"signatures": access.authentication, "permissions": access.authorization}
    checked = " and ".join(what for what, is_on in asked.items() if is_on)
    return [*rows, ("access", f"{checked} are checked")] if checked else rows


def _ready(rows: list[Row], next_step: str, options: dict[str, Any]) -> None:
    if options["log_format"] == "json":
        _log.info("ready: %s", ", ".join(f"{label}={value}" for label, value in rows))
    else:
        show_banner(rows, next_step)


def _reachable(address: str) -> str:
    """Return an address of this machine for one that listens on all of its addresses."""
    host, _, port = address.rpartition(":")
    if host in ("0.0.0.0", ""):
        return f"127.0.0.1:{port}"
    return f"[::1]:{port}" if host in ("::", "[::]") else address


def _try_hello(name_server: str) -> str:
    address = _reachable(name_server)
    flag = "" if address == name_server_of(None) else f" -n {address}"
    return f"Next: send and receive a first message with  {program()} hello{flag}"


def _try_client(name_server: str) -> str:
    return f"Point any RocketMQ client at the name server: {name_server or 'set one with -n'}"
