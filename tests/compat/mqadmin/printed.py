"""What mqadmin prints, without what is never the same twice: addresses, moments, ids, rates.

An error is a stack trace. Of it remain the command that failed and the response code; its remark is
each server's own wording.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

_TRACE_LINE: Final = re.compile(r"^\s+(at |\.\.\. \d+ more)")
_REPLACED: Final[tuple[tuple[str, str | Callable[[re.Match[str]], str]], ...]] = (
    (r"CODE: (-?\d+)\s+DESC:.*", r"CODE: \1"),
    (r"^(For more information, please visit the url|See https?://).*", ""),
    (r"\d+\.\d+\.\d+\.\d+@[\w.#@-]+", "CLIENT"),
    (r"/?\d+\.\d+\.\d+\.\d+:\d+", "ADDRESS"),
    (r"\b[0-9A-F]{32,}\b", "ID"),
    (r"\d{4}-\d\d-\d\d[ #]\d\d:\d\d:\d\d([,:.]\d{3})?", "TIME"),
    (r"\b1[678]\d{11}\b", "MS"),
    (r"\b\d+\.\d+(E-?\d+)?\b", "REAL"),
    (r"\[?\b\d+\]?ms\b", "SPAN"),
    (r"\btrue \d+$", "true SPAN"),
)


def normal(printed: str, *own: tuple[str, str]) -> str:
    """What was printed, fit to be compared; `own` are texts of this cluster and their names."""
    for text, name in own:
        printed = printed.replace(text, name)
    lines = [line for line in printed.splitlines() if not _TRACE_LINE.match(line)]
    text = "\n".join(" ".join(line.split()) for line in lines)
    for pattern, with_ in _REPLACED:
        text = re.sub(pattern, with_, text, flags=re.MULTILINE)
    return "\n".join(line for line in text.splitlines() if line)


def keys_of(printed: str, _: str = "") -> object:
    """The names in a list of `key = value` or `key : value` lines."""
    return sorted({re.split(r"\s*[:=]", line)[0].strip() for line in printed.splitlines()})


def shared_settings(printed: str, other: str) -> object:
    """The `key = value` lines whose key the other one has too, but for places and ports."""
    mine, theirs = _settings(printed), _settings(other)
    return {k: v for k, v in mine.items() if k in theirs and not _PLACES.search(k)}


def _settings(printed: str) -> dict[str, str]:
    pairs = (line.partition("=") for line in printed.splitlines() if "=" in line)
    return {key.strip(): value.strip() for key, _, value in pairs}


_PLACES: Final = re.compile(
    "(?i)path|port$|addr|home|brokerIP|"
    # Ours bounds sends that wait for the disk, not a pool; it warms files up in another way.
    "sendThreadPoolQueueCapacity|warmMapedFileEnable"
)


def outcome(printed: str, _: str = "") -> object:
    """Only which command failed."""
    return re.findall(r"(\w+ command failed)", printed)


def no_rates(printed: str, _: str = "") -> object:
    """Only the topics, groups and what they are behind by, of topics that are no system topics."""
    rows = [line.split()[:3] for line in printed.splitlines() if not _SYSTEM.search(line)]
    # Apache 5.3.3 names a topic itself among the groups that are subscribed to it.
    return sorted(row for row in rows if len(row) < 2 or row[0] != row[1])


def header(printed: str, _: str = "") -> object:
    """The first line."""
    return printed.partition("\n")[0]


def without_retry_topic(printed: str, _: str = "") -> object:
    """What is said of other topics than a group's retry topic, which it joins at some moment."""
    return [line for line in printed.splitlines() if "%RETRY%" not in line]


def running(printed: str, _: str = "") -> object:
    """What a consumer tells of itself, without the addresses of its objects and its own times."""
    told = re.sub(r"@[0-9a-f]{5,8}\b|\w*[tT]imestamp\w*=\d+|\b20\d{12}\b", "", printed)
    lines = [line for line in told.splitlines() if not re.search("%RETRY%|unitName|REAL", line)]
    return sorted(lines)


def without_evaluation(printed: str, _: str = "") -> object:
    """The entries of a queue, without whether they pass a filter."""
    return re.sub(r"eval=\w+", "", printed)


def without_numbers(printed: str, _: str = "") -> object:
    """Every word, but no number."""
    return re.sub(r"\d+", "N", printed)


_SYSTEM: Final = re.compile(
    r"rmq_sys|RMQ_SYS|TBW102|SELF_TEST|OFFSET_MOVED|BenchmarkTest|SCHEDULE_TOPIC|_REPLY_TOPIC|"
    r"TRANS_CHECK|DefaultCluster|CID_|TOOLS_CONSUMER|FILTERSRV|DefaultHeartBeat|%RETRY%"
)


def without_system_topics(printed: str, _: str = "") -> object:
    """The lines that speak of no system topic, in a fixed order."""
    lines = [line for line in printed.splitlines() if not _SYSTEM.search(line)]
    return sorted(line for line in lines if not re.search(r"\b(\w+) \1$", line))
