"""Cut, damaged and killed stores, compared with a plain model of what was appended.

A copy of the directory of an open store is what a killed process leaves behind: the kernel keeps
what was written to the mappings. Damage is done to such copies.
"""

from __future__ import annotations

import random
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.support.store_builder import (
    Kept,
    append,
    dispatch_all,
    open_store,
    read_all,
    small_config,
)

from pocketmq.clock import ManualClock
from pocketmq.store import MessageStore

pytestmark = pytest.mark.crash

Damage = Callable[[Path, random.Random], int | None]


def fill(root: Path, seed: int, **log: bool) -> tuple[MessageStore, list[Kept]]:
    """Return an open store after a random workload, and the model of it."""
    rng = random.Random(seed)
    clock = ManualClock()
    store = open_store(small_config(root, **log), clock)
    kept = []
    for n in range(rng.randrange(60, 260)):
        clock.advance(seconds=rng.choice([0, 1, 5]))
        kept.append(
            append(
                store,
                topic=rng.choice(["orders", "bills", "%RETRY%g"]),
                queue_id=rng.randrange(4),
                body=rng.randbytes(rng.choice([0, 10, 400, 3000])),
                tag=rng.choice(["", "a", "b"]),
                keys=f"k{n} every",
                UNIQ_KEY=f"u{n}",
            )
        )
        if rng.random() < 0.2:
            store.dispatch(rng.randrange(1, 50))
        if rng.random() < 0.05:
            store.flush_log()
            store.flush_queues()
            store.flush_checkpoint()
        if rng.random() < 0.05:
            store.prepare()
    return store, kept


def crashed_copy(root: Path, seed: int) -> tuple[Path, list[Kept]]:
    store, kept = fill(root / "live", seed)
    copy = root / "crashed"
    shutil.copytree(root / "live", copy)
    store.close()
    return copy, kept


def check_recovered(root: Path, kept: list[Kept], log_limit: int | None) -> None:
    """Open a store and hold it against the model. Nothing before `log_limit` may be missing."""
    store = open_store(small_config(root))
    end = store.log_end
    if log_limit is None:
        assert end >= kept[-1].log_offset + kept[-1].size
    wanted = {x for x in kept if x.log_offset + x.size <= end}
    if log_limit is not None:
        assert {x for x in kept if x.log_offset + x.size <= log_limit} <= wanted
    found = read_all(store)
    assert found == wanted
    for message in wanted:
        number = kept.index(message)
        hits = store.query_by_key(message.topic, f"k{number}", 64, 0, 2**62).log_offsets
        assert hits.count(message.log_offset) == 1
    check_goes_on(store, wanted)
    store.close()
    again = open_store(small_config(root))
    assert wanted <= read_all(again)
    again.close()


def check_goes_on(store: MessageStore, wanted: set[Kept]) -> None:
    """Append to every queue: each message gets the offset behind the last that was kept."""
    fresh = set()
    for topic in ("orders", "bills", "%RETRY%g"):
        for queue_id in range(4):
            held = [x.queue_offset for x in wanted if (x.topic, x.queue_id) == (topic, queue_id)]
            message = append(store, topic=topic, queue_id=queue_id, body=b"after")
            assert message.queue_offset == max(held, default=-1) + 1
            fresh.add(message)
    dispatch_all(store)
    assert read_all(store) == wanted | fresh


@pytest.mark.parametrize("seed", range(12))
def test_a_killed_store_keeps_everything(tmp_path: Path, seed: int) -> None:
    root, kept = crashed_copy(tmp_path, seed)
    check_recovered(root, kept, None)


@pytest.mark.parametrize("seed", range(8))
def test_a_killed_store_with_a_write_buffer_keeps_all_that_consumers_could_see(
    tmp_path: Path, seed: int
) -> None:
    store, kept = fill(tmp_path / "live", seed, write_buffer=True)
    kept.append(append(store, body=b"in the buffer alone", keys=f"k{len(kept)} every"))
    visible = store.confirm_offset
    assert visible < store.log_end
    shutil.copytree(tmp_path / "live", tmp_path / "crashed")
    store.close()
    check_recovered(tmp_path / "crashed", kept, visible)


def last_log_file(root: Path) -> Path:
    """Return the newest log file that holds a record."""
    files = sorted((root / "commitlog").iterdir())
    return max(file for file in files if any(file.read_bytes()[:8]))


def cut_log(root: Path, rng: random.Random) -> int:
    file = last_log_file(root)
    used = len(file.read_bytes().rstrip(b"\0"))
    at = rng.randrange(used + 1)
    for later in (root / "commitlog").iterdir():
        if later > file:
            later.unlink()  # prepared early, still empty
    with open(file, "r+b") as opened:
        opened.truncate(at)
    return int(file.name) + at


def zero_log(root: Path, rng: random.Random) -> int:
    file = last_log_file(root)
    raw = file.read_bytes()
    at = rng.randrange(len(raw.rstrip(b"\0")) + 1)
    file.write_bytes(raw[:at] + bytes(len(raw) - at))
    return int(file.name) + at


def damage_checkpoint(root: Path, rng: random.Random) -> None:
    (root / "checkpoint").write_bytes(rng.choice([b"", b"short", b"\xff" * 4096]))


def lose_checkpoint(root: Path, rng: random.Random) -> None:
    (root / "checkpoint").unlink(missing_ok=True)


def lose_index(root: Path, rng: random.Random) -> None:
    shutil.rmtree(root / "index", ignore_errors=True)


def damage_index(root: Path, rng: random.Random) -> None:
    for file in (root / "index").glob("*"):
        raw = bytearray(file.read_bytes())
        for _ in range(rng.randrange(1, 30)):
            raw[rng.randrange(40, len(raw))] = rng.randrange(256)
        file.write_bytes(raw)
    lose_checkpoint(root, rng)


def lose_a_queue(root: Path, rng: random.Random) -> None:
    queues = sorted((root / "consumequeue").glob("*/*"))
    if queues:
        shutil.rmtree(rng.choice(queues))
    # Without a trace of the queue only a full reading of the log can find its messages.
    lose_checkpoint(root, rng)


def lose_a_queue_file(root: Path, rng: random.Random) -> None:
    files = sorted((root / "consumequeue").glob("*/*"))
    if files:
        newest = max(rng.choice(files).iterdir(), default=None)
        if newest is not None:
            newest.unlink()


def cut_a_queue_file(root: Path, rng: random.Random) -> None:
    files = sorted((root / "consumequeue").glob("*/*"))
    if files:
        newest = max(rng.choice(files).iterdir(), default=None)
        if newest is not None:
            with open(newest, "r+b") as opened:
                opened.truncate(rng.randrange(400))


def damage_queues(root: Path, rng: random.Random) -> None:
    """Damage entries anywhere; without a checkpoint all of the log is filed again."""
    for file in (root / "consumequeue").glob("*/*/*"):
        raw = bytearray(file.read_bytes())
        for _ in range(rng.randrange(3)):
            raw[rng.randrange(len(raw))] = rng.randrange(256)
        file.write_bytes(raw)
    lose_checkpoint(root, rng)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize(
    "damage",
    [
        cut_log,
        zero_log,
        damage_checkpoint,
        lose_checkpoint,
        lose_index,
        damage_index,
        lose_a_queue,
        lose_a_queue_file,
        cut_a_queue_file,
        damage_queues,
    ],
)
def test_a_killed_and_damaged_store_keeps_all_that_is_whole(
    tmp_path: Path, seed: int, damage: Damage
) -> None:
    root, kept = crashed_copy(tmp_path, seed + 100)
    rng = random.Random(seed)
    check_recovered(root, kept, damage(root, rng))


@pytest.mark.parametrize("seed", range(15))
def test_flipped_bytes_in_the_log_are_never_served(tmp_path: Path, seed: int) -> None:
    root, kept = crashed_copy(tmp_path, seed + 200)
    rng = random.Random(seed)
    lose_checkpoint(root, rng)
    # Only body, head and lengths are covered by checks; properties are not, as in RocketMQ.
    victim = rng.choice(kept)
    spans = [range(8), range(28, 36)]
    if victim.body:
        spans.append(range(88, 88 + len(victim.body)))
    file = root / "commitlog" / f"{victim.log_offset // 16384 * 16384:020d}"
    raw = bytearray(file.read_bytes())
    at = victim.log_offset % 16384 + rng.choice(rng.choice(spans))
    raw[at] ^= 1 << rng.randrange(8)
    file.write_bytes(raw)
    store = open_store(small_config(root))
    assert store.log_end <= victim.log_offset
    before = {x for x in kept if x.log_offset < victim.log_offset}
    assert read_all(store) == before
    check_goes_on(store, before)
    store.close()


@pytest.mark.parametrize("seed", range(5))
def test_bytes_left_behind_a_cut_never_come_back(tmp_path: Path, seed: int) -> None:
    root, kept = crashed_copy(tmp_path, seed + 300)
    lose_checkpoint(root, random.Random(seed))
    victim = kept[len(kept) // 2]
    file = root / "commitlog" / f"{victim.log_offset // 16384 * 16384:020d}"
    raw = bytearray(file.read_bytes())
    raw[victim.log_offset % 16384 + 4] ^= 1
    file.write_bytes(raw)
    store = open_store(small_config(root))
    # A record of the very same size puts the log's end where an old record begins.
    twin = append(
        store, victim.topic, victim.queue_id, b"z" * len(victim.body), victim.tag,
        f"k{kept.index(victim)} every", UNIQ_KEY=f"u{kept.index(victim)}",
    )  # fmt: skip
    assert (twin.log_offset, twin.size) == (victim.log_offset, victim.size)
    shutil.copytree(root, tmp_path / "again")
    store.close()
    again = open_store(small_config(tmp_path / "again"))
    assert again.log_end == twin.log_offset + twin.size
    assert read_all(again) == {*kept[: kept.index(victim)], twin}
    again.close()


def test_a_clean_stop_with_a_file_of_wrong_length_is_treated_as_a_crash(tmp_path: Path) -> None:
    store, kept = fill(tmp_path / "live", 5)
    store.close()
    queue = max((tmp_path / "live" / "consumequeue" / "orders" / "0").iterdir())
    with open(queue, "r+b") as opened:
        opened.truncate(30)
    check_recovered(tmp_path / "live", kept, None)


def test_a_log_that_is_gone_leaves_an_empty_store(tmp_path: Path) -> None:
    store, _ = fill(tmp_path, 6)
    store.close()
    shutil.rmtree(tmp_path / "commitlog")
    again = open_store(small_config(tmp_path))
    assert again.log_end == 0
    assert read_all(again) == set()
    again.close()


WRITER = """
import sys
from pathlib import Path
from tests.support.store_builder import append, open_store, small_config
store = open_store(small_config(Path(sys.argv[1])))
number = 0
while True:
    kept = append(store, queue_id=number % 3, body=b"%d" % number)
    if number % 5 == 0:
        store.dispatch(7)
    if number % 50 == 0:
        store.prepare()
    print(kept.queue_id, kept.queue_offset, number, flush=True)
    number += 1
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="this system has no SIGKILL")
@pytest.mark.parametrize("lines", [3, 200, 801])
def test_a_process_killed_while_writing_loses_nothing_it_acknowledged(
    tmp_path: Path, lines: int
) -> None:
    writer = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    assert writer.stdout is not None
    with writer, writer.stdout as output:
        told = [output.readline().split() for _ in range(lines)]
        writer.kill()
        told += [line.split() for line in output.readlines() if line.endswith("\n")]
    store = open_store(small_config(tmp_path))
    found = {(x.queue_id, x.queue_offset): x.body for x in read_all(store)}
    for queue_id, queue_offset, number in told:
        assert found[int(queue_id), int(queue_offset)] == number.encode()
    store.close()
