"""A disk that is really full: an error, not a dead process."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

pytestmark = pytest.mark.crash

# In a process of its own: writing to an unbacked page would kill it.
FILL = """
import sys
from pathlib import Path
from pocketmq.clock import SystemClock
from pocketmq.errors import StoreFull
from pocketmq.store import MessageStore
from tests.support.store_builder import append, dispatch_all, read_all, small_config
disk = Path(sys.argv[1])
store = MessageStore(small_config(disk / "store", file_bytes=1 << 20), SystemClock())
store.open()
(disk / "ballast").write_bytes(bytes(1 << 20))
kept = set()
def fill():
    while True:
        try:
            kept.add(append(store, queue_id=len(kept) % 7, body=bytes(3000), keys="k"))
            dispatch_all(store)
            store.prepare()
        except StoreFull:
            return
fill()
first = len(kept)
(disk / "ballast").unlink()
dispatch_all(store)
fill()
assert len(kept) > first > 100, (first, len(kept))
store.flush_log()
assert read_all(store) <= kept
store.close()
again = MessageStore(small_config(disk / "store", file_bytes=1 << 20), SystemClock())
again.open()
assert read_all(again) == kept
print("alive")
again.close()
"""

TURN = """
import os
import sys
from pathlib import Path
from pocketmq.errors import StoreFull
from pocketmq.store.timer.wheel import SLOTS, Slot, TimerWheel
disk = Path(sys.argv[1])
wheel = TimerWheel(disk / "wheel", 1000)
wheel.open()
wheel.put(0, Slot(7, 8, 9))
wheel.close()
wheel.open()
try:
    (disk / "ballast").write_bytes(bytes(16 << 20))
except OSError:
    pass
for moment_ms in range(0, SLOTS * 1000, 1000):
    assert (wheel.slot(moment_ms) is None) == (moment_ms > 0)
    wheel.after(moment_ms, moment_ms + 100_000)
assert list(wheel.slots(-1)) == [] and wheel.slot(0) == Slot(7, 8, 9)
try:
    wheel.put(SLOTS * 500, Slot(1, 2, 3))
except StoreFull:
    print("alive")
"""

MEND = """
import sys
from pathlib import Path
from pocketmq.errors import StoreFull
from pocketmq.store import space
from pocketmq.store.index_file import IndexFile, index_file_bytes
disk = Path(sys.argv[1])
path = str(disk / "index")
space.create_sparse(path, index_file_bytes(5_000_000, 100))
try:
    IndexFile(path, 5_000_000, 100).mend(1 << 30)
except StoreFull:
    print("alive")
"""


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of six megabytes."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = shutil.which("mount")
    if mount is None or not sys.platform.startswith("linux"):
        pytest.skip("this system has no tmpfs to mount")
    mounting = [mount, "-t", "tmpfs", "-o", "size=6m", "tmpfs", str(disk)]
    if subprocess.run(mounting, capture_output=True, check=False).returncode != 0:
        pytest.skip("mounting a tmpfs needs more rights than this user has")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


def run_there(script: str, disk: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", script, str(disk)], capture_output=True, text=True, check=False
    )


def test_a_store_survives_a_full_disk_and_goes_on_when_there_is_room(tiny_disk: Path) -> None:
    run = run_there(FILL, tiny_disk)
    assert run.returncode == 0, run.stderr
    assert "alive" in run.stdout


def test_the_timer_turns_on_while_the_disk_is_full(tiny_disk: Path) -> None:
    """A page that a file system in memory never stored is made when it is looked at."""
    run = run_there(TURN, tiny_disk)
    assert run.returncode == 0, run.stderr
    assert "alive" in run.stdout


def test_a_start_finds_out_that_a_sparse_index_has_no_room_to_be_mended(tiny_disk: Path) -> None:
    """As it comes from a backup, or from Apache's broker."""
    run = run_there(MEND, tiny_disk)
    assert run.returncode == 0, run.stderr
    assert "alive" in run.stdout
