"""Uses PocketMQ as it is installed in the environment of this interpreter, and prints what it saw.

Run apart from any network, this has only the loopback interface, which it has to switch on itself.
It runs without pytest and without the source tree.
"""

from __future__ import annotations

import fcntl
import json
import re
import signal
import socket
import struct
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any

import pocketmq
from pocketmq import _speedups

_GET_FLAGS, _SET_FLAGS, _UP = 0x8913, 0x8914, 0x1
COMMAND = str(Path(sys.executable).with_name("pocketmq"))
PORTS = ("--nameserver-port", "0", "--broker-port", "0", "--console-port", "0")


def switch_loopback_on() -> None:
    """Let this machine reach itself, as `ip link set lo up` does. In vain where it can already."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        request = struct.pack("16sh22x", b"lo", 0)
        flags = struct.unpack("16sh22x", fcntl.ioctl(any_socket, _GET_FLAGS, request))[1]
        if not flags & _UP:
            fcntl.ioctl(any_socket, _SET_FLAGS, struct.pack("16sh22x", b"lo", flags | _UP))


def get(url: str) -> str:
    """What a web server answers."""
    with urllib.request.urlopen(url, timeout=60) as answer:
        content: bytes = answer.read()
    return content.decode()


def used() -> dict[str, Any]:
    """Start everything, send a message, look at the console, and stop."""
    up = subprocess.Popen(
        [COMMAND, "up", "--ephemeral", "--set", "fast_port_offset=0", *PORTS],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    with up:
        try:
            rows: dict[str, str] = {}
            assert up.stdout is not None
            for line in up.stdout:
                if match := re.match(r"  (\S.*?)   +(\S.*)", line):
                    rows[match[1]] = match[2]
                if "Ctrl-C" in line:
                    break
            hello = subprocess.run(
                [COMMAND, "hello", "from a wheel"], env={"NAMESRV_ADDR": rows["name server"]},
                capture_output=True, text=True, check=False,
            )  # fmt: skip
            url = rows["console"].rstrip("/")
            index = get(f"{url}/")
            names = re.findall(r'src="(static/console-[^"]+)"', index)
            seen = {
                "package": pocketmq.__file__,
                "compiled": sorted(_speedups.built()),
                "hello": hello.stdout + hello.stderr,
                "index": index,
                "script": "".join(get(f"{url}/{name}") for name in names),
                "words": json.loads(get(f"{url}/static/text/en.json")),
                "overview": json.loads(get(f"{url}/api/v1/overview")),
            }
            up.send_signal(signal.SIGTERM)
            _, logs = up.communicate(timeout=60)
            return {**seen, "logs": logs, "exit": up.returncode}
        finally:
            up.kill()


if __name__ == "__main__":
    switch_loopback_on()
    json.dump(used(), sys.stdout)
