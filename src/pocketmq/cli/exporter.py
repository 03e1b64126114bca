"""`pocketmq exporter`: metrics and health of any RocketMQ, from a process of its own."""

from __future__ import annotations

import os

import click

from pocketmq.cli.children import PARENT_OPTION, serve_until_stdin_closes
from pocketmq.cli.commands import Verb
from pocketmq.cli.connecting import client_config, reaching
from pocketmq.cli.logs import set_up_logs
from pocketmq.cli.running import Processes, run, serve

DEFAULT_PORT = 5557
_NICER = 5


@click.command(
    cls=Verb,
    examples=(
        ("pocketmq exporter", "measure the cluster of this machine's name server"),
        ("pocketmq exporter -n 10.0.0.1:9876 --host 0.0.0.0", "let Prometheus come from elsewhere"),
        ("pocketmq exporter --broker 10.0.0.5:10911", "measure one broker, without a name server"),
    ),
)
@reaching
@click.option("--broker", metavar="HOST:PORT", help="Measure this broker alone.")
@click.option(
    "--host", metavar="ADDRESS", default="127.0.0.1", show_default=True, help="Listen here."
)
@click.option(
    "--port",
    metavar="PORT",
    type=click.IntRange(0, 65_535),
    default=DEFAULT_PORT,
    show_default=True,
    help="Listen on this port; 0 takes a free one.",
)
@click.option(
    "--log-format",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="Write logs for people or for machines.",
)
@click.option(PARENT_OPTION, "is_child", is_flag=True, hidden=True)
def exporter(
    nameserver: str | None,
    broker: str | None,
    host: str,
    port: int,
    log_format: str,
    is_child: bool,
) -> None:
    """Serve Prometheus metrics of a cluster, ours or Apache's.

    /metrics has the names of Apache RocketMQ 5, /healthz says that this process lives, /readyz
    whether a broker takes messages.
    """
    from pocketmq.metrics import Collector
    from pocketmq.metrics.http import ExporterServer
    from pocketmq.net import ListenConfig, bind

    set_up_logs("json" if log_format == "json" else "text", "info")
    config = client_config(broker or nameserver)
    listener = bind(ListenConfig(host=host, port=port))
    asked = f"broker {broker}" if broker else f"name server {';'.join(config.name_servers)}"

    async def start(processes: Processes) -> None:
        collector = Collector(config, broker=broker)
        await processes.start(collector)
        server = ExporterServer(collector, listener)
        await processes.start(server)
        if not is_child:
            click.echo(f"http://{server.address}/metrics has the metrics of {asked}")
            click.echo("Stop with Ctrl-C.")

    if is_child:
        os.nice(_NICER)  # the broker comes first
    try:
        run(serve_until_stdin_closes(start) if is_child else serve(start))
    finally:
        listener.close()
