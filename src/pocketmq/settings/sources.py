"""Where settings are written: each source becomes a list of entries, in the order written.

A TOML file has tables (`[broker.flush]`); an Apache `broker.conf` or `namesrv.conf` is a Java
properties file; the environment uses `POCKETMQ_` and a path in capitals, with or without its
section (`POCKETMQ_FLUSH_INTERVAL_MS`); a flag is `--set name=value`.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from pocketmq.errors import ConfigError

ENVIRONMENT_PREFIX = "POCKETMQ_"
# Variables that are switches of a build or a test run, not settings.
_NOT_SETTINGS = ("PURE", "REQUIRE_", "TEST_", "BENCH_", "INTEROP_")


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing somebody wrote: a name, a value, and where.

    `section` is the one meant where several have a setting of this name.
    """

    name: str
    value: object
    where: str
    section: str | None = None


def read_file(path: Path) -> list[Entry]:
    """Read a TOML or properties file. Raise ConfigError when it cannot be read or understood.

    RocketMQ gives each program its own properties file, so names in a file called `namesrv.conf`
    mean the name server where they could mean both, and the broker in any other.
    """
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise ConfigError(
            f"cannot read the configuration file {path}: {error.strerror}; check the path after -c"
        ) from None
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        text = raw.decode("latin-1")
    if path.suffix == ".toml":
        return list(_toml_entries(text, str(path)))
    section = "nameserver" if "namesrv" in path.name else "broker"
    return [
        Entry(name, value, f"{path} line {line}", section)
        for line, name, value in parse_properties(text)
    ]


def read_environment(environment: Mapping[str, str], extra: Mapping[str, str]) -> list[Entry]:
    """Read the POCKETMQ_ variables, and those in `extra`: variable -> name of a setting."""
    entries = []
    for variable, value in sorted(environment.items()):
        if variable in extra:
            entries.append(Entry(extra[variable], value, f"environment variable {variable}"))
        elif variable.startswith(ENVIRONMENT_PREFIX):
            name = variable[len(ENVIRONMENT_PREFIX) :]
            if not name.startswith(_NOT_SETTINGS):
                entries.append(Entry(name, value, f"environment variable {variable}"))
    return entries


def read_flag(text: str) -> Entry:
    """Read the `name=value` of `--set`. Raise ConfigError when there is no `=`."""
    name, equals, value = text.partition("=")
    if not equals or not name.strip():
        raise ConfigError(
            f"--set {text}: write it as name=value, such as --set fileReservedTime=48"
        )
    return Entry(name.strip(), value.strip(), f"--set {name.strip()}")


def parse_properties(text: str) -> Iterator[tuple[int, str, str]]:
    """Yield line number, key and value of each entry of a Java properties file."""
    pending, first_line = "", 0
    for number, line in enumerate(text.splitlines(), start=1):
        stripped = line.lstrip()
        if not pending:
            if not stripped or stripped[0] in "#!":
                continue
            first_line = number
        backslashes = len(stripped) - len(stripped.rstrip("\\"))
        if backslashes % 2:
            pending += stripped[:-1]
            continue
        yield first_line, *_split_property(pending + stripped)
        pending = ""
    if pending:
        yield first_line, *_split_property(pending)


_ESCAPES = {"t": "\t", "n": "\n", "r": "\r", "f": "\f"}
_SEPARATOR = re.compile(r"(?:\\.|[^\\=:\s])*")


def _split_property(line: str) -> tuple[str, str]:
    match = _SEPARATOR.match(line)
    assert match is not None
    rest = line[match.end() :].lstrip()
    if rest[:1] in ("=", ":"):
        rest = rest[1:].lstrip()
    return _unescape(match[0]), _unescape(rest).rstrip()


def _unescape(text: str) -> str:
    def plain(match: re.Match[str]) -> str:
        if match[1]:
            return chr(int(match[1], 16))
        return _ESCAPES.get(match[2], match[2])

    return re.sub(r"\\(?:u([0-9a-fA-F]{4})|(.))", plain, text)


def _toml_entries(text: str, file: str) -> Iterator[Entry]:
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{file} is not valid TOML: {error}") from None
    lines = _toml_lines(text)
    for name, value in _leaves(document, ""):
        where = f"{file} line {lines[name]}" if name in lines else file
        yield Entry(name, value, where)


def _leaves(table: dict[str, object], prefix: str) -> Iterator[tuple[str, object]]:
    for key, value in table.items():
        if isinstance(value, dict):
            yield from _leaves(value, f"{prefix}{key}.")
        else:
            yield prefix + key, value


def _toml_lines(text: str) -> dict[str, int]:
    """Return the line of each plainly written key; the parser does not tell."""
    lines: dict[str, int] = {}
    table = ""
    for number, line in enumerate(text.splitlines(), start=1):
        if match := re.match(r"\s*\[\s*([\w.\- ]+?)\s*\]", line):
            table = match[1].replace(" ", "") + "."
        elif match := re.match(r"\s*([\w.\-]+)\s*=", line):
            lines.setdefault(table + match[1], number)
    return lines
