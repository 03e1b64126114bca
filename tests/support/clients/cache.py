"""Where fetched and built peers are kept between runs: `$POCKETMQ_CACHE`, else `~/.cache/pocketmq`.

A product is named after a hash of everything it is made from, so a changed source makes a new one.
It is built beside its place and renamed into it, so a broken build leaves nothing that looks done.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import tempfile
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

BUILD_SECONDS_MAX = 400

_building: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)


class PeerUnavailable(Exception):
    """A peer cannot be had on this machine; the text says what is missing."""


def cache_directory() -> Path:
    """The directory that survives test runs."""
    configured = os.environ.get("POCKETMQ_CACHE")
    return Path(configured) if configured else Path.home() / ".cache" / "pocketmq"


def product(name: str, sources: Sequence[Path], salt: str, build: Callable[[Path], None]) -> Path:
    """The directory `name-<hash of sources and salt>`, filled by `build` if it is not there."""
    digest = hashlib.sha256(salt.encode())
    for source in sorted(sources):
        digest.update(source.name.encode() + b"\0" + source.read_bytes())
    place = cache_directory() / f"{name}-{digest.hexdigest()[:16]}"
    if place.is_dir():
        return place
    with _building[place.name], one_at_a_time(place.name):
        return place if place.is_dir() else _built(place, name, build)


@contextmanager
def one_at_a_time(name: str) -> Iterator[None]:
    """Let one process at a time do what is called so; the others find it done."""
    directory = cache_directory()
    directory.mkdir(parents=True, exist_ok=True)
    with (directory / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _built(place: Path, name: str, build: Callable[[Path], None]) -> Path:
    place.parent.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix=f"{name}-", dir=place.parent))
    try:
        build(scratch)
        scratch.rename(place)
    except OSError:
        # Another run was faster; its product is the same.
        if not place.is_dir():
            raise
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return place


def require_tools(*names: str) -> None:
    """Raise PeerUnavailable when a program is not on the PATH."""
    missing = [name for name in names if shutil.which(name) is None]
    if missing:
        raise PeerUnavailable(f"not installed: {', '.join(missing)}")


def run_build(
    command: Sequence[str | Path], directory: Path, environment: Mapping[str, str] | None = None
) -> None:
    """Run one build step; a failure is PeerUnavailable with the end of its output."""
    finished = subprocess.run(
        [str(word) for word in command],
        cwd=directory,
        env={**os.environ, **(environment or {})},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=BUILD_SECONDS_MAX,
        check=False,
    )
    if finished.returncode != 0:
        tail = finished.stdout.decode("utf-8", "replace")[-2000:]
        raise PeerUnavailable(f"`{' '.join(map(str, command))}` failed:\n{tail}")
