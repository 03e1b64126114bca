"""What a client asks brokers and name servers, as typed functions.

Each takes the address first, signs when there are credentials, and answers with plain values. What
goes wrong is raised: ConnectFailed, ConnectionLost, RpcTimeout, or BrokerRefused for an answer that
is an error. Errors name the server and the step. Bodies that only consumers exchange are imported
where they are used: a producer should start quickly.
"""

from __future__ import annotations

from typing import Any, Final

from pocketmq.client.config import ClientConfig
from pocketmq.errors import (
    BrokerRefused,
    ConnectionLost,
    MalformedBody,
    NameServersUnreachable,
    NetError,
)
from pocketmq.message.positions import LogOffset, QueueOffset
from pocketmq.net.rpc import RpcClient
from pocketmq.protocol.bodies.heartbeat import CheckClientRequest, Heartbeat, SubscriptionData
from pocketmq.protocol.bodies.queues import LockReply, LockRequest, MessageQueue
from pocketmq.protocol.bodies.route import ClusterTable, TopicRoute
from pocketmq.protocol.codes import RequestCode, ResponseCode
from pocketmq.protocol.command import Body, Command
from pocketmq.protocol.fields import decode_fields, encode_fields
from pocketmq.protocol.requests.clients import ConsumerGroupRequest, UnregisterClientRequest
from pocketmq.protocol.requests.offsets import (
    CommitOffsetRequest,
    MaxOffsetRequest,
    OffsetReply,
    QueryOffsetRequest,
    QueueRequest,
    SearchOffsetRequest,
)
from pocketmq.protocol.requests.routes import RouteRequest
from pocketmq.protocol.requests.send import SendBackRequest
from pocketmq.security import sign

GO_AWAY: Final = 1500


class Calls:
    """Asks servers over one `RpcClient`."""

    def __init__(self, rpc: RpcClient, config: ClientConfig) -> None:
        self.rpc = rpc
        self.name_servers: tuple[str, ...] = config.name_servers
        self._credentials = config.credentials
        self._timeout_ms = config.call_timeout_ms
        self._name_server = 0
        self.last_errors: dict[str, str] = {}
        """Address -> what went wrong there last; gone after a success."""

    # -- the general way --------------------------------------------------------------------

    async def ask(
        self,
        address: str,
        code: int,
        header: Any = None,
        body: Body = b"",
        *,
        timeout_ms: int = 0,
        step: object = None,
        accept: frozenset[int] = frozenset((0,)),
    ) -> Command:
        """The answer to a request. `header` is a typed header or a dict of fields.

        An answer whose code is not in `accept` raises BrokerRefused.
        """
        step = step or _step(code)
        for attempt in (1, 2):
            command = self.prepare(code, header, body)
            try:
                answer = await self.rpc.call(address, command, timeout_ms or self._timeout_ms, step)
            except NetError as error:
                self.note_error(address, error)
                raise
            if answer.code == GO_AWAY and attempt == 1:
                # The server is about to stop and has not done what was asked: connect anew.
                self.rpc.retire(address, "the server asked to go away")
                continue
            break
        if answer.code not in accept:
            refused = refusal(step, address, answer.code, answer.remark)
            self.note_error(address, refused)
            raise refused
        self.last_errors.pop(address, None)
        return answer

    async def tell(self, address: str, code: int, header: Any = None, body: Body = b"") -> None:
        """Send a request that is not answered. Raise ConnectFailed or ConnectionLost."""
        command = self.prepare(code, header, body)
        connection = self.rpc.connection(address) or await self.rpc.connect(address)
        if not connection.is_open:
            raise ConnectionLost(f"the connection to {address} closed before {_step(code)}")
        connection.notify(command)

    def prepare(self, code: int, header: Any = None, body: Body = b"") -> Command:
        """A signed request."""
        fields = dict(header or {}) if isinstance(header, (dict, type(None))) else None
        command = Command.request(code, encode_fields(header) if fields is None else fields, body)
        if self._credentials is not None:
            sign(command.fields, command.body, self._credentials)
        return command

    def note_error(self, address: str, error: BaseException) -> None:
        """Remember what went wrong with a server, for `explain`."""
        if address not in self.last_errors and len(self.last_errors) >= 1000:
            self.last_errors.pop(next(iter(self.last_errors)))
        self.last_errors[address] = str(error)

    async def _ask_name_servers(
        self, code: int, header: Any, step: str, accept: frozenset[int]
    ) -> Command:
        """The answer of the first name server that gives one."""
        problems: dict[str, str] = {}
        servers = self.name_servers
        for turn in range(len(servers)):
            number = (self._name_server + turn) % len(servers)
            address = servers[number]
            try:
                answer = await self.ask(address, code, header, step=step, accept=accept)
            except (NetError, BrokerRefused) as error:
                problems[address] = str(error)
                continue
            self._name_server = number
            return answer
        raise NameServersUnreachable(problems)

    # -- name servers -----------------------------------------------------------------------

    async def route(self, topic: str) -> TopicRoute | None:
        """Where a topic is; None when it does not exist. Raise NameServersUnreachable."""
        answer = await self._ask_name_servers(
            RequestCode.GET_ROUTEINFO_BY_TOPIC,
            RouteRequest(topic, accept_standard_json_only=True),
            f"the question for the route of {topic}",
            frozenset((ResponseCode.SUCCESS, ResponseCode.TOPIC_NOT_EXIST)),
        )
        if answer.code != ResponseCode.SUCCESS or not len(answer.body):
            return None
        return TopicRoute.from_json(bytes(answer.body))

    async def clusters(self) -> ClusterTable:
        """All brokers of all clusters. Raise NameServersUnreachable."""
        answer = await self._ask_name_servers(
            RequestCode.GET_BROKER_CLUSTER_INFO,
            None,
            "the question for the clusters",
            frozenset((ResponseCode.SUCCESS,)),
        )
        return ClusterTable.from_json(bytes(answer.body))

    # -- membership -------------------------------------------------------------------------

    async def heartbeat(self, address: str, body: Heartbeat, timeout_ms: int = 0) -> int:
        """Say that we live. Returns the broker's version."""
        answer = await self.ask(
            address, RequestCode.HEART_BEAT, body=body.to_json(), timeout_ms=timeout_ms
        )
        return answer.version

    async def unregister(
        self,
        address: str,
        client_id: str,
        *,
        producer_group: str | None = None,
        consumer_group: str | None = None,
    ) -> None:
        """Say goodbye for one group."""
        header = UnregisterClientRequest(client_id, producer_group, consumer_group)
        await self.ask(address, RequestCode.UNREGISTER_CLIENT, header)

    async def consumer_ids(self, address: str, group: str) -> list[str]:
        """The client ids of a group's consumers; empty when none is online."""
        from pocketmq.protocol.bodies.connections import ConsumerIds

        answer = await self.ask(
            address,
            RequestCode.GET_CONSUMER_LIST_BY_GROUP,
            ConsumerGroupRequest(group),
            accept=frozenset((ResponseCode.SUCCESS, ResponseCode.SYSTEM_ERROR)),
        )
        if answer.code != ResponseCode.SUCCESS or not len(answer.body):
            return []
        return list(ConsumerIds.from_json(bytes(answer.body)).consumer_id_list)

    async def check_subscription(
        self, address: str, client_id: str, group: str, subscription: SubscriptionData
    ) -> None:
        """Ask whether the broker can filter so. Raise BrokerRefused when it cannot."""
        body = CheckClientRequest(client_id, group, subscription)
        await self.ask(address, RequestCode.CHECK_CLIENT_CONFIG, body=body.to_json())

    # -- positions --------------------------------------------------------------------------

    async def consumer_offset(
        self, address: str, group: str, queue: MessageQueue
    ) -> QueueOffset | None:
        """Where a group is in a queue; None when the broker does not know."""
        header = QueryOffsetRequest(group, queue.topic, queue.queue_id)
        answer = await self.ask(
            address,
            RequestCode.QUERY_CONSUMER_OFFSET,
            header,
            accept=frozenset((ResponseCode.SUCCESS, ResponseCode.QUERY_NOT_FOUND)),
        )
        return _offset(answer) if answer.code == ResponseCode.SUCCESS else None

    async def commit_offset(
        self, address: str, group: str, queue: MessageQueue, offset: int, *, wait: bool = False
    ) -> None:
        """Tell where a group is; by default without waiting for an answer."""
        header = CommitOffsetRequest(group, queue.topic, queue.queue_id, QueueOffset(offset))
        if wait:
            await self.ask(address, RequestCode.UPDATE_CONSUMER_OFFSET, header)
        else:
            await self.tell(address, RequestCode.UPDATE_CONSUMER_OFFSET, header)

    async def max_offset(self, address: str, queue: MessageQueue) -> QueueOffset:
        """The offset that the next message of a queue will have."""
        header = MaxOffsetRequest(queue.topic, queue.queue_id)
        return _offset(await self.ask(address, RequestCode.GET_MAX_OFFSET, header))

    async def min_offset(self, address: str, queue: MessageQueue) -> QueueOffset:
        """The offset of the oldest message of a queue."""
        header = QueueRequest(queue.topic, queue.queue_id)
        return _offset(await self.ask(address, RequestCode.GET_MIN_OFFSET, header))

    async def offset_at(
        self, address: str, queue: MessageQueue, timestamp_ms: int, *, upper: bool = False
    ) -> QueueOffset:
        """The offset of the first message stored at or after a time; `upper`: the last before."""
        header = SearchOffsetRequest(
            queue.topic, queue.queue_id, timestamp_ms, "UPPER" if upper else None
        )
        return _offset(await self.ask(address, RequestCode.SEARCH_OFFSET_BY_TIMESTAMP, header))

    # -- consuming --------------------------------------------------------------------------

    async def lock(
        self, address: str, group: str, client_id: str, queues: list[MessageQueue]
    ) -> tuple[MessageQueue, ...]:
        """Lock queues for orderly consumption. Returns those that are locked now."""
        body = LockRequest(group, client_id, tuple(queues))
        answer = await self.ask(address, RequestCode.LOCK_BATCH_MQ, body=body.to_json())
        return LockReply.from_json(bytes(answer.body)).locked

    async def unlock(
        self, address: str, group: str, client_id: str, queues: list[MessageQueue]
    ) -> None:
        """Give locked queues back."""
        body = LockRequest(group, client_id, tuple(queues))
        await self.ask(address, RequestCode.UNLOCK_BATCH_MQ, body=body.to_json())

    async def send_back(
        self,
        address: str,
        group: str,
        log_offset: int,
        delay_level: int,
        *,
        message_id: str = "",
        topic: str = "",
        attempts_max: int | None = None,
    ) -> None:
        """Return a message that could not be handled; -1 as level sends it to the dead letters."""
        header = SendBackRequest(
            LogOffset(log_offset),
            group,
            delay_level,
            message_id or None,
            topic or None,
            False,
            attempts_max,
        )
        await self.ask(address, RequestCode.CONSUMER_SEND_MSG_BACK, header)


def refusal(step: object, address: str, code: int, remark: str | None) -> BrokerRefused:
    """The error for an answer with an error code."""
    try:
        name = ResponseCode(code).name
    except ValueError:
        name = "an unknown code"
    return BrokerRefused(str(step), address, code, name, remark)


def _step(code: int) -> str:
    try:
        return RequestCode(code).name
    except ValueError:
        return f"request {code}"


def _offset(answer: Command) -> QueueOffset:
    offset = decode_fields(OffsetReply, answer.fields).offset
    if offset < -1:
        raise MalformedBody(f"an offset of {offset} makes no sense")
    return offset
