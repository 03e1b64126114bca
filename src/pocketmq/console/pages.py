"""The pages: files of the package, found by exact name in a table that is made at start.

As no path of a request ever reaches the file system, there is nothing to trick.
"""

from __future__ import annotations

import gzip
import hashlib
import mimetypes
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from pocketmq.console.problems import Problem

STATIC = Path(__file__).parent / "static"
_HASHED = re.compile(r"[.-][0-9a-f]{8,}\.\w+$")
_TYPES = {
    ".js": "text/javascript; charset=utf-8",
    ".mjs": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".svg": "image/svg+xml",
    ".json": "application/json",
    ".txt": "text/plain; charset=utf-8",
    ".woff2": "font/woff2",
    ".webmanifest": "application/manifest+json",
}
_SQUEEZED = (".js", ".mjs", ".css", ".html", ".svg", ".json", ".txt", ".webmanifest")


@dataclass(frozen=True, slots=True)
class _Page:
    path: Path
    kind: str
    forever: bool


class Pages:
    """Serves `/` and `/static/…`."""

    def __init__(self, directory: Path = STATIC) -> None:
        self._pages = dict(_found(directory))
        self._contents: dict[tuple[str, bool, int], tuple[bytes, str]] = {}

    @property
    def names(self) -> list[str]:
        """The names of all files that can be asked for."""
        return list(self._pages)

    def routes(self) -> list[Route]:
        """The routes; they go behind all others."""
        return [
            Route("/", self._index, methods=["GET"]),
            Route("/favicon.ico", self._icon, methods=["GET"]),
            Route("/static/{name:path}", self._file, methods=["GET"]),
        ]

    async def _index(self, request: Request) -> Response:
        return self._answer(request, "index.html")

    async def _icon(self, request: Request) -> Response:
        return self._answer(request, "favicon.ico")

    async def _file(self, request: Request) -> Response:
        return self._answer(request, request.path_params["name"])

    def _answer(self, request: Request, name: str) -> Response:
        page = self._pages.get(name)
        if page is None:
            raise Problem(404, "not_found", "there is no such page")
        squeezed = page.path.suffix in _SQUEEZED and "gzip" in request.headers.get(
            "accept-encoding", ""
        )
        content, tag = self._content(name, page, squeezed)
        headers = {
            "ETag": tag,
            "Vary": "Accept-Encoding",
            "Cache-Control": "public, max-age=31536000, immutable" if page.forever else "no-cache",
        }
        if request.headers.get("if-none-match") == tag:
            return Response(status_code=304, headers=headers)
        if squeezed:
            headers["Content-Encoding"] = "gzip"
        return Response(content, 200, headers, page.kind)

    def _content(self, name: str, page: _Page, squeezed: bool) -> tuple[bytes, str]:
        version = page.path.stat().st_mtime_ns  # whoever works on the pages sees them change
        found = self._contents.get((name, squeezed, version))
        if found is None:
            content = page.path.read_bytes()
            if squeezed:
                content = gzip.compress(content, 9, mtime=0)
            found = (content, f'"{hashlib.sha256(content).hexdigest()[:20]}"')
            self._contents[name, squeezed, version] = found
        return found


def _found(directory: Path) -> Iterator[tuple[str, _Page]]:
    for path in sorted(directory.rglob("*")):
        if path.is_file() and not path.name.startswith("."):
            name = path.relative_to(directory).as_posix()
            kind = _TYPES.get(path.suffix) or mimetypes.guess_type(name)[0]
            yield (
                name,
                _Page(path, kind or "application/octet-stream", bool(_HASHED.search(path.name))),
            )
