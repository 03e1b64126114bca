"""One name server, as the broker that registers with it sees it.

start -> register with all topics -> wait until: the interval is over   -> all topics again
             ^                                   topics have changed    -> those topics
             |                                   the connection closed  -> all topics again
             +---- a few seconds later ---- it failed, or was refused
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping
from typing import Final, NamedTuple

from pocketmq.broker.config import RegistrationConfig
from pocketmq.broker.services.announcement import Announcement
from pocketmq.errors import NetError, ProtocolError, Refused
from pocketmq.net import Connection, RpcClient
from pocketmq.protocol.bodies.tables import KvTable
from pocketmq.protocol.codes import ResponseCode
from pocketmq.protocol.command import Command
from pocketmq.protocol.fields import decode_fields
from pocketmq.protocol.requests.routes import RegisterBrokerReply

_log = logging.getLogger(__name__)

RETRY_MS: Final = 3000
GOODBYE_TIMEOUT_MS: Final = 3000


class Learned(NamedTuple):
    """What a name server tells a broker that registers."""

    order_topics: Mapping[str, str]
    """The topics with an order configuration; empty when there are none."""
    ha_address: str | None
    """Where a slave's master replicates from; None for a master, or while there is none."""
    master_address: str | None


class NameServerLink:
    """Registers with one name server, again and again."""

    def __init__(
        self,
        address: str,
        config: RegistrationConfig,
        announcement: Announcement,
        client: RpcClient,
        on_learned: Callable[[Learned], None],
        *,
        retry_ms: int = RETRY_MS,
    ) -> None:
        self._address = address
        self._config = config
        self._announcement = announcement
        self._client = client
        self._on_learned = on_learned
        self._retry_ms = retry_ms
        self._changed: dict[str, None] = {}
        self._full_is_due = True
        self._woken = asyncio.Event()
        self._stopping = False
        self._known_on: Connection | None = None
        self._problem: str | None = None
        self._learned: Learned | None = None
        self._task: asyncio.Task[None] | None = None
        self._watch: asyncio.Task[None] | None = None
        self.tried = asyncio.Event()
        """Set once the first attempt has ended, one way or the other."""
        self.told = asyncio.Event()
        """Set while the name server was told of all changes, or cannot be reached."""

    @property
    def is_registered(self) -> bool:
        """True while the name server knows this broker."""
        return self._known_on is not None and self._known_on.is_open

    def start(self) -> None:
        """Begin. Call on the event loop."""
        self._task = asyncio.ensure_future(self._run())

    def topics_changed(self, names: Iterable[str]) -> None:
        """Tell the name server about these topics at once."""
        self._changed.update(dict.fromkeys(names))
        if self._problem is None:  # otherwise the next try tells everything anyway
            self.told.clear()
            self._woken.set()

    def register_fully(self) -> None:
        """Tell the name server everything at once."""
        self._full_is_due = True
        self._woken.set()

    async def stop(self) -> None:
        """End, and say goodbye to a name server that knows this broker."""
        # Before Python 3.12, wait_for can lose a cancellation that comes together with its result,
        # so the loop also looks at the flag.
        self._stopping = True
        self._woken.set()
        for task in (self._task, self._watch):
            if task is not None:
                task.cancel()
                await asyncio.wait((task,))
        connection = self._known_on
        if connection is None or not connection.is_open:
            return
        try:
            await connection.call(self._announcement.goodbye(connection), GOODBYE_TIMEOUT_MS)
        except NetError as error:
            _log.info("name server did not hear the goodbye address=%s: %s", self._address, error)

    async def _run(self) -> None:
        while not self._stopping:
            self._woken.clear()
            try:
                await self._register()
            except (NetError, ProtocolError, Refused) as error:
                self._failed(str(error))
            except Exception as error:  # noqa: BLE001 - the edge of the service
                _log.error("registration failed name_server=%s", self._address, exc_info=error)
                self._failed(f"{type(error).__name__}: {error}")
            self.tried.set()
            if self._changed or self._stopping:
                self._woken.set()
            else:
                self.told.set()
            wait_ms = self._config.interval_ms if self._known_on is not None else self._retry_ms
            try:
                await asyncio.wait_for(self._woken.wait(), wait_ms / 1000)
            except (asyncio.TimeoutError, TimeoutError):
                self._full_is_due = True

    async def _register(self) -> None:
        connection = await self._client.connect(self._address)
        changed, self._changed = self._changed, {}
        full = self._full_is_due or connection is not self._known_on
        if not full and (not changed or await self._tell_changes(connection, changed)):
            return
        self._full_is_due = False
        reply = await self._call(connection, self._announcement.full(connection))
        if reply.code != ResponseCode.SUCCESS:
            raise Refused(reply.code, f"answer {reply.code}: {reply.remark}")
        self._succeeded(connection)
        self._learn(reply)

    async def _tell_changes(self, connection: Connection, changed: Iterable[str]) -> bool:
        """Tell about changed topics alone. False when only a full registration will do."""
        command = self._announcement.of(connection, changed)
        if command is None:
            return False
        reply = await self._call(connection, command)
        return reply.code == ResponseCode.SUCCESS

    async def _call(self, connection: Connection, command: Command) -> Command:
        return await connection.call(command, self._config.timeout_ms)

    def _succeeded(self, connection: Connection) -> None:
        if self._known_on is None:
            _log.info("registered name_server=%s", self._address)
        self._problem = None
        if connection is not self._known_on:
            self._known_on = connection
            if self._watch is not None:
                self._watch.cancel()
            self._watch = asyncio.ensure_future(self._watch_closing(connection))

    def _failed(self, problem: str) -> None:
        self._known_on = None
        self._full_is_due = True
        self._changed.clear()
        if problem != self._problem:
            _log.warning(
                "not registered, trying again name_server=%s reason=%s", self._address, problem
            )
        self._problem = problem

    async def _watch_closing(self, connection: Connection) -> None:
        await connection.wait_closed()
        if connection is self._known_on:
            self._known_on = None
            self._full_is_due = True
            self._woken.set()

    def _learn(self, reply: Command) -> None:
        header = decode_fields(RegisterBrokerReply, reply.fields)
        ordered = KvTable.from_json(reply.body).table if len(reply.body) else {}
        learned = Learned(ordered, header.ha_server_addr, header.master_addr)
        if learned != self._learned:
            self._learned = learned
            self._on_learned(learned)
