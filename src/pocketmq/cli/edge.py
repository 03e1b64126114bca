"""`pocketmq edge`: the console alone, in front of any cluster; and how `up` starts it beside."""

from __future__ import annotations

import importlib.util
import logging
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import click

from pocketmq.cli.configuring import Flags, configured
from pocketmq.cli.connecting import DEFAULT_NAME_SERVER
from pocketmq.cli.logs import set_up_logs
from pocketmq.cli.running import Processes, run, serve
from pocketmq.client.config import TlsConfig
from pocketmq.console.config import ConsoleConfig
from pocketmq.console.listening import exposure_problem, listen, url_of
from pocketmq.edge.config import EdgeConfig
from pocketmq.errors import ConfigError, ListenFailed
from pocketmq.security import Credentials
from pocketmq.settings import Entry, Resolved, settings_of
from pocketmq.settings.values import show

_log = logging.getLogger(__name__)

_CHILD = "pocketmq.cli.beside"
_NEEDED = ("starlette", "uvicorn")


@click.command()
@click.option(
    "-n",
    "--nameserver",
    metavar="HOST:PORT",
    help=f"Its name servers, split by `;`; else NAMESRV_ADDR, else {DEFAULT_NAME_SERVER}.",
)
@click.option("--port", "--console-port", metavar="PORT", help="Listen on this port, not 8080.")
@click.option("--host", metavar="ADDRESS", help="Listen here instead of 127.0.0.1.")
@click.option(
    "--users",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Those who may log in; `pocketmq console user add` writes it.",
)
@click.option("--read-only", is_flag=True, help="Refuse every change.")
@click.option(
    "-c",
    "--config",
    "files",
    type=click.Path(path_type=Path),
    multiple=True,
    metavar="FILE",
    help="Read a TOML file.",
)
@click.option("--set", "sets", multiple=True, metavar="NAME=VALUE", help="Set anything.")
@click.option(
    "--log-format", type=click.Choice(["text", "json"]), default="text", show_default=True
)
@click.option(
    "--log-level",
    type=click.Choice(["debug", "info", "warning", "error"]),
    default="info",
    show_default=True,
)
def edge(nameserver: str | None, **options: Any) -> None:
    """Start the web console alone, in front of any RocketMQ cluster, Apache's too."""
    check_installed()
    given = (
        ("edge.name_servers", nameserver, "--nameserver"),
        ("console.listen.port", options["port"], "--port"),
        ("console.listen.host", options["host"], "--host"),
        ("console.users", options["users"], "--users"),
        ("console.read_only", options["read_only"] or None, "--read-only"),
    )
    flags = Flags(
        files=options["files"],
        sets=options["sets"],
        extra=[Entry(name, value, where) for name, value, where in given if value is not None],
    )
    sections = {"edge": EdgeConfig(name_servers=""), "console": ConsoleConfig()}
    with configured(sections, flags, client_variables=True) as resolved:
        set_up_logs(options["log_format"], options["log_level"])
        for warning in resolved.warnings:
            _log.warning("%s", warning)
        config = resolved.config(EdgeConfig)
        if not config.name_servers:
            config = replace(config, name_servers=DEFAULT_NAME_SERVER)
        run(serve(lambda processes: _start(processes, config, resolved.config(ConsoleConfig))))


async def _start(processes: Processes, config: EdgeConfig, console: ConsoleConfig) -> None:
    from pocketmq.cli.banner import show_banner
    from pocketmq.edge.app import EdgeApp

    app = EdgeApp(config, console)
    await processes.start(app)
    rows = [("console", app.url), ("name servers", config.name_servers)]
    show_banner(rows, f"Open {app.url} in a browser.")


def check_installed() -> None:
    """Raise ConfigError when the libraries that the console needs are missing."""
    missing = [name for name in _NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        raise ConfigError(
            f"the console needs {' and '.join(missing)}; install it with: "
            "pip install 'pocketmq[server]'"
        )


@dataclass(frozen=True, slots=True)
class Reaching:
    """How the console reaches the servers that it is started beside.

    `tls` tells how to speak with servers that take nothing else, `credentials` sign requests.
    `guarded`: the broker asks everybody who they are, so the console does, too.
    """

    name_servers: str
    tls: TlsConfig | None = None
    credentials: Credentials | None = None
    guarded: bool = False

    def settings(self) -> dict[str, str]:
        """The same as settings of the edge."""
        settings = {"edge.name_servers": self.name_servers}
        if self.tls is not None:
            settings["edge.tls"] = show(True)
            settings |= {
                f"edge.tls_{name}": getattr(self.tls, name)
                for name in ("authorities", "certificate", "key", "key_password")
            }
        if self.credentials is not None:
            settings["edge.access_key"] = self.credentials.access_key
            settings["edge.secret_key"] = self.credentials.secret_key
        return settings


async def start_beside(
    processes: Processes, resolved: Resolved, reaching: Reaching, options: dict[str, Any]
) -> str:
    """Start the console as a child of `up`; return its address, "" when there is none.

    What is wrong with the console is a warning, as the broker runs without it; but a port that
    somebody asked for and that is busy is an error.
    """
    config = resolved.config(ConsoleConfig)
    if not config.enabled:
        return ""
    if sys.platform == "win32":
        _log.warning("up starts no console on Windows; start it with: pocketmq edge")
        return ""
    if reaching.guarded and "console.broker_login" not in resolved.origins:
        # It signs as a super user, so whoever comes in unasked could do everything.
        config = replace(config, broker_login=True)
    problem = exposure_problem(config)
    if problem is not None:
        _log.warning("the console stays on 127.0.0.1, because %s", problem)
        config = replace(config, listen=replace(config.listen, host="127.0.0.1"))
    try:
        check_installed()
        listener = listen(config)
    except (ConfigError, ListenFailed) as error:
        if "console.listen.port" in resolved.origins:
            raise
        _log.warning("%s", error)
        return ""
    from pocketmq.edge.supervisor import EdgeSupervisor

    settings = {f"console.{one.path}": show(one.default) for one in settings_of(config)}
    document = {
        "settings": settings | reaching.settings(),
        "log_format": options["log_format"],
        "log_level": options["log_level"],
    }
    command = (sys.executable, "-m", _CHILD)
    await processes.start(EdgeSupervisor(command, listener, document))
    return url_of(listener)
