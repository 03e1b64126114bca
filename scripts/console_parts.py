"""Fetch the parts of the web console that others wrote, from the npm registry, and unpack them.

The console needs three small libraries: preact draws, htm reads templates, uPlot plots. None of
them is kept in the repository. This script downloads each as the archive its authors published,
compares it with the hash written here, and places the few files that are needed in
`src/pocketmq/console/static/vendor/`. It needs Python's standard library alone; no Node.

    python scripts/console_parts.py            # fetch what is missing
    python scripts/console_parts.py --offline  # only say whether all parts are there

`make up`, `make test` and the build of a wheel or source archive call it. A registry of one's own
is named by NPM_CONFIG_REGISTRY, as npm does.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import http.client
import io
import os
import socket
import sys
import tarfile
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path

REGISTRY = "https://registry.npmjs.org"
VENDOR = Path(__file__).parent.parent / "src" / "pocketmq" / "console" / "static" / "vendor"
ARCHIVE_BYTES_MAX = 8 << 20
TRIES = 3


@dataclass(frozen=True)
class Part:
    """One package of the npm registry: which version, its hash, and which files are wanted."""

    name: str
    version: str
    sha512: str
    """Of the archive, as npm writes it behind `sha512-`."""
    files: dict[str, str]
    """Path within the package -> name in the folder of parts."""
    licence: str = "LICENSE"


PARTS = (
    Part(
        "preact",
        "11.2.0",
        "/HfHI/7N84e6GrWBJ3J280z3mLaRJiDcSvj/A+y/4AbLnND/1UlGHe1sR6oYuTGwId0nP7dqDU9OnLxMPZ7xBg==",
        {"dist/preact.mjs": "preact.js", "hooks/dist/hooks.mjs": "hooks.js"},
    ),
    Part(
        "htm",
        "3.1.1",
        "983Vyg8NwUE7JkZ6NmOqpCZ+sh1bKv2iYTlUkzlWmA5JD2acKoxd4KVxbMmxX/85mtfdnDmTFoNKcg5DGAvxNQ==",
        {"dist/htm.module.js": "htm.js"},
    ),
    Part(
        "uplot",
        "1.6.32",
        "KIMVnG68zvu5XXUbC4LQEPnhwOxBuLyW1AHtpm6IKTXImkbLgkMy+jabjLgSLMasNuGGzQm/ep3tOkyTxpiQIw==",
        {"dist/uPlot.iife.min.js": "uplot.js", "dist/uPlot.min.css": "uplot.css"},
    ),
)

# The checker of accessibility that the browser tests run; it is no part of the console.
AXE = Part(
    "axe-core",
    "4.14.1",
    "FHfa+lmNjQZfJz1q8wKqIDwC6DExcHt/pkjNQb09a3NPjCKg2rhu5qb2S4r76ASyFNNtuFooJpZe37OgudVGtQ==",
    {"axe.min.js": "axe.js"},
)

LICENCES = "LICENCES.txt"
STAMP = "parts.txt"


class PartMissing(Exception):
    """A part is not there and cannot be had; the text says what to do."""


def fetch_all(folder: Path = VENDOR, parts: tuple[Part, ...] = PARTS) -> bool:
    """Place every part in `folder`. Return whether anything had to be fetched."""
    if complete(folder, parts):
        return False
    folder.mkdir(parents=True, exist_ok=True)
    licences = []
    for part in parts:
        contents = _unpack(part, _download(part))
        licences.append(
            f"{part.name} {part.version}\n\n{contents.pop(part.licence).decode().strip()}\n"
        )
        for source, target in part.files.items():
            _replace(folder / target, _as_module(source, contents[source]))
    _replace(folder / LICENCES, "\n\n".join(licences).encode())
    _replace(folder / STAMP, _stamp(parts).encode())
    return True


def complete(folder: Path = VENDOR, parts: tuple[Part, ...] = PARTS) -> bool:
    """Return whether `folder` holds these parts in these versions."""
    names = [LICENCES, *(target for part in parts for target in part.files.values())]
    try:
        stamp = (folder / STAMP).read_text(encoding="utf-8")
    except FileNotFoundError:
        return False
    return stamp == _stamp(parts) and all((folder / name).is_file() for name in names)


def _stamp(parts: tuple[Part, ...]) -> str:
    return "".join(f"{part.name} {part.version} {part.sha512}\n" for part in parts)


def _download(part: Part) -> bytes:
    registry = os.environ.get("NPM_CONFIG_REGISTRY") or REGISTRY
    url = f"{registry.rstrip('/')}/{part.name}/-/{part.name}-{part.version}.tgz"
    if not url.startswith(("https://", "http://")):
        raise PartMissing(f"NPM_CONFIG_REGISTRY is not the address of a web server: {registry}")
    for attempt in range(1, TRIES + 1):
        try:
            with urllib.request.urlopen(url, timeout=20) as answer:
                archive: bytes = answer.read(ARCHIVE_BYTES_MAX + 1)
            break
        except (OSError, http.client.HTTPException) as error:
            if _is_lasting(error) or attempt == TRIES:
                raise PartMissing(_cure(f"cannot fetch {url}: {error}")) from error
            time.sleep(attempt)
    found = base64.b64encode(hashlib.sha512(archive).digest()).decode()
    if found != part.sha512:
        raise PartMissing(
            f"{url} is not the archive this version of PocketMQ was tested with:\n"
            f"  expected sha512 {part.sha512}\n  received sha512 {found}\n"
            "It was not unpacked. Ask whoever runs that registry."
        )
    return archive


def _is_lasting(error: Exception) -> bool:
    """Return whether a second try is of no use: no network, or no such file."""
    if isinstance(error, urllib.error.HTTPError):
        error.close()  # it is an open answer, too
        return error.code < 500
    cause = error.reason if isinstance(error, urllib.error.URLError) else error
    return isinstance(cause, (socket.gaierror, ConnectionRefusedError))


def _unpack(part: Part, archive: bytes) -> dict[str, bytes]:
    """Return the wanted files; nothing is written under a name that the archive chose."""
    contents = {}
    with tarfile.open(fileobj=io.BytesIO(archive), mode="r:gz") as tar:
        for name in (part.licence, *part.files):
            member = tar.extractfile(f"package/{name}")
            if member is None:
                raise PartMissing(f"{part.name} {part.version} holds no {name}")
            contents[name] = member.read()
    return contents


def _as_module(name: str, content: bytes) -> bytes:
    """Make a browser find the other parts beside a file: without a bundler `preact` is no name."""
    if name.endswith(".mjs"):
        return content.replace(b'"preact"', b'"./preact.js"')
    if name.endswith(".iife.min.js"):
        return content.rstrip() + b"\nexport default uPlot;\n"
    return content


def _replace(path: Path, content: bytes) -> None:
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    beside.write_bytes(content)
    beside.replace(path)


def _cure(problem: str) -> str:
    return (
        f"{problem}\n"
        "The web console is left out; everything else works. To have it, run\n"
        "  python scripts/console_parts.py\n"
        "where the registry can be reached, or name another with NPM_CONFIG_REGISTRY=https://...,\n"
        f"or copy the folder {VENDOR.name}/ from another machine to {VENDOR}"
    )


def main() -> int:
    """Fetch the parts, or with --offline look for them."""
    parser = argparse.ArgumentParser(description="Fetch the web console's parts from npm.")
    parser.add_argument("--offline", action="store_true", help="fetch nothing, only look")
    arguments = parser.parse_args()
    if arguments.offline:
        if complete():
            return 0
        print(_cure(f"the console's parts are not in {VENDOR}"), file=sys.stderr)
        return 1
    try:
        fetched = fetch_all()
    except PartMissing as error:
        print(f"warning: {error}", file=sys.stderr)
        return 1
    if fetched:
        print("console parts:", ", ".join(f"{part.name} {part.version}" for part in PARTS))
    return 0


if __name__ == "__main__":
    sys.exit(main())
