"""Tells the service manager that started this process how it is: systemd's Type=notify.

systemd names a socket in NOTIFY_SOCKET and takes lines such as `READY=1` there. Elsewhere there is
no such variable, and nothing is told.
"""

from __future__ import annotations

import logging
import os
import socket

_log = logging.getLogger(__name__)


def ready(status: str = "") -> None:
    """The server serves; `status` is shown by `systemctl status`."""
    _tell("READY=1" + (f"\nSTATUS={_one_line(status)}" if status else ""))


def stopping() -> None:
    """The server has begun to stop."""
    _tell("STOPPING=1")


def _tell(text: str) -> None:
    path = os.environ.get("NOTIFY_SOCKET", "")
    if not path:
        return
    # A name that starts with @ is in the abstract namespace, which begins with a zero byte.
    address = "\0" + path[1:] if path.startswith("@") else path
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
            channel.sendto(text.encode(), address)
    except OSError as error:
        _log.warning("the service manager cannot be told at=%s reason=%s", path, error)


def _one_line(text: str) -> str:
    return " ".join(text.split())
