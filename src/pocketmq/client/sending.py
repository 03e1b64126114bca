"""Gets messages to brokers: picks a queue, sends, reads the answer, tries again elsewhere.

    pick a lane -> connected? -> send -> stored                        -> receipt
         ^                        |       refused, lost or late        -> another broker, while the
         |                        |                                       attempts and the time last
         +-- wait a moment <------+       cannot connect               -> another broker, while the
                                                                          time lasts; none was sent

A send that goes well costs no task and no timer. Whatever is odd takes `_persist`, a loop in plain
words. A message with a key or a queue of its own is only ever sent to that queue.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Final

from pocketmq.client.batching import Batching
from pocketmq.client.calls import GO_AWAY, refusal
from pocketmq.client.compression import Compression
from pocketmq.client.faults import Faults
from pocketmq.client.instance import Instance
from pocketmq.client.lanes import Lane, Lanes
from pocketmq.client.messages import SendReceipt, SendStatus
from pocketmq.client.outgoing import Outgoing
from pocketmq.client.routes import Route, how_to_create
from pocketmq.errors import (
    BrokerRefused,
    ClientError,
    ConnectFailed,
    FeatureUnavailable,
    MessageInvalid,
    NetError,
    NoRoute,
    PocketMQError,
    RpcTimeout,
    SendFailed,
    SendTimeout,
)
from pocketmq.message.topics import AUTO_CREATE_TOPIC
from pocketmq.net.caller import Answer, CallerConnection, Waiter
from pocketmq.protocol.codes import ResponseCode
from pocketmq.protocol.command import next_opaque
from pocketmq.protocol.framing import Frame, encode_frame
from pocketmq.security import sign

FIRST_PAUSE_SECONDS: Final = 0.02
LONGEST_PAUSE_SECONDS: Final = 0.5
CREATION_SECONDS: Final = 1.0
VERSION_WITH_TIMERS: Final = 413  # RocketMQ 5.0.0

STATUSES: Final = {
    int(ResponseCode.SUCCESS): SendStatus.OK,
    int(ResponseCode.FLUSH_DISK_TIMEOUT): SendStatus.FLUSH_DISK_TIMEOUT,
    int(ResponseCode.FLUSH_SLAVE_TIMEOUT): SendStatus.FLUSH_REPLICA_TIMEOUT,
    int(ResponseCode.SLAVE_NOT_AVAILABLE): SendStatus.REPLICA_NOT_AVAILABLE,
}
RETRYABLE: Final = frozenset(
    (
        int(ResponseCode.SYSTEM_ERROR),
        int(ResponseCode.SYSTEM_BUSY),
        int(ResponseCode.SERVICE_NOT_AVAILABLE),
        int(ResponseCode.NO_PERMISSION),
        int(ResponseCode.TOPIC_NOT_EXIST),
        204,  # NO_BUYER_ID
        205,  # NOT_IN_CURRENT_UNIT
        GO_AWAY,
    )
)


@dataclass(frozen=True, slots=True)
class ProducerOptions:
    """How a producer sends. The defaults are those of RocketMQ's own clients."""

    send_timeout_ms: int = 3000
    """How long one send may take, attempts and pauses together."""
    retries: int = 2
    """Further attempts after a send that was refused, lost or not answered."""
    retry_unless_safe: bool = False
    """Also try again when the message is stored, but flush or replica did not confirm in time."""
    body_bytes_max: int = 4 * 1024 * 1024
    """Longest body, as sent."""
    compress_above_bytes: int = 4096
    """Bodies of this length or more are compressed."""
    compression: Compression = "zlib"
    """zlib, lz4, zstd or none. Consumers must understand it."""
    compression_level: int = 5
    """What the compressor takes as level."""
    in_flight_max: int = 10_000
    """Messages sent and not answered yet; further sends wait."""
    in_flight_bytes_max: int = 64 * 1024 * 1024
    """Bytes sent and not answered yet; further sends wait."""
    avoid_slow_brokers: bool = False
    """Leave brokers alone for a while when they answer slowly, not only when they fail."""
    topic_queues: int = 4
    """Queues of a topic that a broker creates because of a send."""
    batching: Batching | None = None
    """Gather sends that come close together into batches."""


class Sender:
    """Sends for one producer."""

    def __init__(self, instance: Instance, group: str, options: ProducerOptions) -> None:
        self.instance = instance
        self.faults = Faults()
        self._loop = asyncio.get_running_loop()
        self._rpc = instance.rpc
        self._group = group
        self._options = options
        self.timeout = options.send_timeout_ms / 1000
        self._credentials = instance.config.credentials
        self._lanes: dict[str, Lanes] = {}
        self._is_closed = False

    # -- routes -----------------------------------------------------------------------------

    def topics(self) -> list[str]:
        """The topics sent to so far."""
        return list(self._lanes)

    def known_lanes(self, topic: str) -> Lanes | None:
        """The lanes of a topic that was sent to before."""
        return self._lanes.get(topic)

    async def lanes(self, topic: str, *, refresh: bool = False) -> Lanes:
        """The lanes of a topic. Raise NoRoute or NameServersUnreachable."""
        known = self._lanes.get(topic)
        if known is not None and not refresh:
            return known
        routes = self.instance.routes
        try:
            route = await (routes.refresh(topic) if refresh else routes.get(topic))
        except NoRoute:
            route = await self._route_to_create(topic)
        lanes = self._use(topic, route)
        if not lanes.all:
            raise NoRoute(topic, _why_unwritable(route))
        return lanes

    def _use(self, topic: str, route: Route) -> Lanes:
        known = self._lanes.get(topic)
        if known is not None and known.route == route:
            return known
        if known is None:
            self.instance.routes.listen(topic, self._route_changed)
            while len(self._lanes) >= self.instance.config.routes_max:
                self._forget(next(iter(self._lanes)))
        lanes = Lanes(self._group, topic, route, self._options.topic_queues)
        if lanes.all:
            self._lanes[topic] = lanes
        return lanes

    def _route_changed(self, route: Route) -> None:
        if route.topic in self._lanes:
            self._use(route.topic, route)

    def _forget(self, topic: str) -> None:
        if self._lanes.pop(topic, None) is not None:
            self.instance.routes.unlisten(topic, self._route_changed)

    def close(self) -> None:
        """Listen to routes no more, and try nothing again."""
        self._is_closed = True
        for topic in list(self._lanes):
            self._forget(topic)

    async def _route_to_create(self, topic: str) -> Route:
        """The route of the topic that new topics are made from. Raise NoRoute without one."""
        try:
            parent = await self.instance.routes.get(AUTO_CREATE_TOPIC)
        except NoRoute:
            raise NoRoute(
                topic,
                f"it does not exist, and the brokers do not create topics; {how_to_create(topic)}",
            ) from None
        count = self._options.topic_queues
        queues = tuple(queue for queue in parent.write_queues if queue.queue_id < count)
        self.instance.routes.refresh_later(topic, CREATION_SECONDS)
        return Route(topic, parent.brokers, queues, (), parent.clusters)

    # -- sending ----------------------------------------------------------------------------

    async def deliver(self, out: Outgoing, timeout: float = 0.0) -> SendReceipt:
        """Get a message to a broker.

        Raise SendFailed, SendTimeout, NoRoute, NameServersUnreachable or FeatureUnavailable.
        """
        now = self._loop.time()
        deadline = now + (timeout or self.timeout)
        lane = self.fast_lane(out, now)
        connection = None if lane is None else self._rpc.connection(lane.address)
        if lane is None or connection is None or connection.is_congested:
            return await self._persist(out, [], deadline)
        waiter: asyncio.Future[Answer] = self._loop.create_future()
        try:
            self.submit(connection, lane, out, waiter, deadline)
            _, frame = await waiter
            return self.receipt(out, lane, frame, now)
        except (NetError, BrokerRefused) as error:
            return await self._persist(out, [(lane, error)], deadline)

    async def deliver_again(self, out: Outgoing, lane: Lane, error: PocketMQError) -> SendReceipt:
        """Get a message to a broker after a first attempt failed. Raises as `deliver`."""
        return await self._persist(out, [(lane, error)], self._loop.time() + self.timeout)

    def fast_lane(self, out: Outgoing, now: float) -> Lane | None:
        """The lane for a send without complications; None when there are some."""
        lanes = self._lanes.get(out.topic)
        if lanes is None or out.needs_timer:
            return None
        if out.queue is not None:
            return lanes.of(out.queue)
        if out.order_by:
            return lanes.by_key(out.order_by)
        lane = lanes.next()
        if self.faults and self.faults.is_avoided(lane.broker_name, now):
            return self._other_lane(lanes, lane, now)
        return lane

    def _other_lane(self, lanes: Lanes, lane: Lane, now: float) -> Lane:
        for _ in lanes.all:
            other = lanes.next()
            if not self.faults.is_avoided(other.broker_name, now):
                return other
        return lane

    def submit(
        self,
        connection: CallerConnection,
        lane: Lane,
        out: Outgoing,
        waiter: Waiter,
        deadline: float,
    ) -> None:
        """Send once. Raise ConnectionLost."""
        opaque = next_opaque()
        if self._credentials is None:
            frame = lane.frame(out, opaque)
        else:
            command = lane.command(out, opaque)
            sign(command.fields, command.body, self._credentials)
            frame = encode_frame(command)
        connection.submit(opaque, frame, waiter, deadline, lane)

    def receipt(self, out: Outgoing, lane: Lane, frame: Frame, started: float) -> SendReceipt:
        """What the answer says. Raise BrokerRefused."""
        code, fields = frame[0], frame[7]
        status = SendStatus.OK if code == 0 else STATUSES.get(code)
        if status is None:
            raise refusal(lane, lane.address, code, frame[6])
        assert type(fields) is dict
        if self._options.retry_unless_safe and status is not SendStatus.OK:
            raise refusal(lane, lane.address, code, frame[6])
        if self._options.avoid_slow_brokers:
            now = self._loop.time()
            self.faults.answered(lane.broker_name, (now - started) * 1000, now)
        elif self.faults:
            self.faults.recovered(lane.broker_name)
        return SendReceipt(
            out.user_topic,
            lane.broker_name,
            int(fields.get("queueId", lane.queue.queue_id)),
            int(fields.get("queueOffset", -1)),
            out.unique_key,
            fields.get("msgId", ""),
            status,
            fields.get("transactionId", ""),
            fields.get("recallHandle", ""),
        )

    # -- when something is odd --------------------------------------------------------------

    async def _persist(
        self, out: Outgoing, failed: list[tuple[Lane, PocketMQError]], deadline: float
    ) -> SendReceipt:
        """Try until it is stored, or there are no attempts or no time left."""
        loop = self._loop
        pause = FIRST_PAUSE_SECONDS
        left = self._options.retries + 1
        for lane, error in failed:
            left -= self._note(lane, error)
        while True:
            now = loop.time()
            if failed:
                last = failed[-1][1]
                if left <= 0 or self._is_closed or not _is_retryable(last):
                    raise self._failure(out, failed, SendFailed) from last
                if deadline - now <= 0 or isinstance(last, RpcTimeout):
                    raise self._failure(out, failed, SendTimeout) from last
            lane = await self._next_lane(out, failed, now)
            if failed and failed[-1][0].broker_name == lane.broker_name:
                await asyncio.sleep(min(pause, deadline - now))
                pause = min(2 * pause, LONGEST_PAUSE_SECONDS)
            try:
                return await self._attempt(out, lane, deadline)
            except (NetError, BrokerRefused) as error:
                left -= self._note(lane, error)
                failed.append((lane, error))
                del failed[:-16]

    def _note(self, lane: Lane, error: PocketMQError) -> int:
        """Remember a failure; returns how many attempts it used up."""
        self.instance.calls.note_error(lane.address, error)
        now = self._loop.time()
        if isinstance(error, NetError):
            self.faults.failed(lane.broker_name, now)
        if isinstance(error, BrokerRefused) and error.code == GO_AWAY:
            self._rpc.retire(lane.address, "the broker asked to go away")
        # Where nothing was sent, trying again cannot store anything twice.
        return 0 if isinstance(error, ConnectFailed) else 1

    async def _next_lane(
        self, out: Outgoing, failed: list[tuple[Lane, PocketMQError]], now: float
    ) -> Lane:
        moved = bool(failed) and (
            isinstance(failed[-1][1], ConnectFailed)
            or (
                isinstance(failed[-1][1], BrokerRefused)
                and failed[-1][1].code == ResponseCode.TOPIC_NOT_EXIST
            )
        )
        lanes = await self._lanes_again(out.topic) if moved else await self.lanes(out.topic)
        if out.queue is not None:
            lane = lanes.of(out.queue)
            if lane is None:
                raise MessageInvalid(
                    f"{out.user_topic} has no writable queue {out.queue.queue_id} on broker "
                    f"{out.queue.broker_name}; choose one of queues({out.user_topic!r})"
                )
            return lane
        if out.order_by:
            # A broker that is down may be missing in the route for now. To go to another queue
            # would break the order, so this message waits for its own.
            if failed:
                return lanes.of(failed[-1][0].queue) or failed[-1][0]
            return lanes.by_key(out.order_by)
        lane = lanes.next()
        if failed and failed[-1][0].broker_name == lane.broker_name:
            last = failed[-1][0].broker_name
            lane = next((other for other in lanes.all if other.broker_name != last), lane)
        if self.faults and self.faults.is_avoided(lane.broker_name, now):
            lane = self._other_lane(lanes, lane, now)
        return lane

    async def _lanes_again(self, topic: str) -> Lanes:
        """The lanes after asking for the route again; the known ones when nobody can tell."""
        known = self._lanes.get(topic)
        try:
            return await self.lanes(topic, refresh=True)
        except (NetError, ClientError):
            # A name server that has just lost sight of a restarting broker says "no route".
            if known is None:
                raise
            return known

    async def _attempt(self, out: Outgoing, lane: Lane, deadline: float) -> SendReceipt:
        started = self._loop.time()
        connection = await self.connect(lane, deadline)
        if out.needs_timer:
            version = await self.instance.broker_version(lane.address)
            if 0 < version < VERSION_WITH_TIMERS:
                raise FeatureUnavailable(
                    f"{lane.broker_name} is older than RocketMQ 5.0 and delays by level only; "
                    "use delay_level= (1s 5s 10s 30s 1m ... 2h)"
                )
        waiter: asyncio.Future[Answer] = self._loop.create_future()
        self.submit(connection, lane, out, waiter, deadline)
        _, frame = await waiter
        return self.receipt(out, lane, frame, started)

    async def connect(self, lane: Lane, deadline: float) -> CallerConnection:
        """A connection to the lane's broker that takes bytes. Raise ConnectFailed, RpcTimeout."""
        remaining = deadline - self._loop.time()
        try:
            connection = self._rpc.connection(lane.address)
            if connection is None:
                opening = self._rpc.connect(lane.address)
                connection = await asyncio.wait_for(opening, max(remaining, 0.001))
        except (asyncio.TimeoutError, TimeoutError):
            raise ConnectFailed(
                f"cannot connect to {lane.address}: no answer within {remaining:.3g} s"
            ) from None
        if connection.is_congested:
            try:
                await asyncio.wait_for(connection.writable(), max(remaining, 0.001))
            except (asyncio.TimeoutError, TimeoutError):
                raise RpcTimeout(
                    f"{lane.address} takes no more bytes; {lane} could not begin"
                ) from None
        return connection

    def _failure(
        self,
        out: Outgoing,
        failed: list[tuple[Lane, PocketMQError]],
        kind: type[SendFailed],
    ) -> SendFailed:
        attempts: list[tuple[str, BaseException]] = [
            (lane.broker_name, error) for lane, error in failed
        ]
        return kind(out.user_topic, attempts)


def _is_retryable(error: PocketMQError) -> bool:
    if isinstance(error, BrokerRefused):
        return error.code in RETRYABLE or error.code in STATUSES
    return isinstance(error, NetError)


def _why_unwritable(route: Route) -> str:
    if not route.brokers:
        return "no broker has it; start its broker, or create it on another"
    return (
        f"its brokers ({', '.join(sorted(route.brokers))}) have no writable queue of it; a master "
        "may be down, or the topic is read-only (`pocketmq topic update <topic> --permission both`)"
    )
