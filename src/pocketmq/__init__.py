"""PocketMQ: Apache RocketMQ's name server and broker in Python, and a client for any RocketMQ.

Importing this package loads next to nothing: each name below is loaded when it is first used. The
client needs the standard library alone.

    import pocketmq

    async with pocketmq.Producer("127.0.0.1:9876", group="orders") as producer:
        receipt = await producer.send("orders", b"...", tag="paid")
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pocketmq.lazy import loader

if TYPE_CHECKING:
    from pocketmq import errors as errors
    from pocketmq.client.allocation import ByConfig as ByConfig
    from pocketmq.client.allocation import MachineRoom as MachineRoom
    from pocketmq.client.allocation import MachineRoomNearby as MachineRoomNearby
    from pocketmq.client.batching import Batching as Batching
    from pocketmq.client.codecs import Codecs as Codecs
    from pocketmq.client.config import ClientConfig as ClientConfig
    from pocketmq.client.config import TlsConfig as TlsConfig
    from pocketmq.client.consumer import Consumer as Consumer
    from pocketmq.client.consuming import ConsumerOptions as ConsumerOptions
    from pocketmq.client.hooks import Hook as Hook
    from pocketmq.client.lite_pull import LitePullConsumer as LitePullConsumer
    from pocketmq.client.messages import Message as Message
    from pocketmq.client.messages import MessageQueue as MessageQueue
    from pocketmq.client.messages import ReceivedMessage as ReceivedMessage
    from pocketmq.client.messages import SendReceipt as SendReceipt
    from pocketmq.client.messages import SendStatus as SendStatus
    from pocketmq.client.offsets import FileOffsets as FileOffsets
    from pocketmq.client.outcomes import Reject as Reject
    from pocketmq.client.outcomes import RetryIn as RetryIn
    from pocketmq.client.pop_consumer import PopConsumer as PopConsumer
    from pocketmq.client.producer import Producer as Producer
    from pocketmq.client.pull_consumer import PullConsumer as PullConsumer
    from pocketmq.client.pull_consumer import PulledMessages as PulledMessages
    from pocketmq.client.sending import ProducerOptions as ProducerOptions
    from pocketmq.client.statistics import Statistics as Statistics
    from pocketmq.client.subscriptions import Sql as Sql
    from pocketmq.client.telemetry import LogMessages as LogMessages
    from pocketmq.client.telemetry import OpenTelemetry as OpenTelemetry
    from pocketmq.client.trace import Trace as Trace
    from pocketmq.client.transactions import Transaction as Transaction
    from pocketmq.errors import PocketMQError as PocketMQError
    from pocketmq.security import Credentials as Credentials

__version__ = "0.1.0"

_PLACES = {
    "Batching": "pocketmq.client.batching",
    "ByConfig": "pocketmq.client.allocation",
    "ClientConfig": "pocketmq.client.config",
    "Codecs": "pocketmq.client.codecs",
    "Consumer": "pocketmq.client.consumer",
    "ConsumerOptions": "pocketmq.client.consuming",
    "Credentials": "pocketmq.security",
    "FileOffsets": "pocketmq.client.offsets",
    "Hook": "pocketmq.client.hooks",
    "LitePullConsumer": "pocketmq.client.lite_pull",
    "LogMessages": "pocketmq.client.telemetry",
    "MachineRoom": "pocketmq.client.allocation",
    "MachineRoomNearby": "pocketmq.client.allocation",
    "Message": "pocketmq.client.messages",
    "MessageQueue": "pocketmq.client.messages",
    "OpenTelemetry": "pocketmq.client.telemetry",
    "PocketMQError": "pocketmq.errors",
    "PopConsumer": "pocketmq.client.pop_consumer",
    "Producer": "pocketmq.client.producer",
    "ProducerOptions": "pocketmq.client.sending",
    "PullConsumer": "pocketmq.client.pull_consumer",
    "PulledMessages": "pocketmq.client.pull_consumer",
    "ReceivedMessage": "pocketmq.client.messages",
    "Reject": "pocketmq.client.outcomes",
    "RetryIn": "pocketmq.client.outcomes",
    "SendReceipt": "pocketmq.client.messages",
    "SendStatus": "pocketmq.client.messages",
    "Sql": "pocketmq.client.subscriptions",
    "Statistics": "pocketmq.client.statistics",
    "TlsConfig": "pocketmq.client.config",
    "Trace": "pocketmq.client.trace",
    "Transaction": "pocketmq.client.transactions",
}

__all__ = ["__version__", "errors", *_PLACES]


if not TYPE_CHECKING:
    _load = loader(__name__, _PLACES)

    def __getattr__(name: str) -> Any:
        if name == "errors":
            from importlib import import_module

            return import_module("pocketmq.errors")
        return _load(name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_PLACES})
