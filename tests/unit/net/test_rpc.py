"""Calls to other servers."""

from __future__ import annotations

import asyncio

import pytest
from tests.support.cutting_proxy import CuttingProxy
from tests.support.waiting import until
from tests.unit.net.serving import ECHO, LATER, serving

from pocketmq.errors import ConnectFailed, ConnectionLost, RpcTimeout
from pocketmq.net import Connection, Dispatch, ListenConfig, RpcClient, Server
from pocketmq.protocol.command import Command


async def test_calls_share_one_connection_and_each_gets_its_own_answer() -> None:
    async with serving() as (server, _):
        client, address = RpcClient(), f"127.0.0.1:{server.port}"
        calls = [client.call(address, Command.request(ECHO, body=b"%d" % n)) for n in range(50)]
        answers = await asyncio.gather(*calls)
        assert [bytes(answer.body) for answer in answers] == [b"%d" % n for n in range(50)]
        assert len(server.connections) == 1
        await client.close()


async def test_a_call_without_an_answer_times_out_and_the_connection_stays_usable() -> None:
    async with serving() as (server, behaviour):
        client, address = RpcClient(), f"127.0.0.1:{server.port}"
        with pytest.raises(RpcTimeout, match=rf"{address} did not answer request 1002 within 20"):
            await client.call(address, Command.request(LATER), timeout_ms=20)
        behaviour.release.set()
        assert (await client.call(address, Command.request(ECHO))).code == 0
        await client.close()


async def test_a_closed_connection_fails_its_calls_at_once_and_is_opened_again() -> None:
    async with serving() as (server, behaviour):
        client, address = RpcClient(), f"127.0.0.1:{server.port}"
        call = asyncio.ensure_future(client.call(address, Command.request(LATER), 60_000))
        await until(lambda: behaviour.waiting)
        for connection in list(server.connections):
            connection.abort("the test cuts it")
        with pytest.raises(ConnectionLost):
            await call
        assert (await client.call(address, Command.request(ECHO))).code == 0
        await client.close()


async def test_an_address_nobody_listens_on_is_a_failed_connection() -> None:
    async with serving() as (server, _):
        port = server.port
    client = RpcClient()
    with pytest.raises(ConnectFailed, match=rf"cannot connect to 127.0.0.1:{port}"):
        await client.call(f"127.0.0.1:{port}", Command.request(ECHO))
    await client.close()


async def test_a_oneway_request_arrives_and_waits_for_nothing() -> None:
    async with serving() as (server, behaviour):
        client = RpcClient()
        await client.notify(f"127.0.0.1:{server.port}", Command.request(ECHO))
        await until(lambda: behaviour.served == 1)
        assert (behaviour.served, len(server.connections)) == (1, 1)
        await client.close()


async def test_a_server_asks_its_client_on_the_same_connection() -> None:
    seen: list[Connection] = []

    def meet(connection: Connection, command: Command) -> Command:
        seen.append(connection)
        return command.reply()

    def double(connection: Connection, command: Command) -> Command:
        return command.reply(body=bytes(command.body) * 2)

    server = Server(Dispatch({ECHO: meet}), ListenConfig())
    await server.start()
    client = RpcClient(service=Dispatch({ECHO: double}, role="client"))
    request = Command.request(ECHO)
    await client.call(f"127.0.0.1:{server.port}", request)
    question = Command.request(ECHO, body=b"ab")
    # Both sides count opaques on their own, so equal numbers must not be mixed up.
    question.opaque = request.opaque
    assert bytes((await seen[0].call(question, 1000)).body) == b"abab"
    assert (await seen[0].call(Command.request(77), 1000)).code == 3
    await client.close()
    await server.stop()


async def test_closing_the_client_closes_its_connections() -> None:
    async with serving() as (server, behaviour):
        client = RpcClient()
        await client.call(f"127.0.0.1:{server.port}", Command.request(ECHO))
        await client.close()
        await until(lambda: behaviour.gone)
        assert not server.connections


async def test_requests_of_one_turn_leave_in_one_write_and_are_all_answered() -> None:
    async with serving() as (server, _):
        client, address = RpcClient(), f"127.0.0.1:{server.port}"
        connection = await client.connect(address)
        calls = [
            connection.call(Command.request(ECHO, body=b"%d" % number), 1000)
            for number in range(500)
        ]
        answers = await asyncio.gather(*calls)
        assert [bytes(answer.body) for answer in answers] == [b"%d" % n for n in range(500)]
        assert connection.under_way == 0
        assert connection.peer_version == answers[0].version
        await client.close()


async def test_a_connection_that_has_fallen_silent_is_cut_and_opened_again() -> None:
    async with serving() as (server, _), CuttingProxy(server.port) as proxy:
        client = RpcClient()
        assert (await client.call(proxy.address, Command.request(ECHO))).code == 0
        proxy.stall()
        with pytest.raises(RpcTimeout):
            await client.call(proxy.address, Command.request(ECHO), 1100)
        await until(lambda: client.connection(proxy.address) is None)
        proxy.flow()
        assert (await client.call(proxy.address, Command.request(ECHO))).code == 0
        assert proxy.connections == 2
        await client.close()


async def test_many_deadlines_are_kept_by_one_timer() -> None:
    async with serving() as (server, behaviour):
        client, address = RpcClient(), f"127.0.0.1:{server.port}"
        connection = await client.connect(address)
        late = [connection.call(Command.request(LATER), ms) for ms in (300, 20, 100, 200)]
        results = await asyncio.gather(*late, return_exceptions=True)
        assert [str(error).rpartition("within ")[2] for error in results] == [
            "300 ms",
            "20 ms",
            "100 ms",
            "200 ms",
        ]
        assert (await connection.call(Command.request(ECHO), 1000)).code == 0
        behaviour.release.set()
        await client.close()


async def test_closing_the_client_while_it_connects_leaves_nothing_behind() -> None:
    client = RpcClient()
    connecting = asyncio.ensure_future(client.connect("192.0.2.1:9"))
    await asyncio.sleep(0)
    await client.close()
    with pytest.raises((ConnectFailed, asyncio.CancelledError)):
        await connecting
    with pytest.raises(ConnectFailed, match="closed"):
        await client.connect("127.0.0.1:9")
