"""A cluster with something to see in it, and a console in front of it, all in this process.

Everything is real: a name server, a broker, the SDK's producers and consumers over sockets, and the
console's own server on a free port. The browser is the only thing outside.
"""

from __future__ import annotations

import json
import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace

import pocketmq
from pocketmq.admin import Admin
from pocketmq.blocking import Consumer, Producer
from pocketmq.client.transactions import Verdict
from pocketmq.console.config import ConsoleConfig
from pocketmq.console.server import ConsoleServer
from pocketmq.testing.local_broker import LocalBroker, broker
from pocketmq.testing.loop_thread import LoopThread

HOSTILE = '<img src=x onerror="window.hurt=1"><script>window.hurt=1</script>'
"""What an attacker would put wherever text may be put."""

TOPICS = ("orders", "payments", "shipments", "parcels", "mail", "hostile", "traced", "reminders")
PARCELS = 12
BACKLOG = 40
QUICK = pocketmq.ConsumerOptions(commit_interval_ms=200)


@dataclass
class Stage:
    """The cluster, the address of the console, and the ids of what was put in."""

    broker: LocalBroker
    url: str = ""
    ids: dict[str, str] = field(default_factory=dict)
    mended: threading.Event = field(default_factory=threading.Event)
    """Set: the consumer of parcels fails no more."""
    consumed: list[str] = field(default_factory=list)
    """Bodies that the consumer of parcels took."""


@contextmanager
def console(admin_of: str, thread: LoopThread, config: ConsoleConfig) -> Iterator[str]:
    """A console for the cluster of a name server; its address."""

    async def start() -> tuple[Admin, ConsoleServer]:
        admin = Admin(admin_of)
        await admin.__aenter__()
        server = ConsoleServer(config, admin)
        await server.start()
        return admin, server

    admin, server = thread.run(start())
    try:
        yield server.url.rstrip("/") + "/"
    finally:
        thread.run(server.stop())
        thread.run(admin.__aexit__(None, None, None))


@contextmanager
def stage(config: ConsoleConfig | None = None) -> Iterator[Stage]:
    """Build it all; it is torn down at the end."""
    config = config or ConsoleConfig()
    config = replace(config, listen=replace(config.listen, port=0), poll_interval_ms=1000)
    with ExitStack() as parts:
        local = parts.enter_context(broker({"enablePropertyFilter": True}))
        built = Stage(local)
        for topic in TOPICS:
            local.topic(topic, queues=4)
        _fill(built)
        _people(built, parts)
        thread = LoopThread("console")
        parts.callback(thread.close)
        built.url = parts.enter_context(console(local.address, thread, config))
        wait_for(lambda: len(local.dead_letters("labels")) == PARCELS, "the dead letters")
        yield built


def _fill(built: Stage) -> None:
    """Messages of every kind, stored without a client."""
    local = built.broker
    for number in range(BACKLOG):
        order = {"order": 4000 + number, "amount": 20 + number * 7 % 300, "region": "eu"}
        built.ids["payment"] = local.send(
            "payments",
            order,
            tag="card" if number % 3 else "cash",
            keys=f"order-{4000 + number}",
            properties={"amount": str(order["amount"]), "region": "eu"},
        )
    text = json.dumps({"order": 4711, "items": [{"sku": "A-1", "count": 2}], "note": "schnell, 请"})
    built.ids["json"] = local.send("mail", text, tag="new", keys=["order-4711", "anna"])
    built.ids["text"] = local.send("mail", "Dear Anna,\nyour parcel is on its way.", tag="text")
    built.ids["binary"] = local.send("mail", bytes(range(256)) * 2, tag="binary")
    built.ids["hostile"] = local.send(
        "hostile", HOSTILE, tag=HOSTILE, keys=[HOSTILE.replace(" ", "/")], properties={"x": HOSTILE}
    )
    for level, body in ((4, "in half a minute"), (18, "in two hours"), (18, "in two hours, too")):
        local.send("reminders", body, delay_level=level, keys="later")
    local.send("reminders", "tomorrow", delay=86_400, keys="tomorrow")


def _people(built: Stage, parts: ExitStack) -> None:
    """Producers and consumers that stay connected while the stage stands."""
    address = built.broker.address
    shop = parts.enter_context(
        Producer(address, group="shop", instance="shop", hooks=[pocketmq.Trace()])
    )
    built.ids["traced"] = shop.send("traced", "follow me", keys="traced-1").message_id

    @shop.check
    def undecided(message: pocketmq.ReceivedMessage) -> Verdict:
        return None

    transaction = shop.transaction("payments", "half of a payment", keys="half-1")
    transaction.__enter__()
    transaction.leave_open()
    transaction.__exit__(None, None, None)
    listening: list[tuple[str, str, Callable[[pocketmq.ReceivedMessage], None], str]] = [
        ("billing", "orders", lambda message: None, "one"),
        ("billing", "orders", lambda message: None, "two"),
        ("audit", "traced", lambda message: None, "audit"),
    ]
    for group, topic, handler, instance in listening:
        consumer = _consumer(parts, address, group, topic, handler, instance)
        built.ids[instance] = consumer.client_id

    def parcel(message: pocketmq.ReceivedMessage) -> None:
        if not built.mended.is_set():
            raise ValueError("no label printer")
        built.consumed.append(message.text)

    for number in range(PARCELS):
        built.broker.send("parcels", f"parcel {number}", keys=f"parcel-{number}", tag="label")
    _consumer(parts, address, "labels", "parcels", parcel, "labels", max_attempts=1)


def _consumer(
    parts: ExitStack,
    address: str,
    group: str,
    topic: str,
    handler: Callable[[pocketmq.ReceivedMessage], None],
    instance: str,
    max_attempts: int | None = None,
) -> Consumer:
    hooks = [pocketmq.Trace()] if topic == "traced" else []
    consumer = Consumer(
        address,
        group=group,
        topics=topic,
        handler=handler,
        start_from="first",
        instance=instance,
        max_attempts=max_attempts,
        options=QUICK,
        hooks=hooks,
    )
    return parts.enter_context(consumer)


@contextmanager
def traffic(built: Stage, per_second: float = 5) -> Iterator[None]:
    """Orders that keep coming while the block runs, now more, now fewer."""
    leaving = threading.Event()
    dice = random.Random(4711)

    def send() -> None:
        with Producer(built.broker.address, group="web", instance="web") as producer:
            number = 0
            while not leaving.wait(dice.expovariate(per_second)):
                number += 1
                producer.send("orders", json.dumps({"order": number}), keys=f"order-{number}")

    thread = threading.Thread(target=send, name="traffic")
    thread.start()
    try:
        yield
    finally:
        leaving.set()
        thread.join()


def wait_for(condition: Callable[[], bool], what: str, seconds: float = 60) -> None:
    """Wait until the condition holds."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"waited in vain for {what}"
        time.sleep(0.02)
