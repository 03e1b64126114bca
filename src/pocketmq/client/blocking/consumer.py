"""The plain consumers."""

from __future__ import annotations

from typing import Any

from pocketmq.client.blocking.background import background
from pocketmq.client.blocking.facade import Facade, looks, takes, waits
from pocketmq.client.blocking.looping import LoopingFacade
from pocketmq.client.consumer import Consumer as AsyncConsumer
from pocketmq.client.lite_pull import LitePullConsumer as AsyncLitePullConsumer
from pocketmq.client.pop_consumer import PopConsumer as AsyncPopConsumer
from pocketmq.client.pull_consumer import PullConsumer as AsyncPullConsumer


class Consumer(LoopingFacade[AsyncConsumer]):
    """A member of a consumer group, for plain code.

    >>> with pocketmq.blocking.Producer(address, group="shop") as producer:
    ...     receipts = producer.send_batch("soups", ["lentil", "leek"])
    >>> with Consumer(address, group="kitchen", topics="soups", start_from="first") as consumer:
    ...     for message in consumer.messages(idle=0.5):
    ...         print(message.text)  # a finished body means consumed
    lentil
    leek
    >>> worker = Consumer(address, group="kitchen", topics="soups")
    >>> @worker.handler
    ... def cook(message):
    ...     print(message.text)  # returning means consumed, raising means: again, later
    >>> # worker.run()  returns after Ctrl-C, SIGTERM or worker.stop()

    It takes what `pocketmq.Consumer` takes. Handlers are called on threads. In a forked child it
    consumes nothing until it is started there.
    """

    @takes(AsyncConsumer)
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(lambda: AsyncConsumer(*args, **kwargs))

    @property
    def client_id(self) -> str:
        """What brokers know this consumer by."""
        return self._started().client_id

    topics = looks(AsyncConsumer.topics)
    assigned = looks(AsyncConsumer.assigned)
    positions = looks(AsyncConsumer.positions)
    lag = looks(AsyncConsumer.lag)
    problems = looks(AsyncConsumer.problems)
    pause = looks(AsyncConsumer.pause)
    resume = looks(AsyncConsumer.resume)
    subscribe = waits(AsyncConsumer.subscribe)
    unsubscribe = waits(AsyncConsumer.unsubscribe)
    seek = waits(AsyncConsumer.seek)
    rewind = waits(AsyncConsumer.rewind)
    commit = waits(AsyncConsumer.commit)
    explain = waits(AsyncConsumer.explain)


class PopConsumer(LoopingFacade[AsyncPopConsumer]):
    """A popping consumer, for plain code; it takes what `pocketmq.PopConsumer` takes.

    with PopConsumer("127.0.0.1:9876", group="billing", topics="orders") as consumer:
        for message in consumer.receive(wait=10):
            ...
            consumer.ack(message)
    """

    @takes(AsyncPopConsumer)
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(lambda: AsyncPopConsumer(*args, **kwargs))

    @property
    def client_id(self) -> str:
        """What brokers know this consumer by."""
        return self._started().client_id

    @property
    def in_hand(self) -> int:
        """How many messages were handed out here and are not acknowledged yet."""
        inner = self._started()
        return background().call(lambda: inner.in_hand)

    receive = waits(AsyncPopConsumer.receive)
    ack = waits(AsyncPopConsumer.ack)
    change_invisible = waits(AsyncPopConsumer.change_invisible)
    receipt_handle = looks(AsyncPopConsumer.receipt_handle)
    explain = waits(AsyncPopConsumer.explain)


class PullConsumer(Facade[AsyncPullConsumer]):
    """A pull consumer, for plain code; it takes what `pocketmq.PullConsumer` takes."""

    @takes(AsyncPullConsumer)
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(lambda: AsyncPullConsumer(*args, **kwargs))

    def stop(self) -> None:
        """Let go of the connections."""
        self.close()

    queues = waits(AsyncPullConsumer.queues)
    min_offset = waits(AsyncPullConsumer.min_offset)
    max_offset = waits(AsyncPullConsumer.max_offset)
    offset_at = waits(AsyncPullConsumer.offset_at)
    committed = waits(AsyncPullConsumer.committed)
    commit = waits(AsyncPullConsumer.commit)
    pull = waits(AsyncPullConsumer.pull)
    retry = waits(AsyncPullConsumer.retry)
    reject = waits(AsyncPullConsumer.reject)
    explain = waits(AsyncPullConsumer.explain)


class LitePullConsumer(Facade[AsyncLitePullConsumer]):
    """A lite pull consumer, for plain code; it takes what `pocketmq.LitePullConsumer` takes.

    with LitePullConsumer("127.0.0.1:9876", group="audit", topics="orders") as consumer:
        for message in consumer.poll(timeout=5):
            ...
    """

    @takes(AsyncLitePullConsumer)
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(lambda: AsyncLitePullConsumer(*args, **kwargs))

    def stop(self) -> None:
        """Commit positions and leave the group."""
        self.close()

    poll = waits(AsyncLitePullConsumer.poll)
    assigned = looks(AsyncLitePullConsumer.assigned)
    queues = waits(AsyncLitePullConsumer.queues)
    assign = waits(AsyncLitePullConsumer.assign)
    pause = looks(AsyncLitePullConsumer.pause)
    resume = looks(AsyncLitePullConsumer.resume)
    seek = waits(AsyncLitePullConsumer.seek)
    seek_to_begin = waits(AsyncLitePullConsumer.seek_to_begin)
    seek_to_end = waits(AsyncLitePullConsumer.seek_to_end)
    offset_at = waits(AsyncLitePullConsumer.offset_at)
    committed = waits(AsyncLitePullConsumer.committed)
    commit = waits(AsyncLitePullConsumer.commit)
    explain = waits(AsyncLitePullConsumer.explain)
