"""Apache's name server and broker beside ours, with the same messages, and one mqadmin for both."""

from __future__ import annotations

import asyncio
import json
import time
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path

from tests.compat.mqadmin.commands import (
    CLUSTER,
    EVENTS,
    ORDERS,
    PRODUCERS,
    READERS,
    REFUSED_HERE,
    SETTING_UP,
    STEPS,
    TRACES,
    Place,
    Step,
    input_files,
)
from tests.compat.mqadmin.printed import normal
from tests.support import apache
from tests.support.apache import ApacheBroker, ApacheNameServer
from tests.support.clients import raw
from tests.support.clients.cache import product, run_build
from tests.support.clients.driver import Driver
from tests.support.clients.peers import DRIVERS, JAVA_FLAGS
from tests.support.clients.servers import PocketBroker, PocketNameServer, wait_registered

from pocketmq.admin import Admin
from pocketmq.client.unique_keys import UniqueKeys
from pocketmq.errors import AccessUnavailable

SEND = 10
CONSUMERS = 203
ORDER_QUEUES = 4
ORDERS_PER_QUEUE = 3
EVENT_QUEUES = 2
EVENTS_PER_QUEUE = 5

NAME_SERVERS = {"apache": ApacheNameServer, "pocketmq": PocketNameServer}
BROKERS = {"apache": ApacheBroker, "pocketmq": PocketBroker}


@cache
def mqadmin() -> list[str]:
    """The driver of mqadmin, compiled. Raise PeerUnavailable when Java or Maven is missing."""
    jars = apache.jars()
    sources = sorted((DRIVERS / "mqadmin").glob("*.java"))

    def build(place: Path) -> None:
        run_build(["javac", "-nowarn", "-d", place, "-cp", f"{jars}/*", *sources], place)

    classes = product("mqadmin-driver", sources, jars.parent.name, build)
    return ["java", *JAVA_FLAGS, "-Duser.home=.", "-Drocketmq.client.logUseSlf4j=true", "-cp",
            f"{classes}:{jars}/*", "MqAdmin"]  # fmt: skip


class Side:
    """One of the two clusters."""

    def __init__(self, kind: str, home: Path, driver: Driver, exits: ExitStack) -> None:
        self._driver = driver
        self._home = home
        work = home / "work"
        work.mkdir(parents=True)
        input_files(work)
        name_server = NAME_SERVERS[kind](home / "namesrv")
        broker = BROKERS[kind](
            home / "broker", name_server.address, home / "data", timerWheelEnable="true"
        )
        for server in (name_server, broker):
            exits.callback(server.process.kill)
            server.process.start()
        self._processes = (name_server.process, broker.process)
        self.place = Place(name_server.address, broker.address, work)

    def wait_until_up(self) -> None:
        """Wait for the broker's registration."""
        wait_registered(self.place.name_server, self.place.broker, *self._processes)

    def run(self, step: Step) -> str:
        """What a command prints here, made comparable."""
        words = self.place.words(step.line)
        printed: str = self._driver.request("run", words=words)["printed"]
        return normal(printed, (str(self._home), "HOME"))

    def call(self) -> dict[str, str]:
        """What the calls of Apache's dashboard and exporter return here, made comparable."""
        answers = self._driver.request(
            "call",
            name_server=self.place.name_server,
            unit=self.place.name_server.rpartition(":")[2],
            broker=self.place.broker,
            cluster=CLUSTER,
            topic=EVENTS,
            group=READERS,
            client=self.place.consumer,
            message_id=self.place.event_id,
        )["answers"]
        return {name: normal(text, (str(self._home), "HOME")) for name, text in answers.items()}

    def fill(self, keys: list[str]) -> None:
        """Send messages with these unique keys, and let clients connect."""
        broker, name_server = self.place.broker, self.place.name_server
        ids = []
        for number, key in enumerate(keys):
            order = number < ORDER_QUEUES * ORDERS_PER_QUEUE
            topic, queues = (ORDERS, ORDER_QUEUES) if order else (EVENTS, EVENT_QUEUES)
            tag = "TagA" if number % 2 else "TagB"
            ids.append(_send(broker, topic, number % queues, key, tag, f"body {number}"))
        clients = {"name_server": name_server}
        _send(broker, TRACES, 0, keys[-1], "", _trace(keys[0]), found_by=keys[0])
        self._driver.request("consume", group=READERS, topic=EVENTS, tags="*", **clients)
        self._driver.request("produce", group=PRODUCERS, topic=ORDERS, **clients)
        consumers = json.loads(raw.call(broker, CONSUMERS, {"consumerGroup": READERS})[1])
        self.place = replace(
            self.place,
            offset_id=ids[0],
            event_id=ids[-1],
            unique_key=keys[0],
            consumer=consumers["connectionSet"][0]["clientId"],
        )

    def wait_until_consumed(self) -> None:
        """Wait until the connected consumer has said that it is done with everything."""
        raw.wait_until(
            lambda: (
                raw.committed(self.place.broker, READERS, EVENTS, EVENT_QUEUES)
                == EVENT_QUEUES * EVENTS_PER_QUEUE
            ),
            60,
            "the offsets of the consumer",
        )


async def _why_no_users(name_server: str) -> str:
    async with Admin(name_server) as admin:
        try:
            await admin.users.all()
        except AccessUnavailable as error:
            return str(error)
    return ""


def _trace(message_id: str) -> str:
    """What a producer and a consumer tell of a message, as their traces are written."""
    sent = ("Pub", "1700000000000", "DefaultRegion", PRODUCERS, ORDERS, message_id, "TagA",
            "needle", "127.0.0.1:10911", "6", "4", "0", message_id, "true")  # fmt: skip
    handled = ("SubAfter", "1", message_id, "7", "true", "needle", "0", "1700000000500", READERS)
    return "".join("\x01".join(one) + "\x02" for one in (sent, handled))


def _send(
    broker: str, topic: str, queue: int, key: str, tag: str, body: str, *, found_by: str = "needle"
) -> str:
    """Send one message and return its offset id."""
    properties = {"KEYS": found_by, "UNIQ_KEY": key, "WAIT": "true", "TAGS": tag}
    fields = {
        "producerGroup": PRODUCERS,
        "topic": topic,
        "defaultTopic": "TBW102",
        "defaultTopicQueueNums": "4",
        "queueId": str(queue),
        "sysFlag": "0",
        "bornTimestamp": str(time.time_ns() // 1_000_000),
        "flag": "0",
        "properties": "\x02".join(f"{name}\x01{value}" for name, value in properties.items()),
        "reconsumeTimes": "0",
        "unitMode": "false",
    }
    answer, _ = raw.call(broker, SEND, fields, body.encode())
    message_id: str = answer["extFields"]["msgId"]
    return message_id


@dataclass
class Sweep:
    """What each command printed on each side."""

    home: Path
    theirs: dict[Step, str] = field(default_factory=dict)
    ours: dict[Step, str] = field(default_factory=dict)
    commands: str = ""
    """What mqadmin prints when it is called without a command."""
    without_users: dict[str, str] = field(default_factory=dict)
    """What `pocketmq user list` says of clusters that were not set up to keep users."""
    their_calls: dict[str, str] = field(default_factory=dict)
    our_calls: dict[str, str] = field(default_factory=dict)

    def exported(self, side: str, file: str) -> str:
        """The content of a file that a command wrote."""
        return (self.home / side / "work" / file).read_text(encoding="utf-8")


def sweep(home: Path) -> Sweep:
    """Run all commands on both clusters. Raise PeerUnavailable when Apache's cannot be had."""
    result = Sweep(home)
    with ExitStack() as exits:
        driver = Driver("mqadmin", mqadmin(), home / "mqadmin")
        exits.callback(driver.close)
        theirs, ours = (Side(kind, home / kind, driver, exits) for kind in NAME_SERVERS)
        both = ((theirs, result.theirs), (ours, result.ours))
        make, count = (
            UniqueKeys(),
            ORDER_QUEUES * ORDERS_PER_QUEUE + EVENT_QUEUES * EVENTS_PER_QUEUE,
        )
        keys = [make.new() for _ in range(count)]
        driver.request("run", words=["help", "topicRoute"])  # it prints about its logging once
        result.commands = str(driver.request("run", words=[])["printed"])
        for side, printed in both:
            side.wait_until_up()
            printed |= {step: side.run(step) for step in SETTING_UP}
            side.fill(keys)
        for side in (theirs, ours):
            side.wait_until_consumed()
        result.their_calls, result.our_calls = theirs.call(), ours.call()
        for side, printed in both:
            printed |= {step: side.run(step) for step in STEPS}
        for kind, side in zip(NAME_SERVERS, (theirs, ours), strict=True):
            result.without_users[kind] = asyncio.run(_why_no_users(side.place.name_server))
        result.ours |= {step: ours.run(step) for step in REFUSED_HERE}
    return result
