"""Records that were noted are filed from the notes; all others are read from the log."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.support.store_builder import open_store, small_config

from pocketmq.message.scan import Filed, scan_records_plain
from pocketmq.store import Noted, noted
from pocketmq.store import dispatcher as dispatching
from pocketmq.store.noted import Notes

HOST = b"\x7f\x00\x00\x01\x00\x00\x2a\x9f"


def run(start: int, end: int, count: int = 1) -> Noted:
    return Noted(start, end, [("t", 0, n, start, end - start, 0, 7) for n in range(count)], b"")


def test_a_note_is_found_at_its_start_once_all_of_it_is_confirmed() -> None:
    notes = Notes()
    notes.add(run(100, 300))
    assert notes.at(100, 299) is None
    assert notes.at(50, 300) is None
    assert notes.at(100, 300) == run(100, 300)
    assert notes.at(100, 300) == run(100, 300), "until somebody asks for what is behind it"
    assert notes.at(300, 900) is None
    assert notes.at(100, 300) is None


def test_a_scan_stops_where_the_next_note_begins() -> None:
    notes = Notes()
    notes.add(run(100, 300))
    assert notes.next_start(20, 1000) == 100
    assert notes.next_start(20, 60) == 60
    assert notes.next_start(100, 1000) == 1000, "a note that cannot be used is in nobody's way"


def test_there_are_never_very_many_notes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(noted, "RECORDS_MAX", 10)
    notes = Notes()
    for start in range(0, 100, 10):
        notes.add(run(start, start + 10, count=6))
    assert [notes.at(start, 1000) is not None for start in (0, 10, 20)] == [True, True, False]
    notes.add(run(100, 110))
    assert notes.at(100, 1000) == run(100, 110), "there is room again behind what was dispatched"


def test_noted_or_not_records_are_filed_alike(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of twelve records some are noted; later one note comes too late."""
    store = open_store(small_config(tmp_path))
    scanned: list[int] = []

    def scan(data: bytes, at: int, last: int, offset: int, count: int) -> object:
        found = scan_records_plain(data, at, last, offset, count)
        scanned.extend(record[2] for record in found[0])
        return found

    monkeypatch.setattr(dispatching, "scan_records", scan)
    places: list[tuple[int, int]] = []

    def append(count: int) -> None:
        for _ in range(count):
            log_offset, size, _, _ = store.append(
                "orders", 0, 0, 0, 5, HOST, 0, 0, b"body", b"UNIQ_KEY\x01K%d\x02" % len(places)
            )
            places.append((log_offset, size))

    def note(first: int, last: int) -> Noted:
        start, end = places[first][0], sum(places[last - 1])
        data = bytes(store._log.files[0].data[start:end])  # type: ignore[index]
        records, keys, _, _ = scan_records_plain(data, 0, len(data), start, 100)
        return Noted(start, end, list(records), keys)

    append(12)
    store.note(note(2, 5))
    store.note(note(5, 6))
    store.note(note(9, 11))
    arrived: list[Filed] = []
    while found := store.dispatch(4):
        arrived += found
    assert [record[2] for record in arrived] == list(range(12))
    assert [(record[3], record[4]) for record in arrived] == places
    assert scanned == [0, 1, 6, 7, 8, 11]
    append(3)
    late = note(12, 13)
    arrived += store.dispatch(1)
    store.note(late)
    while found := store.dispatch(100):
        arrived += found
    assert [record[2] for record in arrived] == list(range(15))
    for number, (log_offset, _) in enumerate(places):
        assert store.query_by_key("orders", f"K{number}", 9, 0, 2**62).log_offsets == [log_offset]
        entry = store.entry_of("orders", 0, number)
        assert entry is not None and entry[0] == log_offset
    store.close()
