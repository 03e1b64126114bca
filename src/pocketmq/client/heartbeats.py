"""Tells brokers that a client lives, and keeps its routes fresh.

Every half minute, and at once when a connection opens or members change. Masters hear of producers;
replicas too once there are consumers, who may pull from them. A broker that pushes to us and whose
connection broke is connected to again, so that it need not wait for the next round.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Final

from pocketmq.errors import ClientError, NetError, ProtocolError
from pocketmq.net.caller import CallerConnection
from pocketmq.protocol.bodies.heartbeat import Heartbeat, ProducerData

if TYPE_CHECKING:
    from pocketmq.client.instance import Instance

_log = logging.getLogger(__name__)

RECONNECT_SECONDS: Final = 1.0
GOODBYE_TIMEOUT_MS: Final = 1000


class Heartbeats:
    """The heartbeat of one instance."""

    def __init__(self, instance: Instance) -> None:
        self._instance = instance
        self._woken = asyncio.Event()
        self._due: set[str] = set()
        self._all_due = False
        self._told: dict[str, CallerConnection] = {}
        self._beating: dict[str, asyncio.Task[None]] = {}
        self._task: asyncio.Task[None] | None = None
        self._reconnects: dict[str, asyncio.TimerHandle] = {}
        self._stopping = False

    def start(self) -> None:
        """Begin. Call on the event loop."""
        self._task = asyncio.ensure_future(self._run())

    async def stop(self) -> None:
        """End."""
        self._stopping = True
        for timer in self._reconnects.values():
            timer.cancel()
        self._reconnects.clear()
        tasks = [*self._beating.values()] + ([self._task] if self._task is not None else [])
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    # -- what happens around it -------------------------------------------------------------

    def beat_soon(self) -> None:
        """Tell all known brokers, in a moment."""
        self._all_due = True
        self._told.clear()
        self._woken.set()

    def connected(self, connection: CallerConnection) -> None:
        """A connection is open; if it leads to a broker, tell it in a moment."""
        if self._is_name_server(connection) or self._stopping:
            return
        self._due.add(connection.name)
        self._woken.set()

    def disconnected(self, connection: CallerConnection) -> None:
        """A connection closed."""
        address = connection.name
        if self._told.get(address) is not connection:
            return
        del self._told[address]
        if self._stopping or not self._has_members():
            return
        loop = asyncio.get_running_loop()
        self._reconnects[address] = loop.call_later(RECONNECT_SECONDS, self._reconnect, address)

    def _reconnect(self, address: str) -> None:
        self._reconnects.pop(address, None)
        if address in self._addresses():
            self._due.add(address)
            self._woken.set()

    def _is_name_server(self, connection: CallerConnection) -> bool:
        return connection.name in self._instance.calls.name_servers

    def _has_members(self) -> bool:
        return bool(self._instance.producers or self._instance.consumers)

    def _addresses(self) -> dict[str, str]:
        return self._instance.routes.addresses(replicas=bool(self._instance.consumers))

    # -- beating ----------------------------------------------------------------------------

    async def ensure(self, address: str) -> None:
        """Return when the broker knows this client on the present connection.

        Raises what a call raises.
        """
        connection = self._instance.rpc.connection(address)
        if connection is None or self._told.get(address) is not connection:
            await self.beat(address)

    async def tell_all(self) -> None:
        """Tell all known brokers who belongs to this client now; return when they have been told.

        A broker that cannot be reached is told later.
        """
        under_way = list(self._beating.values())
        if under_way:
            await asyncio.wait(under_way)  # these may name fewer
        await asyncio.gather(*(self._try(address) for address in self._addresses()))

    async def beat(self, address: str) -> None:
        """Tell one broker now. Many who ask at once share one heartbeat. Raises as a call."""
        beating = self._beating.get(address)
        if beating is None:
            beating = asyncio.ensure_future(self._beat(address))
            self._beating[address] = beating
            beating.add_done_callback(lambda task: self._beaten(address, task))
        await asyncio.shield(beating)

    def _beaten(self, address: str, task: asyncio.Task[None]) -> None:
        self._beating.pop(address, None)
        if not task.cancelled():
            task.exception()  # those who wait have it

    async def _beat(self, address: str) -> None:
        instance = self._instance
        connection = await instance.rpc.connect(address)
        self._due.discard(address)
        await instance.calls.heartbeat(address, self._body())
        if connection.is_open:
            self._told[address] = connection

    def _body(self) -> Heartbeat:
        instance = self._instance
        producers = tuple(ProducerData(group) for group in instance.producers)
        told = [member.consumer_data() for member in instance.consumers.values()]
        consumers = tuple(data for data in told if data is not None)
        return Heartbeat(instance.client_id, producers, consumers)

    async def _run(self) -> None:
        config = self._instance.config
        loop = asyncio.get_running_loop()
        next_round = loop.time() + config.heartbeat_interval_ms / 1000
        next_routes = loop.time() + config.route_refresh_interval_ms / 1000
        while not self._stopping:
            wait = max(0.0, min(next_round, next_routes) - loop.time())
            try:
                await asyncio.wait_for(self._woken.wait(), wait)
            except (asyncio.TimeoutError, TimeoutError):
                _log.debug("heartbeat round client=%s", self._instance.client_id)
            self._woken.clear()
            if loop.time() >= next_routes:
                await self._instance.routes.refresh_all(self._instance.topics())
                next_routes = loop.time() + config.route_refresh_interval_ms / 1000
            if loop.time() >= next_round or self._all_due:
                self._all_due = False
                self._due.update(self._addresses())
                next_round = loop.time() + config.heartbeat_interval_ms / 1000
            due, self._due = self._due, set()
            if due and self._has_members():
                await asyncio.gather(*(self._try(address) for address in due))

    async def _try(self, address: str) -> None:
        try:
            await self.beat(address)
        except (NetError, ClientError, ProtocolError) as error:
            _log.info("heartbeat not delivered broker=%s: %s", address, error)

    async def goodbye(self, *, producer_group: str = "", consumer_group: str = "") -> None:
        """Tell every connected broker that a group has left this client."""
        instance = self._instance
        names = instance.calls.name_servers
        open_now = [c.name for c in instance.rpc.connections() if c.name not in names]
        await asyncio.gather(
            *(self._say_goodbye(name, producer_group, consumer_group) for name in open_now)
        )

    async def _say_goodbye(self, address: str, producer_group: str, consumer_group: str) -> None:
        try:
            await asyncio.wait_for(
                self._instance.calls.unregister(
                    address,
                    self._instance.client_id,
                    producer_group=producer_group or None,
                    consumer_group=consumer_group or None,
                ),
                GOODBYE_TIMEOUT_MS / 1000,
            )
        except (NetError, ClientError, asyncio.TimeoutError, TimeoutError) as error:
            _log.info("goodbye not heard broker=%s: %s", address, error)
