"""Lists of topics, and topics told or deleted by operators: 206, 216, 217, 224, 304, 311-313."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable

from pocketmq.errors import Refused
from pocketmq.nameserver.handlers.seen_from import host_used_by
from pocketmq.nameserver.live_settings import LiveSettings
from pocketmq.nameserver.route_table import RouteTable
from pocketmq.net import Connection
from pocketmq.protocol.bodies.route import TopicRoute
from pocketmq.protocol.bodies.topic_config import UNIT_FLAG, UNIT_SUBSCRIPTION_FLAG, TopicList
from pocketmq.protocol.codes import ResponseCode
from pocketmq.protocol.command import Command
from pocketmq.protocol.fields import decode_fields
from pocketmq.protocol.requests.routes import (
    DeleteTopicInNameserverRequest,
    RegisterTopicRequest,
    TopicsByClusterRequest,
)

_log = logging.getLogger(__name__)


class TopicHandler:
    """Answers about topics as a whole."""

    def __init__(self, routes: RouteTable, settings: LiveSettings, topics_max: int) -> None:
        self._routes = routes
        self._settings = settings
        self._topics_max = topics_max

    # -- lists ------------------------------------------------------------------------------

    def list_all(self, connection: Connection, command: Command) -> Command:
        """GET_ALL_TOPIC_LIST_FROM_NAMESERVER."""
        _check(self._settings.routing.list_all_topics, "enableAllTopicList")
        return _listed(command, self._routes.topics)

    def list_in_cluster(self, connection: Connection, command: Command) -> Command:
        """GET_TOPICS_BY_CLUSTER. A topic is listed once for each broker that has it."""
        _check(self._settings.routing.list_topics, "enableTopicList")
        request = decode_fields(TopicsByClusterRequest, command.fields)
        brokers = self._routes.members.names_in(request.cluster)
        topics = [topic for name in brokers for topic in self._routes.topics.topics_of(name)]
        return _listed(command, topics)

    def list_system(self, connection: Connection, command: Command) -> Command:
        """GET_SYSTEM_TOPIC_LIST_FROM_NS: names of clusters and brokers, and one broker's address.

        Each cluster and each broker has a topic of its own name.
        """
        members = self._routes.members
        names = [
            name for cluster, brokers in members.clusters.items() for name in (cluster, *brokers)
        ]
        some_replica = next(members.replicas, None)
        address = None
        if some_replica is not None:
            address = some_replica.address_for(host_used_by(connection))
        return command.reply(body=TopicList(tuple(names), address).to_json())

    def list_units(self, connection: Connection, command: Command) -> Command:
        """GET_UNIT_TOPIC_LIST: topics produced to in units."""
        return self._by_flags(command, lambda flags: bool(flags & UNIT_FLAG))

    def list_unit_subscriptions(self, connection: Connection, command: Command) -> Command:
        """GET_HAS_UNIT_SUB_TOPIC_LIST: topics subscribed to in units."""
        return self._by_flags(command, lambda flags: bool(flags & UNIT_SUBSCRIPTION_FLAG))

    def list_unit_subscriptions_only(self, connection: Connection, command: Command) -> Command:
        """GET_HAS_UNIT_SUB_UNUNIT_TOPIC_LIST: subscribed to in units, but not produced so."""
        either = UNIT_FLAG | UNIT_SUBSCRIPTION_FLAG
        return self._by_flags(command, lambda flags: flags & either == UNIT_SUBSCRIPTION_FLAG)

    def _by_flags(self, command: Command, wanted: Callable[[int], bool]) -> Command:
        _check(self._settings.routing.list_topics, "enableTopicList")
        table = self._routes.topics
        # The first broker that told of a topic speaks for it, as in RocketMQ.
        found = [topic for topic in table if wanted(table.queues(topic)[0].topic_sys_flag)]
        return _listed(command, found)

    # -- changes ----------------------------------------------------------------------------

    def delete(self, connection: Connection, command: Command) -> Command:
        """DELETE_TOPIC_IN_NAMESRV: forget a topic in one cluster, or everywhere."""
        request = decode_fields(DeleteTopicInNameserverRequest, command.fields)
        brokers = None
        if request.cluster_name:
            brokers = self._routes.members.names_in(request.cluster_name)
        self._routes.topics.remove(request.topic, brokers)
        _log.info("topic deleted name=%s by=%s", request.topic, connection.peer)
        return command.reply()

    def register(self, connection: Connection, command: Command) -> Command:
        """REGISTER_TOPIC_IN_NAMESRV: set what brokers offer of one topic.

        A topic at a broker that is not registered changes nothing, and is no error in RocketMQ.
        """
        request = decode_fields(RegisterTopicRequest, command.fields)
        route = TopicRoute.from_request(command.body) if len(command.body) else TopicRoute()
        table = self._routes.topics
        if request.topic not in table and len(table) >= self._topics_max:
            raise Refused(
                ResponseCode.SYSTEM_ERROR,
                f"{self._topics_max} topics are known; raise limits.topics_max",
            )
        for queues in route.queue_datas:
            if self._routes.members.broker(queues.broker_name) is None:
                _log.warning(
                    "topic not registered, unknown broker topic=%s broker=%s",
                    *(request.topic, queues.broker_name),
                )
                break
            table.put(request.topic, queues)
        return command.reply()


def _listed(command: Command, topics: Iterable[str]) -> Command:
    return command.reply(body=TopicList(tuple(topics)).to_json())


def _check(enabled: bool, setting: str) -> None:
    if not enabled:
        raise Refused(ResponseCode.SYSTEM_ERROR, f"lists are disabled here ({setting}=false)")
