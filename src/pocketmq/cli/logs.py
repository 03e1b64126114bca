"""Logs on standard error: lines for people, or one JSON object a line for machines."""

from __future__ import annotations

import json
import logging
import sys
import time
from typing import Literal, TextIO

Format = Literal["text", "json"]

_COLOURS = {"WARNING": "\x1b[33m", "ERROR": "\x1b[31m", "CRITICAL": "\x1b[31;1m"}
_DIM, _PLAIN = "\x1b[2m", "\x1b[0m"


def set_up_logs(form: Format, level: str, stream: TextIO | None = None) -> None:
    """Send all logs from `level` up to the stream, standard error unless given."""
    stream = stream or sys.stderr
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonLines() if form == "json" else TextLines(colour=stream.isatty()))
    logging.basicConfig(handlers=[handler], level=level.upper(), force=True)


class TextLines(logging.Formatter):
    """`12:00:01.123 WARNING broker.app: text`, coloured on a terminal."""

    def __init__(self, *, colour: bool) -> None:
        super().__init__()
        self._colour = colour

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as a line, with a traceback below it where it has one."""
        moment = time.strftime("%H:%M:%S", time.localtime(record.created))
        head = f"{moment}.{int(record.msecs):03d}"
        logger = record.name.removeprefix("pocketmq.")
        level = f"{record.levelname:<7}"
        if self._colour:
            head = f"{_DIM}{head}{_PLAIN}"
            level = f"{_COLOURS.get(record.levelname, '')}{level}{_PLAIN}"
        line = f"{head} {level} {logger}: {record.getMessage()}"
        if record.exc_info:
            line += "\n" + self.formatException(record.exc_info)
        return line


class JsonLines(logging.Formatter):
    """One object a line: time, level, logger, message, and exception where there is one."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as one line of JSON."""
        moment = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        line = {
            "time": f"{moment}.{int(record.msecs):03d}Z",
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False)
