"""Where a group is in its queues: kept by the brokers, or in a file of the consumer's own.

Brokers keep the positions of a group whose members share queues. A broadcasting consumer reads
everything itself, so its positions are its own; they lie in

    <directory>/<client id>/<group>/offsets.json        {"offsetTable":{{"brokerName":...}:17}}

which is the format of Java clients.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from pocketmq.client.calls import Calls
from pocketmq.errors import ClientError, ConfigError, NoRoute, PocketMQError, ProtocolError
from pocketmq.protocol.bodies.offsets import QueueOffsets
from pocketmq.protocol.bodies.queues import MessageQueue

_log = logging.getLogger(__name__)

DIRECTORY_VARIABLE = "POCKETMQ_OFFSETS"


class OffsetStore(Protocol):
    """Remembers positions of one group."""

    async def read(self, queue: MessageQueue) -> int | None:
        """The position in a queue; None when there is none yet. Raises when nobody can tell."""
        ...

    async def commit(self, offsets: dict[MessageQueue, int], *, wait: bool = False) -> None:
        """Remember positions. With `wait` they are safe then, and errors are raised."""
        ...


class RemoteOffsets:
    """Positions that the brokers of the queues keep."""

    def __init__(
        self, calls: Calls, group: str, address_of: Callable[[MessageQueue], str | None]
    ) -> None:
        self._calls = calls
        self._group = group
        self._address_of = address_of

    async def read(self, queue: MessageQueue) -> int | None:
        """The position in a queue; None when the broker has none."""
        return await self._calls.consumer_offset(self._address(queue), self._group, queue)

    async def commit(self, offsets: dict[MessageQueue, int], *, wait: bool = False) -> None:
        """Tell the brokers. Without `wait`, what fails is only logged."""
        results = await asyncio.gather(
            *(self._commit_one(queue, offset) for queue, offset in offsets.items()),
            return_exceptions=True,
        )
        problem: BaseException | None = None
        for queue, result in zip(offsets, results, strict=True):
            if result is not None:
                _log.info("position not committed queue=%s: %s", queue, result)
                problem = result
        if problem is not None and (wait or not isinstance(problem, PocketMQError)):
            raise problem

    async def _commit_one(self, queue: MessageQueue, offset: int) -> None:
        address = self._address(queue)
        await self._calls.commit_offset(address, self._group, queue, offset, wait=True)

    def _address(self, queue: MessageQueue) -> str:
        address = self._address_of(queue)
        if address is None:
            raise NoRoute(queue.topic, f"broker {queue.broker_name} is not in its route any more")
        return address


class FileOffsets:
    """Positions in a file, written whole: a new file that then takes the old one's place."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self._offsets = self._load()

    def _load(self) -> dict[MessageQueue, int]:
        try:
            data = self.path.read_bytes()
        except FileNotFoundError:
            return {}
        except OSError as error:
            raise ConfigError(f"the positions in {self.path} cannot be read: {error}") from None
        try:
            return dict(QueueOffsets.from_json(data).offset_table)
        except ProtocolError as error:
            raise ConfigError(
                f"{self.path} does not hold positions ({error}); repair it, or remove it to "
                "start anew"
            ) from None

    async def read(self, queue: MessageQueue) -> int | None:
        """The position in a queue; None when the file has none."""
        return self._offsets.get(queue)

    async def commit(self, offsets: dict[MessageQueue, int], *, wait: bool = False) -> None:
        """Write the positions, and those of other queues that are known already."""
        if not offsets:
            return
        self._offsets.update(offsets)
        try:
            self._write(safely=wait)
        except OSError as error:
            _log.error("positions not written path=%s: %s", self.path, error)
            if wait:
                raise ClientError(
                    f"the positions cannot be written to {self.path}: {error}"
                ) from error

    def _write(self, *, safely: bool) -> None:
        fresh = self.path.with_name(f".{self.path.name}.new")
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with open(fresh, "wb") as file:
            file.write(QueueOffsets(self._offsets).to_json())
            if safely:
                file.flush()
                os.fsync(file.fileno())
        os.replace(fresh, self.path)


def offsets_file(client_id: str, group: str, directory: str | Path = "") -> Path:
    """Where the positions of a broadcasting consumer lie."""
    root = Path(
        directory or os.environ.get(DIRECTORY_VARIABLE, "") or Path.home() / ".rocketmq_offsets"
    )
    return root / _file_name(client_id) / _file_name(group) / "offsets.json"


def _file_name(name: str) -> str:
    """A name that is one component of a path, whatever characters it has."""
    return name.replace("/", "_").replace("\\", "_").replace("\0", "_").strip(".") or "_"
