"""The files around the log: replaced whole, read back, told apart from rubbish."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.support.failing_disk import FailingDisk

from pocketmq.errors import CorruptStore, StoreFull, StoreNotWritable
from pocketmq.store import load_file, replace_file
from pocketmq.store.checkpoint import Checkpoint, read_checkpoint, write_checkpoint
from pocketmq.store.config import DELAY_LEVELS, parse_delay_levels
from pocketmq.store.space import create_sparse, zero


def test_a_replaced_file_keeps_the_one_before_as_backup(tmp_path: Path) -> None:
    path = tmp_path / "config" / "topics.json"
    assert load_file(path, json.loads) is None
    replace_file(path, b'{"a": 1}')
    replace_file(path, b'{"a": 2}')
    assert load_file(path, json.loads) == {"a": 2}
    assert (tmp_path / "config" / "topics.json.bak").read_bytes() == b'{"a": 1}'
    assert sorted(x.name for x in path.parent.iterdir()) == ["topics.json", "topics.json.bak"]


@pytest.mark.parametrize("rubbish", [b"", b"{", b"\0\0\0\0"])
def test_an_unreadable_file_gives_way_to_its_backup_and_stays(
    tmp_path: Path, rubbish: bytes
) -> None:
    path = tmp_path / "topics.json"
    replace_file(path, b'{"a": 1}')
    replace_file(path, b'{"a": 2}')
    path.write_bytes(rubbish)
    assert load_file(path, json.loads) == {"a": 1}
    assert path.read_bytes() == rubbish


def test_starting_empty_over_unreadable_files_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "topics.json"
    path.write_bytes(b"{")
    (tmp_path / "topics.json.bak").write_bytes(b"[")
    with pytest.raises(CorruptStore, match="Repair"):
        load_file(path, json.loads)


def test_a_failed_replacement_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "topics.json"
    replace_file(path, b"1")
    disk = FailingDisk(monkeypatch)
    disk.broken = True
    with pytest.raises(StoreNotWritable):
        replace_file(path, b"2")
    assert path.read_bytes() == b"1"


def test_a_checkpoint_comes_back_and_rubbish_vouches_for_nothing(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint"
    assert read_checkpoint(path) == Checkpoint()
    written = Checkpoint(10_000, 9000, 8000, 7, 6)
    write_checkpoint(path, written)
    assert read_checkpoint(path) == written
    assert written.safe_timestamp_ms == 6000
    assert path.stat().st_size == 4096
    for rubbish in (b"", b"short", b"\xff" * 4096):
        path.write_bytes(rubbish)
        assert read_checkpoint(path) == Checkpoint()


def test_zeroing_leaves_what_is_outside_the_range(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"x" * 100_000)
    zero(str(path), 10, 90_000)
    raw = path.read_bytes()
    assert raw == b"x" * 10 + bytes(89_990) + b"x" * 10_000


def test_delay_levels_are_those_of_rocketmq() -> None:
    delays = parse_delay_levels(DELAY_LEVELS)
    assert (len(delays), delays[0], delays[4], delays[17]) == (18, 1000, 60_000, 7_200_000)
    with pytest.raises(ValueError, match="must be delays"):
        parse_delay_levels("1s 5x")


def test_a_file_for_which_there_is_no_room_does_not_stay_behind_empty(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = FailingDisk(monkeypatch)
    disk.full = True
    path = tmp_path / "file"
    with pytest.raises(StoreFull):
        create_sparse(str(path), 4096)
    assert not path.exists()
