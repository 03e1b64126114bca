"""The console's libraries: they come from a registry, by hash, and their absence is explained."""

from __future__ import annotations

import base64
import hashlib
import io
import tarfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from scripts import console_parts
from scripts.console_parts import Part, PartMissing, complete, fetch_all

FILES = {"package/LICENSE": b"free", "package/dist/a.mjs": b'import{h}from"preact";'}


def archive(files: dict[str, bytes]) -> bytes:
    """A package as the npm registry keeps it."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return packed.getvalue()


def part(content: bytes) -> Part:
    """A part whose archive is this."""
    sha512 = base64.b64encode(hashlib.sha512(content).digest()).decode()
    return Part("a", "1.0.0", sha512, {"dist/a.mjs": "a.js"})


@contextmanager
def registry(content: bytes | None) -> Iterator[tuple[str, list[str]]]:
    """A registry that has one archive; its address, and the paths it was asked for."""
    asked: list[str] = []

    class Answering(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(404 if content is None else 200)
            self.end_headers()
            self.wfile.write(content or b"")

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answering)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/", asked
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def test_a_part_is_fetched_once_and_finds_its_neighbours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = archive(FILES)
    with registry(content) as (address, asked):
        monkeypatch.setenv("NPM_CONFIG_REGISTRY", address)
        assert fetch_all(tmp_path, (part(content),))
        assert not fetch_all(tmp_path, (part(content),))
    assert asked == ["/a/-/a-1.0.0.tgz"]
    assert (tmp_path / "a.js").read_bytes() == b'import{h}from"./preact.js";'
    assert "free" in (tmp_path / "LICENCES.txt").read_text()


def test_another_archive_than_the_pinned_one_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = part(archive(FILES))
    with registry(archive({**FILES, "package/dist/a.mjs": b"evil"})) as (address, _):
        monkeypatch.setenv("NPM_CONFIG_REGISTRY", address)
        with pytest.raises(PartMissing, match="not the archive"):
            fetch_all(tmp_path, (wanted,))
    assert not (tmp_path / "a.js").exists()
    assert not complete(tmp_path, (wanted,))


def test_a_registry_without_the_part_is_named_with_the_cure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with registry(None) as (address, asked):
        monkeypatch.setenv("NPM_CONFIG_REGISTRY", address)
        with pytest.raises(PartMissing) as error:
            fetch_all(tmp_path, (part(b""),))
    assert len(asked) == 1
    assert address in str(error.value)
    assert "python scripts/console_parts.py" in str(error.value)


def test_a_folder_that_lost_a_file_is_not_complete(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = archive(FILES)
    with registry(content) as (address, _):
        monkeypatch.setenv("NPM_CONFIG_REGISTRY", address)
        fetch_all(tmp_path, (part(content),))
        (tmp_path / "a.js").unlink()
        assert fetch_all(tmp_path, (part(content),))
    assert (tmp_path / "a.js").exists()


def test_every_part_is_pinned_by_version_and_hash() -> None:
    for one in (*console_parts.PARTS, console_parts.AXE):
        assert len(base64.b64decode(one.sha512)) == 64
        assert one.version[0].isdigit()
