"""Producers and consumers without `await`, for scripts, web applications, workers and notebooks.

    from pocketmq.blocking import Consumer, Producer

    with Producer("127.0.0.1:9876", group="orders") as producer:
        producer.send("orders", b"...", tag="paid")

Names and parameters are those of `pocketmq`. Threads may share a client. After a fork (gunicorn,
uWSGI, multiprocessing) a child works with connections and a client id of its own. What is still
open at the interpreter's exit is closed then.
"""

from __future__ import annotations

from pocketmq.client.blocking.background import close_all
from pocketmq.client.blocking.consumer import (
    Consumer,
    LitePullConsumer,
    PopConsumer,
    PullConsumer,
)
from pocketmq.client.blocking.producer import Producer, Transaction

__all__ = [
    "Consumer",
    "LitePullConsumer",
    "PopConsumer",
    "Producer",
    "PullConsumer",
    "Transaction",
    "close_all",
]
