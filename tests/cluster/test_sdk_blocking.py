"""The plain clients against a real broker: threads, forks, exits, and what goes wrong."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import pocketmq
from pocketmq.blocking import (
    Consumer,
    LitePullConsumer,
    PopConsumer,
    Producer,
    PullConsumer,
    close_all,
)
from pocketmq.client.hooks import Hook, SendContext
from pocketmq.errors import ClientClosed, ClientError, ConfigError, MessageInvalid
from pocketmq.testing import LocalBroker, broker


@pytest.fixture
def rocketmq() -> Iterator[LocalBroker]:
    """A broker; afterwards nothing of the plain clients is left."""
    with broker({"recallMessageEnable": True}) as running:
        yield running
        close_all()


def bodies(rocketmq: LocalBroker, topic: str) -> list[bytes]:
    return sorted(message.body for message in rocketmq.messages(topic))


def eventually(condition: Callable[[], object]) -> None:
    """Return as soon as the condition holds."""
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        threading.Event().wait(0.005)


def run_script(script: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run Python code with warnings shown, and return what it printed."""
    command = [sys.executable, "-X", "dev", "-c", script, *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)


def test_a_plain_send_is_stored_and_says_where(rocketmq: LocalBroker) -> None:
    topic = rocketmq.topic("plain")
    with Producer(rocketmq.address, group="g") as producer:
        receipts = [producer.send(topic, b"%d" % n, tag="t", keys="k") for n in range(20)]
        assert {receipt.queue_id for receipt in receipts} == {0, 1, 2, 3}
    stored = {message.message_id: message for message in rocketmq.messages(topic)}
    assert [stored[receipt.message_id].body for receipt in receipts] == [
        b"%d" % n for n in range(20)
    ]
    with pytest.raises(ClientClosed, match="closed"):
        producer.send(topic, b"x")
    producer.start()
    assert producer.send(topic, b"again").topic == topic


def test_every_way_to_send_has_a_plain_form(rocketmq: LocalBroker) -> None:
    topic = rocketmq.topic("ways")
    producer = Producer(rocketmq.address, group="g")
    producer.send(pocketmq.Message(topic, b"a", properties={"p": "1"}))
    producer.send(topic, b"b", order_by="k")
    producer.send(topic, {"id": 1}, codec="json")
    producer.send_oneway(topic, b"c")
    producer.send_batch(topic, [b"d", b"e"])
    producer.send_soon(topic, b"f")
    producer.send_soon(topic, b"g", properties={"p": "1"})
    producer.flush()
    late = producer.send(topic, b"late", delay=3600)
    assert late.recall_handle
    producer.recall(late)
    with producer.transaction(topic, b"h") as transaction:
        assert transaction.message_id
    assert transaction.outcome == "commit"
    with pytest.raises(KeyError), producer.transaction(topic, b"never") as transaction:
        raise KeyError("x")
    assert transaction.outcome == "rollback"
    assert len(producer.queues(topic)) == 4
    assert topic in producer.explain()
    eventually(lambda: len(rocketmq.messages(topic)) >= 9)
    assert bodies(rocketmq, topic) == sorted([b'{"id":1}', *(bytes([x]) for x in b"abcdefgh")])


def test_many_threads_share_a_producer(rocketmq: LocalBroker) -> None:
    topic = rocketmq.topic("threads")
    producer = Producer(rocketmq.address, group="g")
    keys: list[str] = []

    def work(number: int) -> None:
        for n in range(25):
            body = b"%d-%d" % (number, n)
            if n % 5 == 0:
                producer.send_soon(topic, body)
            else:
                keys.append(producer.send(topic, body).message_id)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    producer.close()
    wanted = sorted(b"%d-%d" % (number, n) for number in range(8) for n in range(25))
    assert bodies(rocketmq, topic) == wanted
    assert len(set(keys)) == len(keys) == 160


def test_more_than_fits_is_waited_for(rocketmq: LocalBroker) -> None:
    topic = rocketmq.topic("much")
    options = pocketmq.ProducerOptions(in_flight_max=5)
    with Producer(rocketmq.address, group="g", options=options) as producer:
        for n in range(3000):
            producer.send_soon(topic, b"%d" % n)
    assert len(rocketmq.messages(topic)) == 3000


def test_errors_are_raised_where_the_call_was_made(rocketmq: LocalBroker) -> None:
    with pytest.raises(ConfigError):
        Producer("nonsense", group="g")
    with Producer(rocketmq.address, group="g") as producer:
        with pytest.raises(MessageInvalid):
            producer.send("bad topic!", b"x")
        with pytest.raises(MessageInvalid):
            producer.send_soon("orders", {"no": "codec"})
    lonely = Producer("127.0.0.1:1", group="g")
    with pytest.raises(pocketmq.errors.NameServersUnreachable):
        lonely.send("orders", b"x")


def test_a_broker_that_restarts_is_found_again(rocketmq: LocalBroker) -> None:
    topic = rocketmq.topic("restart")
    with Producer(rocketmq.address, group="g") as producer:
        producer.send(topic, b"1")
        with rocketmq.faults.broker_down():
            pass
        producer.send(topic, b"2")
        producer.send(topic, b"3")
    assert bodies(rocketmq, topic) == [b"1", b"2", b"3"]


def test_hooks_see_plain_sends(rocketmq: LocalBroker) -> None:
    seen: list[str] = []

    class Seen(Hook):
        def after_send(self, context: SendContext) -> None:
            seen.extend(context.unique_keys)

    topic = rocketmq.topic("hooks")
    with Producer(rocketmq.address, group="g", hooks=[Seen()]) as producer:
        assert [producer.send(topic, b"x").message_id] == seen


def test_a_loop_over_messages_consumes_them(rocketmq: LocalBroker) -> None:
    topic = rocketmq.topic("loop")
    sent = [rocketmq.send(topic, b"%d" % n) for n in range(30)]
    seen: list[str] = []
    with Consumer(rocketmq.address, group="loop", topics=topic, start_from="first") as consumer:
        for message in consumer:
            seen.append(message.message_id)
            if len(seen) == 10:
                break
        for message in consumer.messages(idle=0.5):
            seen.append(message.message_id)
        assert consumer.lag() == 0
        assert consumer.topics() == {topic: "*"}
        assert len(consumer.assigned()) == 4
    assert sorted(seen) == sorted(sent)
    rocketmq.assert_consumed(topic, by="loop")


def test_an_error_leaves_the_message_for_the_next(rocketmq: LocalBroker) -> None:
    topic = rocketmq.topic("error")
    rocketmq.send(topic, b"once more")
    options: dict[str, Any] = {"group": "error", "topics": topic, "start_from": "first"}
    with pytest.raises(KeyError), Consumer(rocketmq.address, **options) as consumer:
        for _ in consumer:
            raise KeyError("x")
    with Consumer(rocketmq.address, **options) as consumer:
        assert [message.body for message in consumer.messages(idle=0.5)] == [b"once more"]


def test_threads_share_a_loop(rocketmq: LocalBroker) -> None:
    topic = rocketmq.topic("shared")
    sent = sorted(rocketmq.send(topic, b"%d" % n) for n in range(40))
    seen: list[str] = []
    consumer = Consumer(rocketmq.address, group="shared", topics=topic, start_from="first")
    consumer.start()

    def work() -> None:
        for message in consumer.messages(idle=1):
            seen.append(message.message_id)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    consumer.stop()
    assert sorted(seen) == sent


def test_a_plain_handler_runs_on_threads_until_stopped(rocketmq: LocalBroker) -> None:
    topic = rocketmq.topic("handler")
    seen: list[bytes] = []
    consumer = Consumer(rocketmq.address, group="handler", topics=topic, start_from="first")

    @consumer.handler
    def handle(message: pocketmq.ReceivedMessage) -> None:
        assert threading.current_thread().name != "pocketmq"
        seen.append(message.body)
        if len(seen) == 5:
            consumer.stop()

    for n in range(5):
        rocketmq.send(topic, b"%d" % n)
    running = threading.Thread(target=consumer.run)
    running.start()
    running.join(15)
    assert not running.is_alive()
    assert sorted(seen) == [b"%d" % n for n in range(5)]
    assert not consumer.is_running


async def test_the_event_loops_own_thread_must_not_wait(rocketmq: LocalBroker) -> None:
    topic = rocketmq.topic("own")
    producer = Producer(rocketmq.address, group="g")
    problems: list[BaseException] = []
    handled = threading.Event()

    async def handle(message: pocketmq.ReceivedMessage) -> None:
        try:
            producer.send(topic, b"x", properties={"a": "b"})
        except ClientError as error:
            problems.append(error)
        handled.set()

    rocketmq.send(topic, b"1")
    consumer = Consumer(
        rocketmq.address, group="own", topics=topic, start_from="first", handler=handle
    )
    consumer.start()
    assert handled.wait(10)
    consumer.stop()
    assert "use pocketmq.Producer and await" in str(problems[0])


CHILD = """
import os, sys
from pocketmq.blocking import Producer
address, topic = sys.argv[1:]
producer = Producer(address, group="g")
producer.send(topic, b"before")
parents = producer.client_id
children = []
for number in range(3):
    child = os.fork()
    if child == 0:
        producer.send(topic, b"child %d" % number)
        producer.send_soon(topic, b"soon %d" % number)
        assert producer.client_id != parents
        grandchild = os.fork()
        if grandchild == 0:
            producer.send(topic, b"grandchild %d" % number)
            sys.exit(0)
        os.waitpid(grandchild, 0)
        sys.exit(0)
    children.append(child)
for child in children:
    assert os.waitpid(child, 0)[1] == 0
producer.send(topic, b"after")
assert producer.client_id == parents
print("done")
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_forked_child_has_connections_and_an_id_of_its_own(rocketmq: LocalBroker) -> None:
    topic = rocketmq.topic("fork")
    finished = run_script(CHILD, rocketmq.address, topic)
    assert (finished.stdout, finished.returncode) == ("done\n", 0), finished.stderr
    assert "Traceback" not in finished.stderr
    expected = [b"before", b"after"]
    for number in range(3):
        for word in (b"child", b"soon", b"grandchild"):
            expected.append(b"%s %d" % (word, number))
    eventually(lambda: len(rocketmq.messages(topic)) >= len(expected))
    assert bodies(rocketmq, topic) == sorted(expected)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_child_notices_a_fork_that_nobody_tells_it_of(rocketmq: LocalBroker) -> None:
    """uWSGI forks without calling what `os.register_at_fork` was given."""
    topic = rocketmq.topic("fork")
    untold = CHILD.replace("os, sys\n", "os, sys\nos.register_at_fork = lambda **calls: None\n")
    finished = run_script(untold, rocketmq.address, topic)
    assert (finished.stdout, finished.returncode) == ("done\n", 0), finished.stderr
    eventually(lambda: len(rocketmq.messages(topic)) >= 11)
    messages = rocketmq.messages(topic)
    assert len(messages) == len({message.message_id for message in messages}) == 11


POOL = """
import multiprocessing, sys
from pocketmq.blocking import Producer
address, topic = sys.argv[1:]
producer = Producer(address, group="g")

def work(number):
    return producer.send(topic, b"%d" % number).message_id

if __name__ == "__main__":
    producer.send(topic, b"parent")
    with multiprocessing.get_context("fork").Pool(3) as pool:
        assert len(set(pool.map(work, range(12)))) == 12
        pool.close()
        pool.join()
    print("done")
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_pool_of_forked_workers_sends(rocketmq: LocalBroker) -> None:
    topic = rocketmq.topic("pool")
    finished = run_script(POOL, rocketmq.address, topic)
    assert (finished.stdout, finished.returncode) == ("done\n", 0), finished.stderr
    assert bodies(rocketmq, topic) == sorted([b"parent", *(b"%d" % n for n in range(12))])


EXIT = """
import sys
from pocketmq.blocking import Consumer, Producer
address, topic = sys.argv[1:]
producer = Producer(address, group="g")
consumer = Consumer(address, group="exit", topics=topic, start_from="first", handler=print)
consumer.start()
for number in range(50):
    producer.send_soon(topic, b"%d" % number)
"""


def test_what_is_open_at_the_exit_is_finished(rocketmq: LocalBroker) -> None:
    topic = rocketmq.topic("exit")
    finished = run_script(EXIT, rocketmq.address, topic)
    assert (finished.returncode, finished.stderr) == (0, "")
    assert len(rocketmq.messages(topic)) == 50


RUN = """
import sys
from pocketmq.blocking import Consumer
address, topic = sys.argv[1:]
consumer = Consumer(address, group="term", topics=topic, start_from="first")

@consumer.handler
def handle(message):
    print("handled", message.text, flush=True)

consumer.run()
print("stopped", flush=True)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGTERM")
def test_run_ends_gracefully_when_told_to(rocketmq: LocalBroker) -> None:
    topic = rocketmq.topic("term")
    rocketmq.send(topic, b"one")
    command = [sys.executable, "-c", RUN, rocketmq.address, topic]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "handled one\n"
        process.send_signal(signal.SIGTERM)
        assert process.stdout.read() == "stopped\n"
        assert process.wait(10) == 0
    rocketmq.assert_consumed(topic, by="term")


def test_pops_pulls_and_polls_have_a_plain_form(rocketmq: LocalBroker) -> None:
    topic = rocketmq.topic("kinds", queues=1)
    sent = [rocketmq.send(topic, b"%d" % n) for n in range(6)]
    with PullConsumer(rocketmq.address, group="pull") as puller:
        (queue,) = puller.queues(topic)
        pulled = puller.pull(queue, puller.min_offset(queue))
        assert [message.message_id for message in pulled.messages] == sent
        puller.commit(queue, pulled.next_offset)
        assert puller.committed(queue) == 6
        assert f"Topic {topic}: 1 queue of pocketmq." in puller.explain()
    with LitePullConsumer(rocketmq.address, group="lite") as lite:
        lite.assign(lite.queues(topic))
        lite.seek(queue, 4)
        assert [message.message_id for message in lite.poll(timeout=5)] == sent[4:]
        assert "Queue 0 of pocketmq: at " in lite.explain()
    options: dict[str, Any] = {"group": "pop", "topics": topic, "start_from": "first"}
    with PopConsumer(rocketmq.address, **options) as popper:
        seen: list[str] = []
        assert popper.explain().endswith("0 messages handed out and not finished.")
        while len(seen) < 3:
            for message in popper.receive(1, wait=5):
                popper.ack(message)
                seen.append(message.message_id)
    with PopConsumer(rocketmq.address, **options) as popper:
        seen += [message.message_id for message in popper.messages(idle=1)]
    assert sorted(seen) == sorted(sent)
