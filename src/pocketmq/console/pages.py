"""The pages: files of the package, found by exact name in a table that is made at start.

As no path of a request ever reaches the file system, there is nothing to trick.

What `index.html` names is served in two pieces (`linking.py`). The sheets and the script that runs
first become part of `index.html` itself; the Content-Security-Policy of that answer names their
hashes, so nothing else that is written in the page may run. All modules become one script, whose
name holds a hash, so that a browser keeps it until it changes. Where they cannot be joined, as in
a source tree without the libraries, `index.html` is served as it is written.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import logging
import mimetypes
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from pocketmq.console.headers import content_policy
from pocketmq.console.linking import NotLinked, join_styles, link
from pocketmq.console.problems import Problem

_log = logging.getLogger(__name__)

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


_INDEX = "index.html"
_STYLE = re.compile(r' *<link rel="stylesheet" href="static/([^"]+)">\n')
_EARLY = re.compile(r'<script src="static/([^"]+)"></script>')
_MODULE = re.compile(r'<script type="module" src="static/([^"]+)"></script>')


class Page:
    """One answer, plain and with gzip."""

    def __init__(self, name: str, content: bytes, policy: str | None = None) -> None:
        self._policy = policy
        suffix = Path(name).suffix
        kind = _TYPES.get(suffix) or mimetypes.guess_type(name)[0]
        self._kind = kind or "application/octet-stream"
        self._keep = "public, max-age=31536000, immutable" if _HASHED.search(name) else "no-cache"
        self._plain = (content, f'"{_hash(content)}"')
        self._squeezed: tuple[bytes, str] | None = None
        if suffix in _SQUEEZED:
            squeezed = gzip.compress(content, 9, mtime=0)
            self._squeezed = (squeezed, f'"{_hash(squeezed)}"')

    @property
    def text(self) -> str:
        """The content as text."""
        return self._plain[0].decode()

    def answer(self, request: Request) -> Response:
        """This page, or that the browser has it already."""
        squeezed = self._squeezed
        if "gzip" not in request.headers.get("accept-encoding", ""):
            squeezed = None
        content, tag = squeezed or self._plain
        headers = {"ETag": tag, "Vary": "Accept-Encoding", "Cache-Control": self._keep}
        if self._policy is not None:
            # Also when nothing changed: a browser updates what it kept by the headers of a 304.
            headers["Content-Security-Policy"] = self._policy
        if request.headers.get("if-none-match") == tag:
            return Response(status_code=304, headers=headers)
        if squeezed is not None:
            headers["Content-Encoding"] = "gzip"
        return Response(content, 200, headers, self._kind)


class Pages:
    """Serves `/` and `/static/…`."""

    def __init__(self, directory: Path = STATIC) -> None:
        self._paths = dict(_found(directory))
        self._read: dict[str, tuple[int, Page]] = {}
        self._joined: dict[str, Page] = {}
        self._joined_of: tuple[int, ...] = ()
        self._join()

    @property
    def names(self) -> list[str]:
        """The names of all files that can be asked for."""
        return list(self._paths)

    def routes(self) -> list[Route]:
        """The routes; they go behind all others."""
        return [
            Route("/", self._index, methods=["GET"]),
            Route("/favicon.ico", self._icon, methods=["GET"]),
            Route("/static/{name:path}", self._file, methods=["GET"]),
        ]

    async def _index(self, request: Request) -> Response:
        self._join()
        return self.page(_INDEX).answer(request)

    async def _icon(self, request: Request) -> Response:
        return self.page("favicon.ico").answer(request)

    async def _file(self, request: Request) -> Response:
        return self.page(request.path_params["name"]).answer(request)

    def page(self, name: str) -> Page:
        """What is answered for a name. Raise Problem (404)."""
        found = self._joined.get(name)
        if found is not None:
            return found
        path = self._paths.get(name)
        if path is None:
            raise Problem(404, "not_found", "there is no such page")
        version = path.stat().st_mtime_ns  # whoever works on the pages sees them change
        known = self._read.get(name)
        if known is None or known[0] != version:
            known = (version, Page(name, path.read_bytes()))
            self._read[name] = known
        return known[1]

    def _join(self) -> None:
        """Join scripts and sheets, when a file changed since the last time."""
        wanted = {
            name: path for name, path in self._paths.items() if path.suffix in (".js", ".css")
        }
        index = self._paths.get(_INDEX)
        if index is None:
            return
        versions = tuple(path.stat().st_mtime_ns for path in (index, *wanted.values()))
        if versions == self._joined_of:
            return
        self._joined_of = versions
        sources = {name: path.read_text(encoding="utf-8") for name, path in wanted.items()}
        try:
            self._joined = dict(joined(index.read_text(encoding="utf-8"), sources))
        except NotLinked as error:
            _log.warning("the console's modules are served one by one: %s", error)
            self._joined = {}


def joined(index: str, sources: Mapping[str, str]) -> Iterator[tuple[str, Page]]:
    """`index.html` with all that is in it, and the one script. Raise NotLinked."""
    sheets, early, modules = (one.findall(index) for one in (_STYLE, _EARLY, _MODULE))
    if not sheets or len(early) != 1 or len(modules) != 1:
        raise NotLinked(f"{_INDEX} does not name sheets, one script and one module")
    style, first = join_styles(sources, sheets), sources.get(early[0], "")
    if "</" in style or "</script" in first:
        raise NotLinked("a script or sheet would end its element")
    script = link(sources, modules[0])
    script_name = f"console-{_hash(script.encode())}.js"

    def one_style(match: re.Match[str]) -> str:
        return f"<style>{style}</style>\n" if match[1] == sheets[0] else ""

    index = _STYLE.sub(one_style, index).replace(f"static/{modules[0]}", f"static/{script_name}")
    index = _EARLY.sub(lambda match: f"<script>{first}</script>", index)
    policy = content_policy(scripts=_trusted(first), styles=_trusted(style))
    yield _INDEX, Page(_INDEX, index.encode(), policy)
    yield script_name, Page(script_name, script.encode())


def _trusted(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _hash(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:20]


def _found(directory: Path) -> Iterator[tuple[str, Path]]:
    for path in sorted(directory.rglob("*")):
        if path.is_file() and not path.name.startswith("."):
            yield path.relative_to(directory).as_posix(), path
