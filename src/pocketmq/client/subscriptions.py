"""What a consumer wants: topics, and for each an expression that picks among its messages.

    "orders"                                  all messages of one topic
    ["orders", "payments"]                    all messages of several
    {"orders": "paid || shipped"}             those with one of these tags
    {"orders": Sql("amount > 100")}           those whose properties satisfy an SQL92 expression

Brokers filter by a 32-bit hash of the tag, so the consumer compares the text once more; SQL is
evaluated by the broker alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from pocketmq.errors import ConfigError
from pocketmq.filtering.subscriptions import SQL92, TAG, Subscription, parse_subscription
from pocketmq.message.topics import topic_problem, with_namespace
from pocketmq.protocol.bodies.heartbeat import SubscriptionData

if TYPE_CHECKING:
    from pocketmq.client.messages import ReceivedMessage

__all__ = ["Sql", "Subscription", "Topics", "parse_topics", "subscription_data", "wanted"]


class Sql(str):
    """An SQL92 expression over message properties, for brokers with `enablePropertyFilter`.

    >>> Sql("amount BETWEEN 10 AND 20 AND region IN ('eu', 'us')")
    Sql("amount BETWEEN 10 AND 20 AND region IN ('eu', 'us')")
    """

    __slots__ = ()

    def __repr__(self) -> str:
        return f"Sql({str.__repr__(self)})"


Topics = str | Iterable[str] | Mapping[str, str]
"""One topic, several, or topics with an expression each."""


def parse_topics(
    topics: Topics, namespace: str = "", version_ms: int = 0
) -> dict[str, Subscription]:
    """The subscriptions meant, by full topic name.

    Raise ConfigError for a bad topic name and SubscriptionInvalid for a bad expression.

    >>> parse_topics({"orders": "paid || shipped"})["orders"].tags == {"paid", "shipped"}
    True
    """
    if isinstance(topics, str):
        pairs: list[tuple[str, str]] = [(topics, "*")]
    elif isinstance(topics, Mapping):
        pairs = list(topics.items())
    else:
        pairs = [(topic, "*") for topic in topics]
    found = {}
    for topic, expression in pairs:
        subscription = subscribe(with_namespace(namespace, topic), expression, version_ms)
        found[subscription.topic] = subscription
    return found


def subscribe(topic: str, expression: str, version_ms: int) -> Subscription:
    """One subscription. Raise ConfigError or SubscriptionInvalid."""
    problem = topic_problem(topic)
    if problem is not None:
        raise ConfigError(problem)
    kind = SQL92 if isinstance(expression, Sql) else TAG
    return parse_subscription(topic, str(expression), kind, version_ms)


def subscription_data(subscription: Subscription) -> SubscriptionData:
    """A subscription as heartbeats tell it."""
    return SubscriptionData(
        topic=subscription.topic,
        sub_string=subscription.expression,
        tags_set=tuple(sorted(subscription.tags)),
        code_set=tuple(sorted(subscription.tag_hashes)),
        sub_version=subscription.version,
        expression_type=subscription.expression_type,
    )


def wanted(
    messages: list[ReceivedMessage], subscription: Subscription
) -> tuple[list[ReceivedMessage], list[ReceivedMessage]]:
    """The messages whose tag really is one of those wanted, and those whose hash merely is."""
    tags = subscription.tags
    if not tags:
        return messages, []
    right = [message for message in messages if message.tag in tags]
    if len(right) == len(messages):
        return messages, []
    return right, [message for message in messages if message.tag not in tags]
