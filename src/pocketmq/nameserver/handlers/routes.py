"""Where is this topic: 105."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from pocketmq.clock import Clock
from pocketmq.errors import Refused
from pocketmq.nameserver.handlers.registration import ZONE_FIELD
from pocketmq.nameserver.handlers.seen_from import host_used_by
from pocketmq.nameserver.kv_table import ORDER_TOPICS, KvTable
from pocketmq.nameserver.live_settings import LiveSettings
from pocketmq.nameserver.route_table import RouteTable
from pocketmq.net import Connection
from pocketmq.protocol.bodies.route import MASTER_ID, TopicRoute
from pocketmq.protocol.codes import ResponseCode
from pocketmq.protocol.command import Command
from pocketmq.protocol.fields import decode_fields
from pocketmq.protocol.requests.routes import RouteRequest

ZONE_MODE_FIELD: Final = "__ZONE_MODE"
# Since 4.9.4, clients and tools read standard JSON; older ones need Apache's dialect.
VERSION_READS_STANDARD_JSON: Final = 401


class RouteHandler:
    """Answers clients that look for a topic."""

    def __init__(
        self, routes: RouteTable, settings: LiveSettings, kv: KvTable, clock: Clock
    ) -> None:
        self._routes = routes
        self._settings = settings
        self._kv = kv
        self._clock = clock
        self._started = clock.monotonic()

    def find(self, connection: Connection, command: Command) -> Command:
        """GET_ROUTEINFO_BY_TOPIC."""
        request = decode_fields(RouteRequest, command.fields)
        routing = self._settings.routing
        waited_seconds = self._clock.monotonic() - self._started
        if routing.wait_for_service and waited_seconds < routing.wait_for_service_seconds:
            raise Refused(
                ResponseCode.SYSTEM_ERROR,
                "name server not ready: brokers are still registering; ask again",
            )
        route = self._routes.route(request.topic, host_used_by(connection))
        if route is None:
            raise Refused(
                ResponseCode.TOPIC_NOT_EXIST,
                f"No topic route info in name server for the topic: {request.topic}; "
                "create the topic, or check that its brokers use this name server",
            )
        if routing.order_topics:
            route = replace(route, order_topic_conf=self._kv.get(ORDER_TOPICS, request.topic))
        zone = command.fields.get(ZONE_FIELD, "").strip()
        if zone and command.fields.get(ZONE_MODE_FIELD, "").lower() == "true":
            return command.reply(body=within_zone(route, zone).to_json())
        standard = command.version >= VERSION_READS_STANDARD_JSON
        if standard or request.accept_standard_json_only:
            return command.reply(body=route.to_standard_json())
        return command.reply(body=route.to_json())


def within_zone(route: TopicRoute, zone: str) -> TopicRoute:
    """The part of a route in a zone, and the brokers elsewhere that have no master."""
    kept = [
        broker
        for broker in route.broker_datas
        if MASTER_ID not in broker.broker_addrs or (broker.zone_name or "").lower() == zone.lower()
    ]
    left_out = [broker for broker in route.broker_datas if broker not in kept]
    names = {broker.broker_name for broker in left_out}
    addresses = {address for broker in left_out for address in broker.broker_addrs.values()}
    return replace(
        route,
        broker_datas=tuple(kept),
        queue_datas=tuple(item for item in route.queue_datas if item.broker_name not in names),
        filter_server_table={
            address: servers
            for address, servers in route.filter_server_table.items()
            if address not in addresses
        },
    )
