"""Whether a group may pop a topic, and what it wants of it: checks in Apache's order."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import Final, NamedTuple

from pocketmq.broker.rules import permission
from pocketmq.broker.state.clients import ClientTable
from pocketmq.broker.state.groups import GroupTable
from pocketmq.broker.state.topics import TopicTable
from pocketmq.errors import FilterUnsupported, Refused, SubscriptionInvalid
from pocketmq.filtering import Subscription, parse_subscription
from pocketmq.filtering.sql import compile_sql
from pocketmq.filtering.subscriptions import require_supported
from pocketmq.protocol.bodies.topic_config import TopicConfig
from pocketmq.protocol.codes import ResponseCode
from pocketmq.store.reader import Accept

COUNT_MAX: Final = 32
_ADMITTED_MAX: Final = 10_000


class Wanted(NamedTuple):
    """What a pop wants: by tag, or by what looks at whole records. Both None: everything."""

    subscription: Subscription
    tag_hashes: frozenset[int] | None
    accept: Accept | None


class PopGate:
    """Admits, or refuses with the code and remark that clients expect."""

    def __init__(
        self,
        topics: TopicTable,
        groups: GroupTable,
        clients: ClientTable,
        *,
        has_timer: bool,
        property_filter: bool,
    ) -> None:
        self._topics = topics
        self._groups = groups
        self._clients = clients
        self._has_timer = has_timer
        self._property_filter = property_filter
        # Who was admitted, is so until a topic or a group changes.
        self._admitted: dict[tuple[str, str], int] = {}
        topics.on_change(self._forget)
        groups.changes.listen(self._forget)

    def _forget(self, names: Iterable[str]) -> None:
        self._admitted.clear()

    def check_count(self, count: int) -> None:
        """Raise Refused when a pop wants too many, or nothing."""
        if not 1 <= count <= COUNT_MAX:
            self._check_broker()
            raise wrong(f"maxMsgNums is {count}, not 1 to {COUNT_MAX}")

    def admit(self, group: str, topic: str, queue_id: int) -> None:
        """Raise Refused when a group may not pop a queue; -1 is any."""
        self._check_broker()
        if not self._has_timer:
            raise Refused(
                ResponseCode.SYSTEM_ERROR, "pops need the timer, which is off; see timerWheelEnable"
            )
        queue_count = self._admitted.get((group, topic), -2)
        if queue_count < 0:
            config = self._readable_topic(topic)
            queue_count = config.read_queue_nums
        if not -1 <= queue_id < queue_count:
            raise wrong(f"queue {queue_id} of topic {topic!r} does not exist")
        if (group, topic) not in self._admitted:
            self._check_group(group)
            if len(self._admitted) >= _ADMITTED_MAX:
                self._admitted.clear()
            self._admitted[group, topic] = queue_count

    def wanted(
        self, group: str, topic: str, expression: str | None, expression_type: str | None
    ) -> Wanted:
        """What a pop wants; the group counts as subscribed by that. Raise Refused."""
        found = _parsed(topic, expression or "*", expression_type if expression else None)
        if found.accept is not None and not self._property_filter:
            raise Refused(
                ResponseCode.SYSTEM_ERROR,
                f"{expression_type} filters are switched off; set enablePropertyFilter=true",
            )
        self._clients.popped(group, found.subscription)
        return found

    def check_queue(self, topic: str, queue_id: int) -> None:
        """Raise Refused when something of a queue that does not exist is acknowledged."""
        if not 0 <= queue_id < self._topic(topic).read_queue_nums:
            raise illegal(f"queue {queue_id} of topic {topic!r} does not exist")

    def _check_broker(self) -> None:
        if not permission.readable(self._topics.broker_permission):
            raise Refused(
                ResponseCode.NO_PERMISSION, "this broker is not readable; see brokerPermission"
            )

    def _readable_topic(self, topic: str) -> TopicConfig:
        config = self._topic(topic)
        if not permission.readable(config.perm):
            raise Refused(ResponseCode.NO_PERMISSION, f"topic {topic!r} is not readable")
        return config

    def _topic(self, topic: str) -> TopicConfig:
        config = self._topics.find(topic)
        if config is None:
            raise Refused(
                ResponseCode.TOPIC_NOT_EXIST,
                f"topic {topic!r} does not exist; create it with updateTopic or send to it first",
            )
        return config

    def _check_group(self, group: str) -> None:
        found = self._groups.find_or_create(group)
        if found is None:
            raise Refused(
                ResponseCode.SUBSCRIPTION_GROUP_NOT_EXIST,
                f"consumer group {group!r} does not exist; create it with updateSubGroup",
            )
        if not found.consume_enable:
            raise Refused(
                ResponseCode.NO_PERMISSION, f"consuming is switched off for group {group!r}"
            )


@lru_cache(maxsize=4096)
def _parsed(topic: str, expression: str, expression_type: str | None) -> Wanted:
    try:
        require_supported(expression_type)
        wanted = parse_subscription(topic, expression, expression_type)
        if wanted.is_tag_filter:
            return Wanted(wanted, wanted.tag_hashes or None, None)
        return Wanted(wanted, None, compile_sql(wanted.expression))
    except (FilterUnsupported, SubscriptionInvalid) as error:
        raise Refused(ResponseCode.SUBSCRIPTION_PARSE_FAILED, str(error)) from None


def illegal(remark: str) -> Refused:
    """An ack that cannot be meant for anything here."""
    return Refused(ResponseCode.MESSAGE_ILLEGAL, remark)


def wrong(remark: str) -> Refused:
    """A number out of its range."""
    return Refused(ResponseCode.INVALID_PARAMETER, remark)
