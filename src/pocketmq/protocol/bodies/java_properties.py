"""Java properties text, the body of configuration requests (25, 26, 318, 319, 2001) and files."""

from __future__ import annotations

import re

from pocketmq.errors import MalformedBody

_ENTRY = re.compile(r"((?:[^\\:=\s]|\\.)+)[ \t\f]*[:=]?[ \t\f]*(.*)", re.DOTALL)
_ESCAPE = re.compile(r"\\(u[0-9a-fA-F]{4}|.)", re.DOTALL)
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "f": "\f"}


def parse_properties(data: bytes | bytearray | memoryview | str) -> dict[str, str]:
    """The settings in a properties text, in order. Raise MalformedBody when it is not UTF-8."""
    try:
        text = data if isinstance(data, str) else str(data, "utf-8")
    except UnicodeDecodeError:
        raise MalformedBody("a properties text is not UTF-8") from None
    settings: dict[str, str] = {}
    pending: list[str] = []
    for raw in re.split(r"\r\n|\r|\n", text):
        line = raw.lstrip(" \t\f")
        if not pending and line[:1] in ("#", "!", ""):
            continue
        if _ends_open(line):
            pending.append(line[:-1])
            continue
        _add(settings, "".join((*pending, line)))
        pending.clear()
    _add(settings, "".join(pending))
    return settings


def format_properties(settings: dict[str, str]) -> bytes:
    """`key=value` lines sorted by key, as a broker answers them."""
    return "".join([f"{key}={settings[key]}\n" for key in sorted(settings)]).encode()


def _ends_open(line: str) -> bool:
    return (len(line) - len(line.rstrip("\\"))) % 2 == 1


def _add(settings: dict[str, str], line: str) -> None:
    match = _ENTRY.match(line)
    if match is not None:
        settings[_plain(match[1])] = _plain(match[2])


def _plain(text: str) -> str:
    return _ESCAPE.sub(_unescaped, text) if "\\" in text else text


def _unescaped(match: re.Match[str]) -> str:
    code = match[1]
    return chr(int(code[1:], 16)) if len(code) > 1 else _ESCAPES.get(code, code)
