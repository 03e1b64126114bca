"""Which messages a consumer wants, as pure functions."""

from pocketmq.filtering.subscriptions import SQL92, TAG, Subscription, parse_subscription
from pocketmq.filtering.tags import parse_tags

__all__ = ["SQL92", "TAG", "Subscription", "parse_subscription", "parse_tags"]
