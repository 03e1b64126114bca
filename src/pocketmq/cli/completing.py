"""Names that a shell offers: what the live cluster has, asked for a bounded time.

A cluster that cannot be reached in time, or an error of any kind, offers nothing: a shell is no
place for error messages.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Iterable
from typing import TYPE_CHECKING, Any

import click

from pocketmq.errors import PocketMQError

if TYPE_CHECKING:
    from pocketmq.admin import Admin

PATIENCE_SECONDS = 1.0
NAMES_MAX = 1000

Names = Callable[["Admin"], Awaitable[Iterable[str]]]
Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]
Complete = Callable[[click.Context, click.Parameter, str], list[str]]


def complete_name_server(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """The name servers that the environment names."""
    known = os.environ.get("NAMESRV_ADDR", "").split(";")
    return [one for one in (*known, "127.0.0.1:9876") if one and one.startswith(incomplete)]


def _completer(names: Names) -> Complete:
    def complete(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
        try:
            with ctx.scope(cleanup=False):
                found = asyncio.run(_asked(ctx, names))
        except (PocketMQError, OSError, asyncio.TimeoutError, TimeoutError):
            return []
        return sorted(name for name in found if name.startswith(incomplete))[:NAMES_MAX]

    return complete


async def _asked(ctx: click.Context, names: Names) -> Iterable[str]:
    from pocketmq.admin import Admin
    from pocketmq.cli.connecting import client_config

    patience_ms = round(PATIENCE_SECONDS * 1000)
    config = client_config(
        ctx.params.get("nameserver"),
        connect_timeout_ms=patience_ms,
        call_timeout_ms=patience_ms,
    )
    async with Admin(config) as admin:
        return await asyncio.wait_for(names(admin), PATIENCE_SECONDS)


async def _topics(admin: Admin) -> Iterable[str]:
    return await admin.topics.names()


async def _groups(admin: Admin) -> Iterable[str]:
    return await admin.groups.names()


async def _dead(admin: Admin) -> Iterable[str]:
    from pocketmq.message.topics import DEAD_LETTER_PREFIX

    names = await admin.topics.names(everything=True)
    return [
        name[len(DEAD_LETTER_PREFIX) :] for name in names if name.startswith(DEAD_LETTER_PREFIX)
    ]


async def _brokers(admin: Admin) -> Iterable[str]:
    return {broker.name for broker in await admin.clusters.brokers()}


async def _clusters(admin: Admin) -> Iterable[str]:
    return {broker.cluster for broker in await admin.clusters.brokers()}


async def _settings(admin: Admin) -> Iterable[str]:
    brokers = await admin.clusters.masters()
    return await admin.brokers.settings(brokers[0]) if brokers else ()


async def _users(admin: Admin) -> Iterable[str]:
    return [user.name for user in (await admin.users.all()).users]


async def _subjects(admin: Admin) -> Iterable[str]:
    users, acls = await asyncio.gather(admin.users.all(), admin.acls.all())
    return {*(user.name for user in users.users), *(acl.subject for acl in acls.acls)}


complete_topic = _completer(_topics)
complete_group = _completer(_groups)
complete_dead_group = _completer(_dead)
complete_broker = _completer(_brokers)
complete_cluster = _completer(_clusters)
complete_setting = _completer(_settings)
complete_user = _completer(_users)
complete_subject = _completer(_subjects)


def topic_argument(name: str = "topic", *, required: bool = True) -> Decorator:
    """An argument that is a topic."""
    return click.argument(name, required=required, shell_complete=complete_topic)


def group_argument(name: str = "group", *, required: bool = True) -> Decorator:
    """An argument that is a consumer group."""
    return click.argument(name, required=required, shell_complete=complete_group)


def broker_option(help_text: str) -> Decorator:
    """An option that names a broker."""
    return click.option("--broker", metavar="NAME", shell_complete=complete_broker, help=help_text)


def cluster_option(help_text: str) -> Decorator:
    """An option that names a cluster."""
    return click.option(
        "--cluster", metavar="NAME", shell_complete=complete_cluster, help=help_text
    )
