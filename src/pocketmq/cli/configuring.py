"""From a command's flags to configs: defaults, then files, then the environment, then flags."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pocketmq.cli.directories import (
    console_users_in,
    default_data_directory,
    ephemeral_directory,
    name_server_file_in,
    store_in,
)
from pocketmq.errors import ConfigError
from pocketmq.settings import (
    Entry,
    Names,
    Resolved,
    read_environment,
    read_file,
    read_flag,
    resolve,
)

STORE_ROOT = "broker.store.root"
NAME_SERVER_FILE = "nameserver.kvConfigPath"
CONSOLE_USERS = "console.users"


@dataclass(frozen=True, slots=True)
class Flags:
    """What the flags that all servers share say; `extra` are those of one command."""

    data: Path | None = None
    ephemeral: bool = False
    host: str | None = None
    files: Sequence[Path] = ()
    sets: Sequence[str] = ()
    extra: Sequence[Entry] = ()


@contextmanager
def configured(
    sections: Mapping[str, object], flags: Flags, *, client_variables: bool = False
) -> Iterator[Resolved]:
    """Provide the configs; an ephemeral data directory lasts as long as the context.

    `client_variables` lets variables that RocketMQ's clients use too, NAMESRV_ADDR, have a say.
    """
    if not flags.ephemeral:
        yield _resolved(sections, flags, flags.data, client_variables)
        return
    if flags.data is not None:
        raise ConfigError("--data keeps what --ephemeral throws away; give only one of them")
    with ephemeral_directory() as directory:
        yield _resolved(sections, flags, directory, client_variables)


def _resolved(
    sections: Mapping[str, object], flags: Flags, data: Path | None, client_variables: bool
) -> Resolved:
    names = Names(sections)
    entries = _places(sections, default_data_directory(), "the default data directory")
    for path in flags.files:
        entries += read_file(path)
    entries += read_environment(os.environ, names.environment if client_variables else {})
    if data is not None:
        entries += _places(sections, data, "--data")
    if flags.host is not None:
        entries += [Entry(f"{section}.listen.host", flags.host, "--host") for section in sections]
    entries += flags.extra
    entries += [read_flag(text) for text in flags.sets]
    return resolve(sections, entries, names)


def _places(sections: Mapping[str, object], data: Path, where: str) -> list[Entry]:
    """Return the entries that put each program's files below a data directory."""
    entries = []
    if "broker" in sections:
        entries.append(Entry(STORE_ROOT, str(store_in(data)), where))
    if "nameserver" in sections:
        entries.append(Entry(NAME_SERVER_FILE, str(name_server_file_in(data)), where))
    if "console" in sections:
        entries.append(Entry(CONSOLE_USERS, str(console_users_in(data)), where))
    return entries
