"""Producers and consumers without `await`, for scripts, web applications, workers and notebooks.

    from pocketmq.blocking import Consumer, Producer

    with Producer("127.0.0.1:9876", group="orders") as producer:
        producer.send("orders", b"...", tag="paid")

Names and parameters are those of `pocketmq`. Threads may share a client. After a fork (gunicorn,
uWSGI, multiprocessing) a child works with connections and a client id of its own. What is still
open at the interpreter's exit is closed then.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pocketmq.lazy import loader

if TYPE_CHECKING:
    from pocketmq.client.blocking.background import close_all as close_all
    from pocketmq.client.blocking.consumer import Consumer as Consumer
    from pocketmq.client.blocking.consumer import LitePullConsumer as LitePullConsumer
    from pocketmq.client.blocking.consumer import PopConsumer as PopConsumer
    from pocketmq.client.blocking.consumer import PullConsumer as PullConsumer
    from pocketmq.client.blocking.producer import Producer as Producer
    from pocketmq.client.blocking.producer import Transaction as Transaction

# Loaded when they are first used: who only sends needs no consumers.
_PLACES = {
    "Consumer": "pocketmq.client.blocking.consumer",
    "LitePullConsumer": "pocketmq.client.blocking.consumer",
    "PopConsumer": "pocketmq.client.blocking.consumer",
    "Producer": "pocketmq.client.blocking.producer",
    "PullConsumer": "pocketmq.client.blocking.consumer",
    "Transaction": "pocketmq.client.blocking.producer",
    "close_all": "pocketmq.client.blocking.background",
}

__all__ = [*_PLACES]


if not TYPE_CHECKING:
    __getattr__ = loader(__name__, _PLACES)


def __dir__() -> list[str]:
    return sorted({*globals(), *_PLACES})
