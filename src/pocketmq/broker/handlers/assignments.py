"""Who consumes which queue: QUERY_ASSIGNMENT (400), and how: SET_MESSAGE_REQUEST_MODE (401)."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping

from pocketmq.broker.config import AssignmentsConfig
from pocketmq.broker.handlers.topics import Settle
from pocketmq.broker.rules import assignments as rules
from pocketmq.broker.services.topic_routes import TopicRoutes
from pocketmq.broker.state.clients import ClientTable
from pocketmq.broker.state.groups import GroupTable
from pocketmq.broker.state.request_modes import RequestModes
from pocketmq.broker.state.topics import TopicTable
from pocketmq.errors import Refused
from pocketmq.message.topics import RETRY_PREFIX
from pocketmq.net import Connection, Handler
from pocketmq.protocol.bodies.pop import (
    AssignmentReply,
    AssignmentRequest,
    MessageRequestMode,
    QueueAssignment,
)
from pocketmq.protocol.bodies.queues import MessageQueue
from pocketmq.protocol.codes import RequestCode, ResponseCode
from pocketmq.protocol.command import Command


class AssignmentsHandler:
    """Assigns queues, of all brokers."""

    def __init__(
        self,
        modes: RequestModes,
        topics: TopicTable,
        groups: GroupTable,
        clients: ClientTable,
        routes: TopicRoutes,
        settle: Settle,
        config: AssignmentsConfig,
    ) -> None:
        self._modes = modes
        self._topics = topics
        self._groups = groups
        self._clients = clients
        self._routes = routes
        self._settle = settle
        self._config = config

    def configure(self, config: AssignmentsConfig) -> None:
        """Share queues out another way from the next question on."""
        self._config = config

    def routes(self) -> Mapping[int, Handler]:
        """Request code -> handler."""
        return {
            RequestCode.QUERY_ASSIGNMENT: self.query,
            RequestCode.SET_MESSAGE_REQUEST_MODE: self.set_mode,
            RequestCode.GET_ALL_MESSAGE_REQUEST_MODE: self.all_modes,
        }

    async def query(self, connection: Connection, command: Command) -> Command:
        """The queues of one client."""
        request = AssignmentRequest.from_request(command.body)
        every = await self._routes.queues(request.topic)
        found = None if every is None else self._assigned(request, every)
        return command.reply(body=AssignmentReply(found).to_json())

    def _assigned(
        self, request: AssignmentRequest, every: list[MessageQueue]
    ) -> tuple[QueueAssignment, ...] | None:
        topic, group = request.topic, request.consumer_group
        members = self._clients.consumer_group(group)
        mode, share = self._mode(topic, group)
        if request.message_model != "BROADCASTING" and self._config.balance:
            if members is None or request.strategy_name not in rules.STRATEGIES:
                return None
            every = rules.assign(
                every,
                members.client_ids,
                request.client_id,
                request.strategy_name,
                share if mode == "POP" else None,
            )
        return tuple(QueueAssignment(queue, mode) for queue in every)

    def _mode(self, topic: str, group: str) -> tuple[str, int]:
        """How a group fetches a topic, and how many members' queues each shares when it pops."""
        if topic.startswith(RETRY_PREFIX):
            return "PULL", 0
        chosen = self._modes.find(topic, group)
        if chosen is None:
            return self._config.mode, self._config.pop_share_queues
        return chosen.mode, chosen.pop_share_queue_num

    def set_mode(self, connection: Connection, command: Command) -> Awaitable[Command]:
        """Let a group PULL or POP a topic."""
        asked = MessageRequestMode.from_request(command.body)
        if asked.topic.startswith(RETRY_PREFIX):
            raise Refused(ResponseCode.NO_PERMISSION, "retry topics are always pulled")
        if self._topics.find(asked.topic) is None:
            raise Refused(ResponseCode.TOPIC_NOT_EXIST, f"topic {asked.topic!r} does not exist")
        if self._groups.find_or_create(asked.consumer_group) is None:
            raise Refused(
                ResponseCode.SUBSCRIPTION_GROUP_NOT_EXIST,
                f"consumer group {asked.consumer_group!r} does not exist",
            )
        if asked.mode not in ("PULL", "POP"):
            raise Refused(ResponseCode.INVALID_PARAMETER, f"mode {asked.mode!r} is not PULL or POP")
        self._modes.put(asked)
        return self._settled(command)

    async def _settled(self, command: Command) -> Command:
        await self._settle()
        return command.reply()

    def all_modes(self, connection: Connection, command: Command) -> Command:
        """What was set, for replicas."""
        return command.reply(body=self._modes.encode())
