"""Whether a pull is allowed, and what it wants: the checks of PULL_MESSAGE in Apache's order."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Final

from pocketmq.broker.config import PullConfig
from pocketmq.broker.rules import permission
from pocketmq.broker.state.clients import ClientTable
from pocketmq.broker.state.filters import FilterTable
from pocketmq.broker.state.groups import GroupTable
from pocketmq.broker.state.topics import TopicTable
from pocketmq.errors import FilterUnsupported, Refused, SubscriptionInvalid
from pocketmq.filtering import Subscription, parse_subscription
from pocketmq.filtering.sql import compile_sql
from pocketmq.filtering.sql.filters import properties_of
from pocketmq.filtering.subscriptions import require_supported
from pocketmq.message import topics as names
from pocketmq.message.properties import RETRY_TOPIC, decode_property_bytes
from pocketmq.protocol.codes import RequestCode, ResponseCode
from pocketmq.protocol.framing import PullFields
from pocketmq.protocol.requests.pull import HAS_SUBSCRIPTION

# Values of the response field `forbiddenType`: who forbids the pull.
BROKER: Final = "1"
GROUP: Final = "2"
TOPIC: Final = "3"
BROADCAST: Final = "4"
GROUP_TOPIC: Final = "5"

_ADMITTED_MAX: Final = 10_000
_Asked = tuple[int, str, str, "str | None", "str | None"]

BROADCASTING: Final = "BROADCASTING"
CONSUME_ACTIVELY: Final = "CONSUME_ACTIVELY"

Accept = Callable[[memoryview], bool]


class PullGate:
    """Admits pulls, or refuses them with the code and remark that clients expect."""

    def __init__(
        self,
        topics: TopicTable,
        groups: GroupTable,
        clients: ClientTable,
        filters: FilterTable,
        config: PullConfig,
    ) -> None:
        self._topics = topics
        self._groups = groups
        self._clients = clients
        self._filters = filters
        self._config = config
        # Pulls that say what they want, once admitted, are admitted until a topic or group changes.
        self._admitted: dict[_Asked, tuple[Subscription, int]] = {}
        topics.changes.listen(self._forget)
        groups.changes.listen(self._forget)

    def admitted(self, code: int, fields: PullFields) -> Subscription | None:
        """What a pull wants if one like it has been admitted."""
        if not fields[5] & HAS_SUBSCRIPTION or self._config.reject_pull_consumers:
            return None
        known = self._admitted.get((code, fields[0], fields[1], fields[8], fields[10]))
        return known[0] if known is not None and 0 <= fields[2] < known[1] else None

    def admit(self, code: int, fields: PullFields) -> Subscription:
        """What the pull wants. Raise Refused when it is not allowed."""
        if not fields[5] & HAS_SUBSCRIPTION or self._config.reject_pull_consumers:
            return self._examine(code, fields)
        asked = (code, fields[0], fields[1], fields[8], fields[10])
        known = self._admitted.get(asked)
        if known is not None and 0 <= fields[2] < known[1]:
            return known[0]
        wanted = self._examine(code, fields)
        topic = self._topics.find(fields[1])
        if topic is not None:
            if len(self._admitted) >= _ADMITTED_MAX:
                self._admitted.clear()
            self._admitted[asked] = (wanted, topic.read_queue_nums)
        return wanted

    def _forget(self, names: Iterable[str]) -> None:
        self._admitted.clear()

    def _examine(self, code: int, fields: PullFields) -> Subscription:
        group, topic, queue_id = fields[0], fields[1], fields[2]
        self._check_broker(code)
        found = self._groups.find(group) or self._groups.find_or_create(group)
        if found is None:
            raise Refused(
                ResponseCode.SUBSCRIPTION_GROUP_NOT_EXIST,
                f"consumer group {group!r} does not exist; create it with updateSubGroup",
            )
        if not found.consume_enable:
            raise _forbidden(GROUP, f"consuming is switched off for group {group!r}")
        config = self._topics.find(topic)
        if config is None:
            raise Refused(
                ResponseCode.TOPIC_NOT_EXIST,
                f"topic {topic!r} does not exist; create it with updateTopic or send to it first",
            )
        if not permission.readable(config.perm):
            raise _forbidden(TOPIC, f"topic {topic!r} is not readable (perm {config.perm})")
        if not 0 <= queue_id < config.read_queue_nums:
            raise Refused(
                ResponseCode.INVALID_PARAMETER,
                f"queue {queue_id} of topic {topic!r} does not exist; "
                f"it has read queues 0 to {config.read_queue_nums - 1}",
            )
        if fields[5] & HAS_SUBSCRIPTION:
            wanted = _parsed(topic, fields[8], fields[10], fields[9])
        else:
            wanted = self._known_subscription(fields, found.consume_broadcast_enable)
        if not wanted.is_tag_filter and not self._config.property_filter:
            raise Refused(
                ResponseCode.SYSTEM_ERROR,
                f"{wanted.expression_type} filters are switched off; set enablePropertyFilter=true",
            )
        if self._config.reject_pull_consumers:
            self._check_consume_type(group)
        return wanted

    def acceptance(self, fields: PullFields, wanted: Subscription) -> Accept:
        """What looks at each record of a pull that `admit` admitted and that no tag decides."""
        group, topic = fields[0], fields[1]
        if self._config.filter_retries and names.is_retry_topic(topic):
            return lambda record: self._accept_retry(record, names.group_of_retry_topic(topic))
        if not fields[5] & HAS_SUBSCRIPTION:
            known = self._filters.find(topic, group)
            if known is not None:
                return known.compiled
        return compile_sql(wanted.expression)

    def _accept_retry(self, record: memoryview, group: str) -> bool:
        """Whether a retried message suits the filter of its group on the topic it was sent to."""
        properties = properties_of(record)
        topic = decode_property_bytes(properties).get(RETRY_TOPIC, "")
        known = self._filters.find(topic, group)
        return known is None or known.compiled.matches(properties)

    def _check_filter(self, fields: PullFields) -> None:
        """Refuse a pull whose group's SQL92 filter is not here, or older than the client's."""
        known = self._filters.find(fields[1], fields[0])
        if known is None:
            raise Refused(
                ResponseCode.FILTER_DATA_NOT_EXIST,
                f"the filter of group {fields[0]!r} on {fields[1]!r} is not known; "
                "its heartbeat is still to come, or its expression is wrong",
            )
        if known.version < fields[9]:
            raise Refused(
                ResponseCode.FILTER_DATA_NOT_LATEST,
                f"group {fields[0]!r} filters {fields[1]!r} anew; its heartbeat is still to come",
            )

    def _check_broker(self, code: int) -> None:
        if not permission.readable(self._topics.broker_permission):
            raise _forbidden(BROKER, "this broker is not readable; see brokerPermission")
        if code == RequestCode.LITE_PULL_MESSAGE and not self._config.lite:
            raise _forbidden(BROKER, "lite pulls are switched off; see litePullMessageEnable")

    def _known_subscription(self, fields: PullFields, may_broadcast: bool) -> Subscription:
        group, topic = fields[0], fields[1]
        members = self._clients.consumer_group(group)
        if members is None:
            raise Refused(
                ResponseCode.SUBSCRIPTION_NOT_EXIST,
                f"no consumer of group {group!r} has sent a heartbeat to this broker",
            )
        if members.message_model == BROADCASTING and not may_broadcast:
            raise _forbidden(BROADCAST, f"group {group!r} may not consume in broadcast")
        if not self._groups.may_read(group, topic):
            raise _forbidden(GROUP_TOPIC, f"group {group!r} may not read topic {topic!r}")
        known = self._clients.subscription(group, topic)
        if known is None:
            raise Refused(
                ResponseCode.SUBSCRIPTION_NOT_EXIST,
                f"group {group!r} is not subscribed to topic {topic!r}",
            )
        if known.version < fields[9]:
            raise Refused(
                ResponseCode.SUBSCRIPTION_NOT_LATEST,
                f"group {group!r} subscribes to {topic!r} anew; its heartbeat is still to come",
            )
        if not known.is_tag_filter:
            self._check_filter(fields)
        return known

    def _check_consume_type(self, group: str) -> None:
        members = self._clients.consumer_group(group)
        if members is None or members.consume_type == CONSUME_ACTIVELY:
            raise Refused(
                ResponseCode.SUBSCRIPTION_NOT_EXIST,
                f"pull consumers are refused here; group {group!r} is not a push consumer group",
            )


def _forbidden(who: str, remark: str) -> Refused:
    return Refused(ResponseCode.NO_PERMISSION, remark, {"forbiddenType": who})


@lru_cache(maxsize=4096)
def _parsed(
    topic: str, expression: str | None, expression_type: str | None, version: int
) -> Subscription:
    try:
        require_supported(expression_type)
        wanted = parse_subscription(topic, expression, expression_type, version)
        if not wanted.is_tag_filter:
            compile_sql(wanted.expression)
        return wanted
    except (FilterUnsupported, SubscriptionInvalid) as error:
        raise Refused(ResponseCode.SUBSCRIPTION_PARSE_FAILED, str(error)) from None
