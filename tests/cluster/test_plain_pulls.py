"""The leaf that answers the pulls of a turn does what `PullHandler` does, byte for byte."""

from __future__ import annotations

import socket
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from tests.support.kept_transport import KeptTransport
from tests.support.local_broker import Peer, broker_config, connected, local_broker

from pocketmq import _speedups
from pocketmq.broker.app import BrokerApp
from pocketmq.broker.config import PullConfig
from pocketmq.net import Address, Connection
from pocketmq.net.connection import Service
from pocketmq.protocol.bodies.topic_config import TopicConfig
from pocketmq.protocol.codes import RequestCode
from pocketmq.protocol.command import Command
from pocketmq.protocol.framing import encode_frame, parse_frames
from pocketmq.store.config import LogConfig, QueueConfig, ReadConfig
from pocketmq.store.consume_queue import ENTRY_BYTES

if _speedups.has("arrivals") or TYPE_CHECKING:
    from pocketmq._speedups.arrivals import Arrivals, Seat

pytestmark = pytest.mark.skipif(
    not _speedups.has("pull_lanes"), reason="the leaf `pull_lanes` is not compiled, or not wanted"
)

MESSAGES = 40
BODIES = (b"a", b"x" * 100, b"y" * 3000)
SOCKET_BYTES = 4 << 20

_pull = st.fixed_dictionaries(
    {
        "code": st.sampled_from((11, 11, 11, 361)),
        "serialization": st.integers(0, 1),
        "flag": st.sampled_from((0, 0, 0, 0, 0, 2)),
        "group": st.sampled_from(("readers", "readers", "others", 'quo"ted', "")),
        "topic": st.sampled_from(("T", "T", "T", "unknown")),
        "queue": st.sampled_from((0, 0, 1, 2, 9)),
        "offset": st.integers(-1, MESSAGES + 1),
        "count": st.sampled_from((32, 32, 1, 0, 1000)),
        "sys_flag": st.sampled_from((4, 4, 5, 5, 20, 0)),
        "commit": st.integers(0, MESSAGES),
        "wanted": st.sampled_from(
            (("*", None), ("t0", "TAG"), ("t0 || t1", "TAG"), ("t7", "TAG"), ("n > 10", "SQL92"),
             ("n > 10 AND", "SQL92"), ("n BETWEEN 3 AND 30 OR n IS NULL", "SQL92"), (None, None))
        ),
        "extra": st.sampled_from(({}, {}, {}, {"ns": "n"}, {"unknown": "field"})),
    }
)  # fmt: skip

PLAIN: dict[str, Any] = {
    "code": 11, "serialization": 0, "flag": 0, "group": "readers", "topic": "T", "queue": 0,
    "offset": 0, "count": 32, "sys_flag": 4, "commit": 0, "wanted": ("*", None), "extra": {},
}  # fmt: skip


def frame(opaque: int, pull: dict[str, Any]) -> bytes:
    """One request that is not to be held."""
    expression, kind = pull["wanted"]
    fields = {
        "consumerGroup": pull["group"],
        "topic": pull["topic"],
        "queueId": str(pull["queue"]),
        "queueOffset": str(pull["offset"]),
        "maxMsgNums": str(pull["count"]),
        "sysFlag": str(pull["sys_flag"]),
        "commitOffset": str(pull["commit"]),
        "suspendTimeoutMillis": "0",
        "subVersion": "3",
        **({} if expression is None else {"subscription": expression}),
        **({} if kind is None else {"expressionType": kind}),
        **pull["extra"],
    }
    return encode_frame(
        Command(
            pull["code"],
            opaque=opaque,
            flag=pull["flag"],
            fields=fields,
            serialization=pull["serialization"],
        )
    )


class Owner:
    """Whoever has a seat, and the other end of its socket."""

    def __init__(self, descriptor: int, far: socket.socket) -> None:
        self.far = far
        self.kept: list[bytes] = []
        self.seat = Seat(self, descriptor, self.kept, b"12345678")
        self.seat.active = False

    def received(self) -> bytes:
        """All that came."""
        found = b""
        while True:
            try:
                found += self.far.recv(SOCKET_BYTES)
            except BlockingIOError:
                return found


@contextmanager
def owners(count: int, socket_bytes: int = SOCKET_BYTES) -> Iterator[list[Owner]]:
    pairs = [socket.socketpair() for _ in range(count)]
    try:
        for near, far in pairs:
            near.setblocking(False)
            far.setblocking(False)
            near.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, socket_bytes)
        yield [Owner(near.fileno(), far) for near, far in pairs]
    finally:
        for pair in pairs:
            for end in pair:
                end.close()


@dataclass
class Stage:
    """A broker with messages, and two ways to pull from it."""

    app: BrokerApp

    @property
    def service(self) -> Service:
        return self.app.running.server._service

    def handled(self, request: bytes) -> bytes:
        """What `PullHandler` answers."""
        connection = Connection(self.service, self.app.running.config.listen)
        connection.set_addresses(Address("10.1.2.3", 4567), Address("127.0.0.1", 1))
        transport = KeptTransport()
        connection.connection_made(transport)  # type: ignore[arg-type]
        connection.data_received(request)
        connection.connection_lost(None)
        return transport.written

    def turn(self, reads: list[tuple[Owner, bytes]]) -> list[Any]:
        """What the turn leaves of these reads."""
        assert self.service.take_turn is not None
        arrivals: Arrivals[Any] = Arrivals()
        for owner, data in reads:
            arrivals.add(owner.seat, data)
        self.service.take_turn(arrivals)
        return arrivals.finish()

    def answered_alike(self, owner: Owner, request: bytes) -> bytes:
        """What both ways answer to a pull, once the handler has seen one of its kind."""
        self.handled(request)
        wanted = self.handled(request)
        assert self.turn([(owner, request)]) == []
        assert owner.received() == wanted
        return wanted

    def told(self) -> tuple[object, ...]:
        """What the broker knows of groups and figures afterwards."""
        tables = self.app.running.tables
        pairs = [(group, "T") for group in ("readers", "others", 'quo"ted', "")]
        return (
            [dict(tables.offsets.of(*pair)) for pair in pairs],
            [dict(tables.offsets.pulled_of(*pair)) for pair in pairs],
            [
                (name, counter.messages, counter.bytes)
                for name, counter in sorted(tables.statistics._pairs.items())
                if counter.messages
            ],
            tables.statistics._found,
        )

    def forget(self) -> None:
        """Forget what `told` tells; lanes stay open, so what they hold is emptied."""
        tables = self.app.running.tables
        tables.offsets._committed.clear()
        for places in tables.offsets._pulled.values():
            places.clear()
        for counter in tables.statistics._pairs.values():
            counter.messages = counter.bytes = 0
        tables.statistics._found = 0


@asynccontextmanager
async def staged(
    directory: Path, small_files: bool = False, **reading: int
) -> AsyncIterator[Stage]:
    store = replace(broker_config(directory).store, reading=replace(ReadConfig(), **reading))
    if small_files:
        store = replace(
            store,
            log=LogConfig(file_bytes=16 * 1024, warm_up=False),
            queues=QueueConfig(file_bytes=10 * ENTRY_BYTES),
        )
    groups: dict[str, Any] = {"store": store, "pull": PullConfig(property_filter=True)}
    async with local_broker(directory, **groups) as app, connected(app, "client") as (peer,):
        app.running.tables.topics.put(TopicConfig("T", 3, 3))
        for number in range(MESSAGES):
            for queue_id in (0, 1):
                await send(peer, number, queue_id)
        yield Stage(app)


async def send(peer: Peer, number: int, queue_id: int) -> None:
    properties = f"TAGS\x01t{number % 3}\x02"
    if number % 4:
        properties += f"n\x01{number}\x02"
    answer = await peer.send("T", BODIES[number % 3], queue_id, properties)
    assert answer.code == 0, answer.remark


def is_plain(pull: dict[str, Any], answer: bytes) -> bool:
    """Whether a lane has to give this answer, once it is open."""
    if pull["sys_flag"] & 4 == 0 or pull["group"] not in ("readers", "others"):
        return False
    if "ns" in pull["extra"] or len(pull["wanted"][0] or "") > 10:
        return False
    return code_of(answer) == 0


def code_of(answer: bytes) -> int | None:
    """The response code of an answer, if it is one."""
    frames, _ = parse_frames(answer)
    return frames[0][0] if frames else None


@pytest.mark.timeout(120)
@settings(max_examples=60, deadline=None, phases=(Phase.explicit, Phase.reuse, Phase.generate))
@given(pulls=st.lists(_pull, min_size=1, max_size=20), together=st.integers(1, 4))
async def test_the_leaf_and_the_handler_answer_and_note_the_same(
    pulls: list[dict[str, Any]], together: int
) -> None:
    requests = [frame(opaque, pull) for opaque, pull in enumerate(pulls)]
    with tempfile.TemporaryDirectory() as directory:
        async with staged(Path(directory)) as stage:
            # The first round makes groups, the second asks the gate, the third opens lanes.
            for _ in range(2):
                wanted = [stage.handled(request) for request in requests]
            stage.forget()
            assert [stage.handled(request) for request in requests] == wanted
            stage.forget()
            served: list[int] = []
            with owners(together) as ends:
                for start in range(0, len(requests), together):
                    part = list(zip(ends, requests[start:][:together], strict=False))
                    left = {id(owner): (rest, said) for owner, rest, said in stage.turn(part)}
                    odd: list[int] = []
                    for number, (owner, request) in enumerate(part, start):
                        rest, said = left.get(id(owner), (None, b""))
                        assert said == b""
                        if rest is None:
                            assert owner.seat.active
                            assert owner.received() == wanted[number]
                            assert code_of(wanted[number]) == 0
                            served.append(number)
                        else:
                            assert rest == request
                            assert not is_plain(pulls[number], wanted[number]), pulls[number]
                            odd.append(number)
                    # What the leaf leaves of a turn is served after all that it takes.
                    assert [stage.handled(requests[number]) for number in odd] == [
                        wanted[number] for number in odd
                    ]
                    served += odd
            noted = stage.told()
            stage.forget()
            for number in served:
                stage.handled(requests[number])
            assert stage.told() == noted


async def test_pulls_of_one_read_go_out_in_order_and_the_rest_is_left(tmp_path: Path) -> None:
    requests = [frame(number, {**PLAIN, "offset": number}) for number in range(5)]
    odd = frame(9, {**PLAIN, "offset": MESSAGES})
    async with staged(tmp_path) as stage:
        wanted = b"".join(map(stage.handled, requests))
        with owners(1) as (owner,):
            read = b"".join([*requests, odd, requests[0]])
            assert stage.turn([(owner, read)]) == [(owner, odd + requests[0], b"")]
            assert owner.received() == wanted
            cut = requests[0] + requests[1][:-1]
            assert stage.turn([(owner, cut)]) == [(owner, requests[1][:-1], b"")]
            assert owner.received() == stage.handled(requests[0])


async def test_what_a_full_socket_does_not_take_is_kept_for_it(tmp_path: Path) -> None:
    request = frame(7, {**PLAIN, "serialization": 1})
    async with staged(tmp_path) as stage:
        stage.handled(request)
        wanted = stage.handled(request)
        with owners(1, socket_bytes=4096) as (owner,):
            ((left, rest, unsent),) = stage.turn([(owner, request * 3)])
            received = owner.received()
            done = received + unsent
            assert left is owner
            assert unsent
            assert done + b"".join([wanted] * (len(rest or b"") // len(request))) == wanted * 3
            owner.kept.append(unsent)
            assert stage.turn([(owner, request)]) == [(owner, request, b"")], "it waits its turn"


async def test_lanes_close_when_a_group_or_a_topic_changes(tmp_path: Path) -> None:
    request = frame(1, PLAIN)
    async with staged(tmp_path) as stage:
        tables = stage.app.running.tables
        stage.handled(request)
        stage.handled(request)
        with owners(1) as (owner,):
            assert stage.turn([(owner, request)]) == []
            found = tables.groups.find("readers")
            assert found is not None
            tables.groups.put(replace(found, consume_enable=False))
            assert stage.turn([(owner, request)]) == [(owner, request, b"")]
            assert parse_frames(stage.handled(request))[0][0][0] == 16
            tables.groups.put(replace(found, consume_enable=True))
            stage.handled(request)
            stage.handled(request)
            assert stage.turn([(owner, request)]) == [], "open again"
            tables.topics.put(TopicConfig("T", 3, 3, perm=2))
            assert stage.turn([(owner, request)]) == [(owner, request, b"")]
            tables.topics.put(TopicConfig("T", 3, 3))
            stage.handled(request)
            tables.offsets.reset("readers", "T", 0, 5)
            assert stage.turn([(owner, request)]) == [(owner, request, b"")], "a reset waits"


@pytest.mark.parametrize(
    ("code", "fields"),
    [
        (RequestCode.DELETE_SUBSCRIPTIONGROUP, {"groupName": "readers", "cleanOffset": "true"}),
        (RequestCode.DELETE_SUBSCRIPTIONGROUP, {"groupName": "readers"}),
        (RequestCode.DELETE_TOPIC_IN_BROKER, {"topic": "T"}),
    ],
)
async def test_what_is_noted_after_a_deletion_is_not_lost(
    tmp_path: Path, code: int, fields: dict[str, str]
) -> None:
    request = frame(1, {**PLAIN, "offset": 2, "count": 3})
    async with staged(tmp_path) as stage, connected(stage.app, "operator") as (peer,):
        tables = stage.app.running.tables
        with owners(1) as (owner,):
            for _ in range(2):
                stage.handled(request)
                stage.handled(request)
                assert stage.turn([(owner, request)]) == []
                assert (await peer.call(code, fields)).code == 0
                assert tables.statistics.figures("GROUP_GET_NUMS", "T@readers") is None
                assert stage.turn([(owner, request)]) == [(owner, request, b"")]
                if tables.topics.find("T") is None:
                    tables.topics.put(TopicConfig("T", 3, 3))
                    for number in range(MESSAGES):
                        await send(peer, number, 0)
                    stage.app.running.dispatch.drain()
            stage.handled(request)
            stage.handled(request)
            owner.received()
            assert stage.turn([(owner, request)]) == []
            assert owner.received() == stage.handled(request)
            assert tables.offsets.pulled("readers", "T", 0) == 5
            counted = tables.statistics.figures("GROUP_GET_NUMS", "T@readers")
            assert counted is not None
            assert counted.stats_minute.sum == 12


async def test_a_lane_finds_its_files_again_once_they_were_unmapped(tmp_path: Path) -> None:
    requests = [frame(number, {**PLAIN, "offset": number}) for number in range(3)]
    async with staged(tmp_path) as stage:
        store = stage.app.running.store
        with owners(1) as (owner,):
            for request in requests:
                wanted = stage.answered_alike(owner, request)
                place = store.reader.place("T", 0, 0)
                assert place is not None
                _, entries, log = place
                entries.release()
                assert stage.turn([(owner, request)]) == []
                assert owner.received() == wanted
                assert entries.data is not None, "it was mapped again"
                log.release()
                assert stage.turn([(owner, request)]) == []
                assert owner.received() == wanted


async def test_a_lane_follows_its_queue_from_file_to_file(tmp_path: Path) -> None:
    async with staged(tmp_path, small_files=True) as stage:
        with owners(1) as (owner,):
            for number in range(MESSAGES):
                request = frame(number, {**PLAIN, "offset": number, "count": 1})
                wanted = stage.handled(request)
                left = stage.turn([(owner, request)])
                assert left == ([] if number else [(owner, request, b"")])
                assert owner.received() == (wanted if number else b"")


async def test_a_lane_knows_of_messages_that_were_deleted_or_hidden(tmp_path: Path) -> None:
    early, late = (frame(n, {**PLAIN, "offset": n, "count": 1}) for n in (0, MESSAGES - 1))
    async with staged(tmp_path, small_files=True) as stage:
        store = stage.app.running.store
        for request in (early, late):
            stage.handled(request)
            stage.handled(request)
        with owners(1) as (owner,):
            assert stage.turn([(owner, early)]) == []
            owner.received()
            store.flush_log()
            far = stage.app.running.clock.now_ms() + 1000 * 24 * 3600 * 1000
            assert store.retain(far, at_once=True).log_files > 0
            assert stage.turn([(owner, early)]) == [(owner, early, b"")]
            assert store.queue_offsets("T", 0)[0] > 0
            for _ in range(2):
                assert stage.turn([(owner, late)]) == []
                assert owner.received() == stage.handled(late), "with the new first offset"
            store.hide_before("T", 0, MESSAGES)
            assert stage.turn([(owner, late)]) == [(owner, late, b"")]


async def test_old_records_are_bounded_as_in_the_handler(tmp_path: Path) -> None:
    requests = [frame(number, {**PLAIN, "offset": number}) for number in range(0, 40, 7)]
    async with staged(tmp_path, memory_ratio_percent=0, count_on_disk_max=3, hot_bytes=1) as stage:
        with owners(1) as (owner,):
            for request in requests:
                stage.answered_alike(owner, request)
