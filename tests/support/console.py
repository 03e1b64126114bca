"""A console in the test's process, in front of a cluster, and a browser's part in asking it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pocketmq.admin import Admin
from pocketmq.console.config import ConsoleConfig, ConsoleListenConfig
from pocketmq.console.desk import Desk
from pocketmq.console.server import ConsoleServer
from pocketmq.security import Credentials

API = "/api/v1"


@dataclass(frozen=True, slots=True)
class Answer:
    """What the console answered."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def tree(self) -> Any:
        """The JSON document in it."""
        assert self.headers["content-type"] == "application/json", self.headers
        return json.loads(self.body)

    @property
    def error(self) -> str:
        """The code of the error that it is."""
        code: str = self.tree["error"]["code"]
        return code


class Browser:
    """Asks the console, keeps its cookie, and sends the token that its pages would."""

    def __init__(self, server: ConsoleServer) -> None:
        self.server = server
        host, _, port = server.url.removeprefix("http://").rpartition(":")
        self.host, self.port = host, int(port)
        self.cookie = ""
        self.csrf = ""

    @property
    def desk(self) -> Desk:
        """What the console's endpoints use."""
        return self.server.desk

    async def get(self, path: str, **headers: str) -> Answer:
        """Read something of the API."""
        return await self.ask("GET", API + path, headers=headers)

    async def tree(self, path: str) -> Any:
        """The document at a path, which must be there."""
        answer = await self.get(path)
        assert answer.status == 200, answer.body
        return answer.tree

    async def shown(self, path: str, wanted: Callable[[Any], object]) -> Any:
        """The document at a path, as soon as it is as wanted; fails when that takes too long."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + 30
        while True:
            tree = await self.tree(path)
            if wanted(tree):
                return tree
            assert loop.time() < deadline, tree
            await asyncio.sleep(0.02)

    async def write(self, method: str, path: str, body: object = None) -> Answer:
        """Change something, with the token."""
        if not self.csrf:
            self.csrf = (await self.tree("/session"))["csrf"] or ""
        headers = {"X-CSRF-Token": self.csrf, "Content-Type": "application/json"}
        content = b"" if body is None else json.dumps(body).encode()
        return await self.ask(method, API + path, content, headers)

    async def post(self, path: str, body: object) -> Any:
        """The document of an action, which must succeed."""
        answer = await self.write("POST", path, body)
        assert answer.status in (200, 201, 202), answer.body
        return answer.tree

    async def login(self, user: str, password: str) -> Answer:
        """Log in, and keep the cookie and the token."""
        body = json.dumps({"user": user, "password": password}).encode()
        headers = {"Content-Type": "application/json"}
        answer = await self.ask("POST", API + "/login", body, headers)
        if answer.status == 200:
            self.cookie = answer.headers["set-cookie"].partition(";")[0]
            self.csrf = answer.tree["csrf"]
        return answer

    async def ask(
        self, method: str, path: str, body: bytes = b"", headers: Mapping[str, str] = {}
    ) -> Answer:
        """Ask anything."""
        sent = {"Host": f"{self.host}:{self.port}", "Content-Length": str(len(body)), **headers}
        if self.cookie:
            sent.setdefault("Cookie", self.cookie)
        lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in sent.items())]
        return await self.raw("\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body)

    async def raw(self, request: bytes) -> Answer:
        """Send bytes and read one answer."""
        reader, writer = await asyncio.open_connection(self.host, self.port)
        try:
            writer.write(request)
            return await read_answer(reader)
        finally:
            writer.close()
            await writer.wait_closed()

    @asynccontextmanager
    async def events(self) -> AsyncIterator[Events]:
        """An open stream of events."""
        reader, writer = await asyncio.open_connection(self.host, self.port)
        try:
            head = f"GET {API}/events HTTP/1.1\r\nHost: {self.host}:{self.port}\r\n"
            cookie = f"Cookie: {self.cookie}\r\n" if self.cookie else ""
            writer.write((head + cookie + "\r\n").encode())
            yield Events(reader, int((await _head(reader))[0]))
        finally:
            writer.close()
            await writer.wait_closed()


class Events:
    """A stream of server-sent events."""

    def __init__(self, reader: asyncio.StreamReader, status: int) -> None:
        self._reader = reader
        self.status = status

    async def next(self, wanted: str) -> Any:
        """The data of the next event of a kind."""
        kind = ""
        while line := await asyncio.wait_for(self._reader.readline(), 10):
            text = line.decode().rstrip("\r\n")
            if text.startswith("event: "):
                kind = text.removeprefix("event: ")
            elif text.startswith("data: ") and kind == wanted:
                return json.loads(text.removeprefix("data: "))
        raise AssertionError("the stream ended")

    async def end(self) -> None:
        """Read until the stream ends."""
        await asyncio.wait_for(self._reader.readuntil(b"\r\n0\r\n\r\n"), 10)


async def read_answer(reader: asyncio.StreamReader) -> Answer:
    """One answer from a connection."""
    status, headers = await asyncio.wait_for(_head(reader), 10)
    length = int(headers.get("content-length", "0"))
    return Answer(status, headers, await asyncio.wait_for(reader.readexactly(length), 10))


async def _head(reader: asyncio.StreamReader) -> tuple[int, dict[str, str]]:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    headers: dict[str, str] = {}
    for line in head[1:]:
        name, _, value = line.partition(": ")
        if name:
            headers[name.lower()] = value
    return int(head[0].split(" ")[1]), headers


@asynccontextmanager
async def console(
    name_servers: str,
    users: Path | None = None,
    credentials: Credentials | None = None,
    **groups: Any,
) -> AsyncIterator[Browser]:
    """A started console in front of a cluster, and a browser."""
    config = ConsoleConfig(listen=ConsoleListenConfig(port=0), users=users)
    async with Admin(name_servers, credentials=credentials) as admin:
        server = ConsoleServer(replace(config, **groups), admin)
        await server.start()
        try:
            yield Browser(server)
        finally:
            await server.stop()
