"""Unique keys: the id a producer gives each message, in the form of RocketMQ's own clients.

    address    4 or 16   of this machine
    process    2         the low half of the process id
    token      4         random, so that two processes with one id differ (Java: a class hash)
    time       4         milliseconds since this month began, local time
    counter    2

Upper-case hex, 32 characters or 56. Consoles read the time and the address out of it.
"""

from __future__ import annotations

import ipaddress
import itertools
import os
import secrets
import socket
import time
from datetime import datetime
from functools import cache

from pocketmq.clock import SystemClock

_now_ms = SystemClock.now_ms
_TOKEN_BYTES = 4
_HALF_DAY_MS = 12 * 3600 * 1000


@cache
def local_host() -> str:
    """This machine's address as others most likely see it. Sends nothing."""
    for family, target in ((socket.AF_INET, "192.0.2.1"), (socket.AF_INET6, "2001:db8::1")):
        try:
            with socket.socket(family, socket.SOCK_DGRAM) as probe:
                probe.connect((target, 9))
                return str(probe.getsockname()[0])
        except OSError:
            continue
    return "127.0.0.1"


class UniqueKeys:
    """Makes the keys of one process. `new` is called for every message."""

    def __init__(self, host: str = "") -> None:
        self._host = host or local_host()
        self._pid = -1
        self._counter = itertools.count()
        self._month_began_ms = 0
        self._month_check_ms = 0
        self._prefix = ""
        self._begin()

    def _begin(self) -> None:
        self._pid = os.getpid()
        try:
            address = ipaddress.ip_address(self._host.partition("%")[0]).packed
        except ValueError:
            address = ipaddress.ip_address("127.0.0.1").packed
        process = (self._pid & 0xFFFF).to_bytes(2, "big")
        self._prefix = (address + process + secrets.token_bytes(_TOKEN_BYTES)).hex().upper()
        # Counting is one step, so that threads never get the same number.
        self._counter = itertools.count(secrets.randbelow(0x8000))

    def new(self, now_ms: int = 0) -> str:
        """A key that no other message has."""
        now_ms = now_ms or _now_ms()
        if now_ms >= self._month_check_ms:
            self._check(now_ms)
        counter = next(self._counter) & 0xFFFF
        stamp = (now_ms - self._month_began_ms << 16 | counter) & 0xFFFFFFFFFFFF
        return f"{self._prefix}{stamp:012X}"

    def _check(self, now_ms: int) -> None:
        """Twice a day: has a new month begun?"""
        now = datetime.fromtimestamp(now_ms / 1000)
        month = datetime(now.year, now.month, 1)
        self._month_began_ms = int(time.mktime(month.timetuple())) * 1000
        self._month_check_ms = now_ms + _HALF_DAY_MS

    def after_fork(self) -> None:
        """Make other keys than the parent process."""
        self._begin()

    def notice_fork(self) -> None:
        """The same, if this is a child process that was not told of its fork."""
        if self._pid != os.getpid():
            self._begin()


unique_keys = UniqueKeys()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=unique_keys.after_fork)
