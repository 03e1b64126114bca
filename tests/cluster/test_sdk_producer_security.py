"""The SDK's producer signs what it asks, and encrypts the way, without telling secrets."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from tests.support.certificates import self_signed
from tests.support.local_cluster import name_server
from tests.support.scripted_broker import ScriptedBroker, scripted_broker
from tests.support.sdk_cluster import SdkCluster

import pocketmq
from pocketmq import errors
from pocketmq.nameserver.config import NameServerConfig
from pocketmq.net import ListenConfig
from pocketmq.protocol.codes import RequestCode
from pocketmq.protocol.command import Command
from pocketmq.security import verify

SECRET = "hush-hush-hush"
TOPIC = "orders"


@pytest.fixture
async def names(tmp_path: Path) -> AsyncIterator[SdkCluster]:
    async with name_server() as server:
        cluster = SdkCluster(server, tmp_path, None)
        yield cluster
        await cluster.stop()


@pytest.fixture
async def scripted(names: SdkCluster) -> AsyncIterator[ScriptedBroker]:
    async with scripted_broker() as broker:
        await names.register("broker-s", broker.address, TOPIC)
        yield broker


def is_signed(command: Command) -> bool:
    return verify(command.fields, bytes(command.body), SECRET, version=command.version)


async def test_every_request_to_a_broker_is_signed(
    names: SdkCluster, scripted: ScriptedBroker
) -> None:
    credentials = pocketmq.Credentials("alice", SECRET, "token")
    async with pocketmq.Producer(names.address, credentials=credentials) as producer:
        await producer.send(TOPIC, b"1", tag="t")
        await producer.send(TOPIC, b"2" * 10_000, order_by="k", properties={"a": "ü"})
        await producer.send_batch(TOPIC, [b"3", b"4"])
        await producer.send_soon(TOPIC, b"5")
        await producer.send_oneway(TOPIC, b"6")
        async with producer.transaction(TOPIC, b"7"):
            pass
        await producer.flush()
    assert len(scripted.sends) == 6
    assert {command.code for command in scripted.others} >= {
        RequestCode.HEART_BEAT,
        RequestCode.END_TRANSACTION,
        RequestCode.UNREGISTER_CLIENT,
    }
    for command in (*scripted.sends, *scripted.others):
        assert is_signed(command), command
        assert command.fields["AccessKey"] == "alice"
        assert command.fields["SecurityToken"] == "token"


async def test_no_secret_appears_in_logs_errors_or_reprs(
    names: SdkCluster, scripted: ScriptedBroker, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    credentials = pocketmq.Credentials("alice", SECRET)
    scripted.will_answer(13)
    async with pocketmq.Producer(names.address, credentials=credentials) as producer:
        shown = [repr(producer), repr(producer.instance.config)]
        with pytest.raises(errors.SendFailed) as raised:
            await producer.send(TOPIC, b"x")
        await producer.send(TOPIC, b"x")
        shown.append(str(raised.value))
        shown.append(await producer.explain())
    assert SECRET not in "".join(shown) + caplog.text


@pytest.fixture(scope="module")
def listen(tmp_path_factory: pytest.TempPathFactory) -> ListenConfig:
    """A server with a certificate of its own."""
    directory = self_signed(tmp_path_factory.mktemp("tls"), name="cluster")
    return ListenConfig(
        tls_certificate=str(directory / "cert.pem"), tls_key=str(directory / "key.pem")
    )


async def test_a_producer_speaks_tls_with_name_servers_and_brokers(
    tmp_path: Path, listen: ListenConfig
) -> None:
    trusting = pocketmq.TlsConfig(authorities=listen.tls_certificate)
    async with (
        name_server(NameServerConfig(listen=listen)) as server,
        scripted_broker(replace(listen, tls_mode="enforcing")) as broker,
    ):
        cluster = SdkCluster(server, tmp_path, None)
        await cluster.register("broker-s", broker.address, TOPIC)
        async with pocketmq.Producer(cluster.address, tls=trusting) as producer:
            bodies = [b"%d" % number * 1000 for number in range(200)]
            await asyncio.gather(*(producer.send(TOPIC, body) for body in bodies))
        assert len(broker.sends) == 200
        async with pocketmq.Producer(cluster.address, tls=True) as suspicious:
            with pytest.raises(errors.NameServersUnreachable, match="certificate verify failed"):
                await suspicious.send(TOPIC, b"x")
        strict = replace(trusting, verify_host_name=True)
        async with pocketmq.Producer(cluster.address, tls=strict) as careful:
            with pytest.raises(errors.NameServersUnreachable, match="certificate"):
                await careful.send(TOPIC, b"x")
        async with pocketmq.Producer(
            cluster.address, tls=pocketmq.TlsConfig(verify=False)
        ) as careless:
            await careless.send(TOPIC, b"x")
        await cluster.stop()
