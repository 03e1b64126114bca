"""What the SDK's producer does when servers are slow, busy, old, gone or come back."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from zlib import crc32

import pytest
from tests.support.broker_process import broker_process
from tests.support.cutting_proxy import CuttingProxy
from tests.support.local_cluster import name_server
from tests.support.scripted_broker import ScriptedBroker, scripted_broker
from tests.support.sdk_cluster import SdkCluster, sdk_cluster
from tests.support.waiting import until

import pocketmq
from pocketmq import errors
from pocketmq.message.record import CRC_MASK, MAGIC_V1, write_record_plain
from pocketmq.protocol.codes import RequestCode
from pocketmq.protocol.command import Command

TOPIC = "orders"


@pytest.fixture
async def names(tmp_path: Path) -> AsyncIterator[SdkCluster]:
    """A name server without brokers."""
    async with name_server() as server:
        cluster = SdkCluster(server, tmp_path, None)
        yield cluster
        await cluster.stop()


@pytest.fixture
async def scripted(names: SdkCluster) -> AsyncIterator[ScriptedBroker]:
    """A scripted broker that the name server knows as broker-s."""
    async with scripted_broker() as broker:
        await names.register("broker-s", broker.address, TOPIC)
        yield broker


# -- refusals -------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", [1, 2, 14, 16, 17, 204, 205, 1500])
async def test_what_may_pass_is_tried_again(
    names: SdkCluster, scripted: ScriptedBroker, code: int
) -> None:
    scripted.will_answer(code, code)
    async with pocketmq.Producer(names.address) as producer:
        receipt = await producer.send(TOPIC, b"x")
    assert receipt.queue_offset == 5
    assert len(scripted.sends) == 3
    keys = {command.fields["i"].split("\x01")[1].split("\x02")[0] for command in scripted.sends}
    assert keys == {receipt.message_id}, "all attempts carry one unique key"


async def test_what_fails_each_time_is_told_attempt_by_attempt(
    names: SdkCluster, scripted: ScriptedBroker
) -> None:
    scripted.will_answer(2, 1, 2)
    async with pocketmq.Producer(names.address) as producer:
        with pytest.raises(errors.SendFailed, match="failed after 3 attempts") as raised:
            await producer.send(TOPIC, b"x")
    assert [name for name, _ in raised.value.attempts] == ["broker-s"] * 3
    said = str(raised.value)
    assert said.count("SYSTEM_BUSY (2): scripted (2 times)") == 1, "what is the same is told once"
    assert said.count("SYSTEM_ERROR (1): scripted") == 1
    assert scripted.address in said


async def test_what_will_not_pass_is_not_tried_again(
    names: SdkCluster, scripted: ScriptedBroker
) -> None:
    scripted.will_answer(13)
    async with pocketmq.Producer(names.address) as producer:
        with pytest.raises(errors.SendFailed, match=r"one attempt .* MESSAGE_ILLEGAL \(13\)"):
            await producer.send(TOPIC, b"x")
        producer.send_soon(TOPIC, b"y")
        await producer.flush()
    assert len(scripted.sends) == 2


@pytest.mark.parametrize(
    ("code", "status"),
    [
        (10, pocketmq.SendStatus.FLUSH_DISK_TIMEOUT),
        (11, pocketmq.SendStatus.REPLICA_NOT_AVAILABLE),
        (12, pocketmq.SendStatus.FLUSH_REPLICA_TIMEOUT),
    ],
)
async def test_stored_but_not_yet_safe_is_a_status_or_on_request_a_reason_to_try_again(
    names: SdkCluster, scripted: ScriptedBroker, code: int, status: pocketmq.SendStatus
) -> None:
    scripted.will_answer(code)
    async with pocketmq.Producer(names.address) as producer:
        assert (await producer.send(TOPIC, b"x")).status is status
    scripted.will_answer(code)
    options = pocketmq.ProducerOptions(retry_unless_safe=True)
    async with pocketmq.Producer(names.address, options=options) as producer:
        assert (await producer.send(TOPIC, b"x")).status is pocketmq.SendStatus.OK
    assert len(scripted.sends) == 3


async def test_an_old_broker_is_not_sent_what_it_would_not_delay(
    names: SdkCluster, scripted: ScriptedBroker
) -> None:
    scripted.version = 409  # 4.9.8
    async with pocketmq.Producer(names.address) as producer:
        with pytest.raises(errors.FeatureUnavailable, match="use delay_level="):
            await producer.send(TOPIC, b"x", delay=60)
        assert not scripted.sends
        await producer.send(TOPIC, b"x", delay_level=3)
    assert "DELAY\x013\x02" in scripted.sends[0].fields["i"]


# -- silence --------------------------------------------------------------------------------------


async def test_a_timeout_says_which_broker_and_which_step(
    names: SdkCluster, scripted: ScriptedBroker
) -> None:
    scripted.answers.append(lambda command: None)
    options = pocketmq.ProducerOptions(send_timeout_ms=100)
    async with pocketmq.Producer(names.address, options=options) as producer:
        with pytest.raises(errors.SendTimeout) as raised:
            await producer.send(TOPIC, b"x")
        assert f"{scripted.address} did not answer the send to queue" in str(raised.value)
        assert "of orders on broker-s" in str(raised.value)
        assert "did not answer" in producer.instance.calls.last_errors[scripted.address]
        await producer.send(TOPIC, b"the connection is still good")
        assert producer.in_flight == 0


async def test_an_answer_that_waits_while_the_loop_is_blocked_is_no_timeout(
    names: SdkCluster, tmp_path: Path
) -> None:
    options = pocketmq.ProducerOptions(send_timeout_ms=300)
    async with (
        broker_process(tmp_path / "own", namesrvAddr=names.address),
        pocketmq.Producer(names.address, options=options) as producer,
    ):
        await until(lambda: names.names.routes.route("TBW102"))
        await producer.send(TOPIC, b"connect")
        await until(lambda: not any(c.under_way for c in producer.instance.rpc.connections()))
        sends = [asyncio.ensure_future(producer.send(TOPIC, b"%d" % n)) for n in range(50)]
        # Right behind the sends, so that most of their bytes have not left yet.
        asyncio.get_running_loop().call_soon(block_the_loop, 0.6)
        receipts = await asyncio.gather(*sends)
    assert {receipt.status for receipt in receipts} == {pocketmq.SendStatus.OK}


def block_the_loop(seconds: float) -> None:
    """Do what a handler must not do."""
    time.sleep(seconds)


async def test_sends_beyond_the_bound_wait_for_room(
    names: SdkCluster, scripted: ScriptedBroker
) -> None:
    options = pocketmq.ProducerOptions(in_flight_max=4, send_timeout_ms=300)
    async with (
        CuttingProxy(scripted.server.port) as proxy,
        pocketmq.Producer(names.address, options=options) as producer,
    ):
        await names.register("broker-s", proxy.address, TOPIC)
        await producer.send(TOPIC, b"connect")
        proxy.stall()
        sends = [asyncio.ensure_future(producer.send(TOPIC, b"%d" % n)) for n in range(8)]
        await until(lambda: producer.in_flight == 4)
        with pytest.raises(errors.TooManyInFlight, match="to wait for room"):
            producer.send_soon(TOPIC, b"too many")
        proxy.flow()
        await asyncio.gather(*sends)
        for number in range(100):
            await producer.send_soon(TOPIC, b"%d" % number)
            assert producer.in_flight <= 4
        proxy.stall()
        waiting = [asyncio.ensure_future(producer.send(TOPIC, b"late")) for _ in range(6)]
        results = await asyncio.gather(*waiting, return_exceptions=True)
        assert all(isinstance(result, errors.SendTimeout) for result in results)
        assert producer.in_flight == 0
        proxy.flow()
    assert len(scripted.sends) >= 109


async def test_a_cancelled_send_leaves_nothing_behind(
    names: SdkCluster, scripted: ScriptedBroker
) -> None:
    async with pocketmq.Producer(names.address) as producer:
        await producer.send(TOPIC, b"y")
        scripted.answers.append(lambda command: None)
        sending = asyncio.ensure_future(producer.send(TOPIC, b"x"))
        await until(lambda: len(scripted.sends) == 2)
        sending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sending
        assert producer.in_flight == 0


# -- brokers that go and come back ----------------------------------------------------------------


async def test_sends_go_on_while_a_broker_restarts(tmp_path: Path) -> None:
    options = pocketmq.ProducerOptions(send_timeout_ms=8000)
    async with (
        sdk_cluster(tmp_path) as cluster,
        pocketmq.Producer(cluster.address, group="g", options=options) as producer,
    ):
        acknowledged: list[bytes] = []
        stopping = asyncio.Event()

        async def send_on(name: int) -> None:
            number = 0
            while not stopping.is_set():
                body = b"%d-%d" % (name, number)
                await producer.send(TOPIC, body)
                acknowledged.append(body)
                number += 1
                await asyncio.sleep(0.002)

        tasks = [asyncio.ensure_future(send_on(name)) for name in range(4)]
        await until(lambda: len(acknowledged) > 50)
        await cluster.stop_broker("broker-a")
        await cluster.start_broker("broker-a")
        count = len(acknowledged)
        await until(lambda: len(acknowledged) > count + 50)
        stopping.set()
        await asyncio.gather(*tasks)
        stored = Counter(await cluster.bodies(TOPIC))
        assert not [body for body in acknowledged if body not in stored]
        # The broker is told again who we are, without waiting for the next heartbeat's turn.
        clients = cluster.brokers["broker-a"].running.tables.clients
        await until(lambda: clients.producers("g"))


async def test_an_idle_producer_is_known_again_after_a_restart(tmp_path: Path) -> None:
    async with (
        sdk_cluster(tmp_path) as cluster,
        pocketmq.Producer(cluster.address, group="g") as producer,
    ):
        await producer.send(TOPIC, b"x")
        await cluster.stop_broker("broker-a")
        await cluster.start_broker("broker-a")
        clients = cluster.brokers["broker-a"].running.tables.clients
        await until(lambda: clients.producers("g"))
        assert len(clients.producers("g")) == 1


async def test_another_broker_takes_over_when_one_is_killed(
    names: SdkCluster, tmp_path: Path
) -> None:
    registered = {"namesrvAddr": names.address, "flushDiskType": "ASYNC_FLUSH"}
    async with broker_process(tmp_path / "killed", brokerName="broker-k", **registered) as killed:
        await names.start_broker("broker-a")
        routes = names.names.routes
        await until(lambda: len((routes.route("TBW102") or EMPTY).broker_datas) == 2)
        async with pocketmq.Producer(names.address) as producer:
            await asyncio.gather(*(producer.send(TOPIC, b"%d" % n) for n in range(16)))
            brokers = {queue.broker_name for queue in await producer.queues(TOPIC)}
            assert brokers == {"broker-a", "broker-k"}
            sending = [
                asyncio.ensure_future(producer.send(TOPIC, b"after %d" % n)) for n in range(200)
            ]
            killed.kill()
            receipts = await asyncio.gather(*sending)
            moved = [r for r in receipts if r.broker_name == "broker-a"]
            stored = Counter(await names.bodies(TOPIC))
            for receipt, number in zip(receipts, range(200), strict=True):
                if receipt.broker_name == "broker-a":
                    assert stored[b"after %d" % number] >= 1
            assert len(moved) >= 100
            began = time.monotonic()
            for _ in range(20):
                assert (await producer.send(TOPIC, b"x")).broker_name == "broker-a"
            assert time.monotonic() - began < 2, "the dead broker is left alone"


class EMPTY:
    """A route without brokers."""

    broker_datas: tuple[object, ...] = ()


async def test_messages_with_a_key_wait_for_their_broker(tmp_path: Path) -> None:
    options = pocketmq.ProducerOptions(send_timeout_ms=8000)
    async with (
        sdk_cluster(tmp_path, "broker-a", "broker-b") as cluster,
        pocketmq.Producer(cluster.address, options=options) as producer,
    ):
        cluster.create_topic(TOPIC)
        await until(lambda: len((cluster.names.routes.route(TOPIC) or EMPTY).broker_datas) == 2)
        first = await producer.send(TOPIC, b"0", order_by="k")
        await cluster.stop_broker(first.broker_name)
        sending = asyncio.ensure_future(producer.send(TOPIC, b"1", order_by="k"))
        await asyncio.wait([sending], timeout=0.2)
        await cluster.start_broker(first.broker_name)
        second = await sending
        assert second.queue == first.queue
        assert second.queue_offset == first.queue_offset + 1


async def test_a_slow_broker_is_left_alone_when_asked_for(names: SdkCluster) -> None:
    options = pocketmq.ProducerOptions(avoid_slow_brokers=True)
    async with scripted_broker() as slow, scripted_broker() as fast:
        await names.register("broker-fast", fast.address, TOPIC)
        await names.register("broker-slow", slow.address, TOPIC)
        async with (
            CuttingProxy(slow.server.port) as proxy,
            pocketmq.Producer(names.address, options=options) as producer,
        ):
            await names.register("broker-slow", proxy.address, TOPIC)
            await producer.send(TOPIC, b"x", queue=_queue("broker-slow"))
            proxy.stall()
            sending = asyncio.ensure_future(producer.send(TOPIC, b"x", queue=_queue("broker-slow")))
            await asyncio.wait([sending], timeout=0.6)
            proxy.flow()
            await sending
            count = len(slow.sends)
            for _ in range(8):
                await producer.send(TOPIC, b"x")
            assert len(slow.sends) == count
            assert len(fast.sends) == 8


def _queue(broker_name: str) -> pocketmq.MessageQueue:
    return pocketmq.MessageQueue(TOPIC, broker_name, 0)


# -- name servers ---------------------------------------------------------------------------------


async def test_another_name_server_is_asked_when_one_is_down(tmp_path: Path) -> None:
    async with sdk_cluster(tmp_path) as cluster:
        servers = ["127.0.0.1:1", cluster.address]
        async with pocketmq.Producer(servers) as producer:
            await producer.send(TOPIC, b"x")
        assert await cluster.bodies(TOPIC) == [b"x"]


async def test_name_servers_that_are_all_down_are_named() -> None:
    async with pocketmq.Producer("127.0.0.1:1;127.0.0.1:2") as producer:
        with pytest.raises(errors.NameServersUnreachable, match=r"127\.0\.0\.1:2.*check that"):
            await producer.send(TOPIC, b"x")


async def test_known_routes_outlive_the_name_server(names: SdkCluster) -> None:
    async with scripted_broker() as broker:
        await names.register("broker-s", broker.address, TOPIC)
        async with (
            CuttingProxy(names.names.port) as proxy,
            pocketmq.Producer(proxy.address) as producer,
        ):
            await producer.send(TOPIC, b"x")
            proxy.refusing = True
            proxy.cut()
            await producer.send(TOPIC, b"y")
    assert len(broker.sends) == 2


async def test_a_topic_whose_broker_has_gone_for_good_is_told(names: SdkCluster) -> None:
    options = pocketmq.ProducerOptions(send_timeout_ms=300)
    async with pocketmq.Producer(names.address, options=options) as producer:
        async with scripted_broker() as broker:
            await names.register("broker-s", broker.address, TOPIC)
            await producer.send(TOPIC, b"x")
        with pytest.raises(errors.SendTimeout, match="broker-s: cannot connect to"):
            await producer.send(TOPIC, b"x")


# -- transactions on bad days ---------------------------------------------------------------------


async def test_a_half_message_that_is_not_safe_is_rolled_back_and_reported(
    names: SdkCluster, scripted: ScriptedBroker
) -> None:
    scripted.will_answer(10)
    async with pocketmq.Producer(names.address) as producer:
        with pytest.raises(errors.SendFailed, match="half message: FLUSH_DISK_TIMEOUT"):
            async with producer.transaction(TOPIC, b"x"):
                raise AssertionError("the body does not run")
    ends = [c for c in scripted.others if c.code == RequestCode.END_TRANSACTION]
    assert [command.fields["commitOrRollback"] for command in ends] == ["12"]


async def test_a_commit_that_the_broker_refuses_is_told(
    names: SdkCluster, scripted: ScriptedBroker
) -> None:
    scripted.other_codes[RequestCode.END_TRANSACTION] = 1
    async with pocketmq.Producer(names.address) as producer:
        with pytest.raises(errors.BrokerRefused, match="the commit of transaction"):
            async with producer.transaction(TOPIC, b"x"):
                pass


async def test_a_commit_that_nobody_hears_is_left_to_the_check(names: SdkCluster) -> None:
    async with pocketmq.Producer(names.address) as producer:
        async with scripted_broker() as broker:
            await names.register("broker-s", broker.address, TOPIC)
            transaction = await producer.transaction(TOPIC, b"x").__aenter__()
        await transaction.commit()
        assert transaction.outcome == "commit"


async def test_a_check_for_a_producer_without_one_is_left_open(
    names: SdkCluster, scripted: ScriptedBroker, caplog: pytest.LogCaptureFixture
) -> None:
    async with pocketmq.Producer(names.address, group="g") as producer:
        await producer.send(TOPIC, b"x")
        await until(lambda: any(c.code == RequestCode.HEART_BEAT for c in scripted.others))
        record = bytearray(4096)
        properties = b"PGROUP\x01g\x02UNIQ_KEY\x01k\x02"
        size = write_record_plain(
            record, 0, 4096, 0, 0, 0, MAGIC_V1, 0, 0, 4, 0, bytes(8), bytes(8), 0, 0,
            b"body", crc32(b"body") & CRC_MASK, TOPIC.encode(), properties,
        )  # fmt: skip
        fields = {"tranStateTableOffset": "1", "commitLogOffset": "2"}
        for connection in scripted.connections:
            connection.notify(Command.request(39, dict(fields), bytes(record[:size])))
        await until(lambda: "has no check" in caplog.text)


# -- congestion -----------------------------------------------------------------------------------


async def test_a_broker_that_does_not_read_slows_the_producer_down(
    names: SdkCluster, scripted: ScriptedBroker
) -> None:
    options = pocketmq.ProducerOptions(compression="none", send_timeout_ms=15_000)
    async with (
        CuttingProxy(scripted.server.port) as proxy,
        pocketmq.Producer(names.address, options=options) as producer,
    ):
        await names.register("broker-s", proxy.address, TOPIC)
        await producer.send(TOPIC, b"x")
        (connection,) = [c for c in producer.instance.rpc.connections() if c.name == proxy.address]
        proxy.stall()
        body = bytes(1_000_000)
        first = [asyncio.ensure_future(producer.send(TOPIC, body)) for _ in range(12)]
        await until(lambda: connection.is_congested)
        count = connection.under_way
        later = [asyncio.ensure_future(producer.send(TOPIC, body)) for _ in range(12)]
        await asyncio.wait(later, timeout=0.05)
        assert connection.under_way == count, "nothing more is written to it"
        proxy.flow()
        await asyncio.gather(*first, *later)
    assert len(scripted.sends) == 25
