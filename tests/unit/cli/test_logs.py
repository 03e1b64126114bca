"""Log lines, for people and for machines."""

from __future__ import annotations

import json
import logging
import sys

from pocketmq.cli.logs import JsonLines, TextLines


def record(level: int = logging.WARNING, *, error: bool = False) -> logging.LogRecord:
    exc_info = None
    if error:
        try:
            raise ValueError("broken")
        except ValueError:
            exc_info = sys.exc_info()
    made = logging.LogRecord(
        "pocketmq.broker.app", level, "", 0, "topic=%s", ("a\nb",), exc_info, None
    )
    made.created, made.msecs = 1_700_000_000.25, 250.0
    return made


def test_a_text_line_is_time_level_logger_and_message() -> None:
    line = TextLines(colour=False).format(record())
    assert line.endswith(".250 WARNING broker.app: topic=a\nb")


def test_colour_is_for_terminals() -> None:
    assert "\x1b[33mWARNING" in TextLines(colour=True).format(record())
    assert "\x1b" not in TextLines(colour=False).format(record())


def test_a_json_line_is_one_line_and_carries_the_traceback() -> None:
    line = JsonLines().format(record(error=True))
    assert "\n" not in line
    document = json.loads(line)
    assert document["time"] == "2023-11-14T22:13:20.250Z"
    assert document["level"] == "warning"
    assert document["message"] == "topic=a\nb"
    assert "ValueError: broken" in document["exception"]
