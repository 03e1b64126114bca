"""What the broker knows, as the documents that tools read."""

from __future__ import annotations

from pocketmq.broker.state.clients import Client
from pocketmq.filtering import Subscription
from pocketmq.protocol.bodies.connections import ClientConnection
from pocketmq.protocol.bodies.heartbeat import SubscriptionData
from pocketmq.protocol.codes import LanguageCode


def subscription_document(subscription: Subscription) -> SubscriptionData:
    """A subscription as heartbeats and tools write it."""
    return SubscriptionData(
        subscription.topic,
        subscription.expression,
        tuple(sorted(subscription.tags)),
        tuple(sorted(subscription.tag_hashes)),
        subscription.version,
        subscription.expression_type,
    )


def client_document(client: Client) -> ClientConnection:
    """A connected client as tools list it."""
    return ClientConnection(
        client.client_id,
        str(client.connection.peer),
        language_name(client.language),
        client.version,
    )


def language_name(language: int) -> str:
    """RocketMQ's name of a client's language."""
    try:
        return LanguageCode(language).name
    except ValueError:
        return LanguageCode.OTHER.name
