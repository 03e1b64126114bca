"""The broker as a test holds it in its hands."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from pocketmq.client.offsets import DIRECTORY_VARIABLE
from pocketmq.clock import TravellingClock
from pocketmq.message.topics import dead_letter_topic
from pocketmq.testing.admission import (
    as_bytes,
    next_queue,
    properties_of,
    put_message,
    put_topic,
)
from pocketmq.testing.asserting import Told, Wanted, expect_consumed, expect_dead, expect_stored
from pocketmq.testing.broker_clock import BrokerClock
from pocketmq.testing.fates import Fates, Waiting, waiting_messages
from pocketmq.testing.faults import Faults
from pocketmq.testing.faulty_service import Traffic
from pocketmq.testing.flight import Flight
from pocketmq.testing.loop_thread import LoopThread, Pending
from pocketmq.testing.messages import StoredMessage, marks_of, read_topic, user_topics
from pocketmq.testing.servers import Servers

SHARED_MEMORY = Path("/dev/shm")


class LocalBroker:
    """A name server and a broker in this process. Clients reach them by `address`.

    `clock` moves time, `faults` make things go wrong. Nothing here needs an event loop: methods can
    be called from plain and from async tests, where `settle` and `clock.advance` are awaited.
    """

    def __init__(self, directory: Path, settings: Mapping[str, object]) -> None:
        clock = TravellingClock()
        at_name_server, at_broker = Traffic(TravellingClock()), Traffic(clock)
        self._thread = LoopThread("pocketmq-testing")
        try:
            self._servers = self._thread.call(
                lambda: Servers(directory, settings, clock, at_name_server.around, at_broker.around)
            )
            self._thread.run(self._servers.start())
        except BaseException:
            self._thread.close()
            raise
        self._flight = Flight(self._servers, at_broker)
        self._servers.on_restart(self._flight.restarted)
        self._marks: dict[tuple[str, int], int] = {}
        self._turns: dict[str, int] = {}
        self._suffix = ""
        self.clock = BrokerClock(clock, self._flight, self._thread)
        self.faults = Faults(self._thread, self._servers, (at_name_server, at_broker))

    def __repr__(self) -> str:
        return f"<RocketMQ for tests at {self.address}>"

    def close(self) -> None:
        """Stop both servers."""
        try:
            self._thread.run(self._servers.stop())
        finally:
            self._thread.close()

    # -- where ----------------------------------------------------------------------------------

    @property
    def address(self) -> str:
        """The name server's address, which is all a client needs: `127.0.0.1:PORT`."""
        return self._servers.address

    @property
    def broker_address(self) -> str:
        """The broker's own address."""
        return f"127.0.0.1:{self._servers.broker_port}"

    # -- putting something in -------------------------------------------------------------------

    def topic(self, name: str, *, queues: int = 4) -> str:
        """Create a topic and return its name, which in a shared broker is this test's own."""
        own = self.own_name(name)
        self._thread.run(put_topic(self._servers, own, queues))
        return own

    def own_name(self, name: str) -> str:
        """The name itself, or in a shared broker one that no other test has: for groups."""
        return name + self._suffix

    def send(
        self,
        topic: str,
        body: object,
        *,
        tag: str | None = None,
        keys: str | Sequence[str] = "",
        properties: Mapping[str, str] | None = None,
        delay: float | None = None,
        delay_level: int = 0,
        queue_id: int | None = None,
    ) -> str:
        """Send a message without a client, and return its id.

        bytes go as they are, text as UTF-8, everything else as JSON. `delay` is in seconds.
        """
        now_ms = self._servers.clock.now_ms()
        all_properties = properties_of(
            properties or {}, now_ms, tag=tag, keys=keys, delay=delay, delay_level=delay_level
        )
        turn = self._turns[topic] = self._turns.get(topic, -1) + 1
        if queue_id is None:
            queue_id = self._thread.call(lambda: next_queue(self._servers, topic, turn))
        content = as_bytes(body)
        self._thread.run(put_message(self._servers, topic, content, all_properties, queue_id))
        return all_properties["UNIQ_KEY"]

    # -- waiting --------------------------------------------------------------------------------

    def settle(self, timeout: float = 10) -> Pending[None]:
        """Wait until nothing is in flight. Raise NotSettled, an AssertionError that says what is.

        Everything sent is visible, what is due is delivered, and connected consumers have consumed
        all of it; messages that wait for a later moment stay. In an async test await the result.
        """
        __tracebackhide__ = True
        return self._thread.wait_for(self._flight.settle(timeout), "rocketmq.settle()")

    # -- looking --------------------------------------------------------------------------------

    def messages(
        self, topic: str, *, tag: str | None = None, key: str | None = None
    ) -> list[StoredMessage]:
        """The messages of a topic, in the order they were stored, consumed or not.

        Of a shared broker, those stored since the test began.
        """
        wanted = Wanted(tag=tag, key=key)
        return [message for message in self._stored(topic) if wanted.matches(message)]

    def dead_letters(self, group: str) -> list[StoredMessage]:
        """What a consumer group has given up on."""
        return self._stored(dead_letter_topic(group))

    def waiting(self, topic: str | None = None) -> list[Waiting]:
        """What waits for its moment: delayed messages, and retries; the next one first.

        A message to be retried waits for the topic `%RETRY%group`.
        """
        found = self._thread.call(lambda: waiting_messages(self._servers.running))
        return [one for one in found if topic is None or one.topic == topic]

    def lag(self, group: str, topic: str) -> int:
        """How many messages of a topic a group has yet to consume."""

        def count() -> int:
            store = self._servers.running.store
            return sum(
                max(
                    store.queue_offsets(topic, queue_id)[1]
                    - self._flight.consumed_up_to(group, topic, queue_id),
                    0,
                )
                for queue_id in store.queue_ids(topic)
            )

        return self._thread.call(count)

    # -- asserting ------------------------------------------------------------------------------

    def assert_sent(
        self,
        topic: str,
        body: object = None,
        *,
        tag: str | None = None,
        key: str | None = None,
        count: int | None = None,
    ) -> list[StoredMessage]:
        """Assert that a topic holds such messages: at least one, or `count`; return them.

        `body` is bytes, text, something to be equal to the body as JSON, or a function of the
        message.
        """
        __tracebackhide__ = True
        others = self._thread.call(lambda: user_topics(self._servers.running.store))
        return expect_stored(topic, self._stored(topic), Wanted(body, tag, key, count), others)

    def assert_consumed(
        self,
        topic: str,
        body: object = None,
        *,
        by: str,
        tag: str | None = None,
        key: str | None = None,
        count: int | None = None,
    ) -> list[StoredMessage]:
        """Assert that a group has consumed such messages, all there are or `count`; return them.

        A message that failed and waits for its next try, or is a dead letter, is not consumed.
        Call `settle` before, so that everybody is done.
        """
        __tracebackhide__ = True
        stored = self._stored(topic)
        told = self._told(by, lambda fates: [(one, fates.of(one)) for one in stored])
        return expect_consumed(topic, by, told, Wanted(body, tag, key, count))

    def assert_dead_lettered(
        self,
        group: str,
        body: object = None,
        *,
        tag: str | None = None,
        key: str | None = None,
        count: int | None = None,
    ) -> list[StoredMessage]:
        """Assert that a group has given up on such messages: at least one, or `count`."""
        __tracebackhide__ = True
        failing = self._told(group, Fates.failing)
        wanted = Wanted(body, tag, key, count)
        return expect_dead(group, self.dead_letters(group), wanted, failing)

    # -- shared brokers -------------------------------------------------------------------------

    def begin_test(self, suffix: str) -> None:
        """Let a test see only what comes from now on; its own names end so."""
        self._suffix = suffix
        self._marks = self._thread.call(lambda: marks_of(self._servers.running.store))

    def end_test(self) -> None:
        """Set right what the test disturbed."""
        self.faults.clear()
        self.clock.thaw()

    # -- inside ---------------------------------------------------------------------------------

    def _stored(self, topic: str) -> list[StoredMessage]:
        def read() -> list[StoredMessage]:
            running = self._servers.running
            running.dispatch.drain()
            return read_topic(running.store, topic, self._marks)

        return self._thread.call(read)

    def _told(self, group: str, question: Callable[[Fates], Told]) -> Told:
        def ask() -> Told:
            return question(Fates(self._servers.running, self._flight, group))

        return self._thread.call(ask)


@contextmanager
def broker(
    settings: Mapping[str, object] | None = None, *, directory: str | os.PathLike[str] | None = None
) -> Iterator[LocalBroker]:
    """A broker for as long as the `with` block lasts.

    `settings` are those of `pocketmq up --set`, by RocketMQ's names or ours. The data is in memory
    and gone at the end, unless a `directory` is given.

    >>> with broker() as rocketmq:
    ...     _ = rocketmq.send("orders", "two pizzas", tag="new")
    ...     [message.text for message in rocketmq.messages("orders")]
    ['two pizzas']
    """
    with ExitStack() as stack:
        place = stack.enter_context(_data_directory()) if directory is None else directory
        stack.enter_context(_positions_kept_in(Path(place) / "broadcast"))
        opened = LocalBroker(Path(place), settings or {})
        stack.callback(opened.close)
        yield opened


@contextmanager
def _data_directory() -> Iterator[Path]:
    """A directory that is gone afterwards, in memory where the system offers that."""
    parent = SHARED_MEMORY if os.access(SHARED_MEMORY, os.W_OK | os.X_OK) else None
    directory = Path(tempfile.mkdtemp(prefix="pocketmq-", dir=parent))
    try:
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)


@contextmanager
def _positions_kept_in(directory: Path) -> Iterator[None]:
    """Broadcasting consumers keep their positions in files of the user's, by the names of groups.

    Those of one test must not tell the next where to begin.
    """
    before = os.environ.get(DIRECTORY_VARIABLE)
    os.environ[DIRECTORY_VARIABLE] = str(directory)
    try:
        yield
    finally:
        if before is None:
            os.environ.pop(DIRECTORY_VARIABLE, None)
        else:
            os.environ[DIRECTORY_VARIABLE] = before
