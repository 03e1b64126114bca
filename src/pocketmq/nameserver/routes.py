"""The name server's table of contents: request code -> handler."""

from __future__ import annotations

from pocketmq.nameserver.handlers.clusters import ClusterHandler
from pocketmq.nameserver.handlers.kv import KvHandler
from pocketmq.nameserver.handlers.registration import RegistrationHandler
from pocketmq.nameserver.handlers.routes import RouteHandler
from pocketmq.nameserver.handlers.settings import SettingsHandler
from pocketmq.nameserver.handlers.topics import TopicHandler
from pocketmq.net import Handler
from pocketmq.protocol.codes import RequestCode


def build_routes(
    registration: RegistrationHandler,
    routes: RouteHandler,
    clusters: ClusterHandler,
    topics: TopicHandler,
    kv: KvHandler,
    settings: SettingsHandler,
) -> dict[int, Handler]:
    """Who answers what."""
    return {
        RequestCode.GET_ROUTEINFO_BY_TOPIC: routes.find,
        RequestCode.REGISTER_BROKER: registration.register,
        RequestCode.UNREGISTER_BROKER: registration.unregister,
        RequestCode.QUERY_DATA_VERSION: registration.query_version,
        RequestCode.BROKER_HEARTBEAT: registration.heartbeat,
        RequestCode.GET_BROKER_CLUSTER_INFO: clusters.describe,
        RequestCode.GET_BROKER_MEMBER_GROUP: clusters.members_of,
        RequestCode.WIPE_WRITE_PERM_OF_BROKER: clusters.wipe_write,
        RequestCode.ADD_WRITE_PERM_OF_BROKER: clusters.allow_write,
        RequestCode.GET_ALL_TOPIC_LIST_FROM_NAMESERVER: topics.list_all,
        RequestCode.GET_TOPICS_BY_CLUSTER: topics.list_in_cluster,
        RequestCode.GET_SYSTEM_TOPIC_LIST_FROM_NS: topics.list_system,
        RequestCode.GET_UNIT_TOPIC_LIST: topics.list_units,
        RequestCode.GET_HAS_UNIT_SUB_TOPIC_LIST: topics.list_unit_subscriptions,
        RequestCode.GET_HAS_UNIT_SUB_UNUNIT_TOPIC_LIST: topics.list_unit_subscriptions_only,
        RequestCode.DELETE_TOPIC_IN_NAMESRV: topics.delete,
        RequestCode.REGISTER_TOPIC_IN_NAMESRV: topics.register,
        RequestCode.PUT_KV_CONFIG: kv.put,
        RequestCode.GET_KV_CONFIG: kv.get,
        RequestCode.DELETE_KV_CONFIG: kv.delete,
        RequestCode.GET_KVLIST_BY_NAMESPACE: kv.list_namespace,
        RequestCode.UPDATE_NAMESRV_CONFIG: settings.update,
        RequestCode.GET_NAMESRV_CONFIG: settings.show,
    }
