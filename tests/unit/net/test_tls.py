"""TLS and plain on one port."""

from __future__ import annotations

import ssl
from dataclasses import replace
from pathlib import Path

import pytest
from tests.support.certificates import self_signed
from tests.support.raw_peer import RawPeer
from tests.unit.net.serving import ECHO, LARGE, LARGE_BYTES, Behaviour, serving

from pocketmq.errors import ConfigError
from pocketmq.net import ListenConfig, RpcClient, Server
from pocketmq.protocol.command import Command

HOST = "127.0.0.1"


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A self-signed certificate for 127.0.0.1: cert.pem and key.pem in a directory."""
    return self_signed(tmp_path_factory.mktemp("tls"))


@pytest.fixture
def config(authority: Path) -> ListenConfig:
    return ListenConfig(
        tls_certificate=str(authority / "cert.pem"), tls_key=str(authority / "key.pem")
    )


@pytest.fixture
def client_tls(authority: Path) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(authority / "cert.pem"))


async def test_tls_and_plain_clients_share_a_port(
    config: ListenConfig, client_tls: ssl.SSLContext
) -> None:
    async with (
        serving(config) as (server, _),
        RawPeer(server.port, HOST, client_tls) as secret,
        RawPeer(server.port) as plain,
    ):
        for peer in (secret, plain, secret):
            assert bytes((await peer.ask(Command.request(ECHO, body=b"hi"))).body) == b"hi"


async def test_large_answers_and_many_requests_pass_through_tls(
    config: ListenConfig, client_tls: ssl.SSLContext
) -> None:
    async with (
        serving(config) as (server, _),
        RawPeer(server.port, HOST, client_tls) as peer,
    ):
        await peer.send(*(Command.request(LARGE) for _ in range(20)))
        for _ in range(20):
            assert len((await peer.receive()).body) == LARGE_BYTES
        body = bytes(range(256)) * 4096
        assert bytes((await peer.ask(Command.request(ECHO, body=body))).body) == body


async def test_a_closed_tls_connection_is_reported(
    config: ListenConfig, client_tls: ssl.SSLContext
) -> None:
    async with (
        serving(config) as (server, behaviour),
        RawPeer(server.port, HOST, client_tls) as peer,
    ):
        await peer.ask(Command.request(ECHO))
        await server.stop()
        assert await peer.closed_by_other_side()
        assert len(behaviour.gone) == 1


async def test_our_own_client_speaks_tls(config: ListenConfig, client_tls: ssl.SSLContext) -> None:
    async with serving(config) as (server, _):
        client = RpcClient(tls=client_tls)
        answer = await client.call(f"{HOST}:{server.port}", Command.request(ECHO, body=b"hi"))
        assert bytes(answer.body) == b"hi"
        await client.close()


async def test_enforcing_refuses_plain(config: ListenConfig, client_tls: ssl.SSLContext) -> None:
    async with serving(replace(config, tls_mode="enforcing")) as (server, _):
        async with RawPeer(server.port) as plain:
            await plain.send(Command.request(ECHO))
            assert await plain.closed_by_other_side()
        async with RawPeer(server.port, HOST, client_tls) as secret:
            assert (await secret.ask(Command.request(ECHO))).code == 0


async def test_disabled_refuses_tls(config: ListenConfig, client_tls: ssl.SSLContext) -> None:
    async with serving(replace(config, tls_mode="disabled")) as (server, _):
        with pytest.raises((ConnectionError, ssl.SSLError)):
            async with RawPeer(server.port, HOST, client_tls):
                pass
        async with RawPeer(server.port) as plain:
            assert (await plain.ask(Command.request(ECHO))).code == 0


async def test_a_required_client_certificate_is_checked(
    config: ListenConfig, client_tls: ssl.SSLContext, authority: Path
) -> None:
    config = replace(config, tls_client_auth="require", tls_trust=config.tls_certificate)
    async with serving(config) as (server, _):
        with pytest.raises((ConnectionError, ssl.SSLError, EOFError)):
            async with RawPeer(server.port, HOST, client_tls) as stranger:
                await stranger.ask(Command.request(ECHO))
        client_tls.load_cert_chain(authority / "cert.pem", authority / "key.pem")
        async with RawPeer(server.port, HOST, client_tls) as known:
            assert (await known.ask(Command.request(ECHO))).code == 0


async def test_a_handshake_that_is_never_finished_counts_and_is_cut_off(
    config: ListenConfig, client_tls: ssl.SSLContext
) -> None:
    config = replace(config, idle_timeout_seconds=1, connections_max=2)
    hello = b"\x16\x03\x01\x02\x00"  # the head of a record that never comes
    async with serving(config) as (server, _):
        async with RawPeer(server.port) as half, RawPeer(server.port) as other:
            await half.send(hello)
            await other.send(hello)
            async with RawPeer(server.port) as third:
                assert await third.closed_by_other_side(), "two are all that may be open"
            assert await half.closed_by_other_side()
            assert await other.closed_by_other_side()
        async with RawPeer(server.port, HOST, client_tls) as peer:
            assert (await peer.ask(Command.request(ECHO))).code == 0


async def test_stopping_cuts_off_an_unfinished_handshake(config: ListenConfig) -> None:
    async with serving(config) as (server, _), RawPeer(server.port) as half:
        await half.send(b"\x16\x03\x01")
        async with RawPeer(server.port) as plain:
            assert (await plain.ask(Command.request(ECHO))).code == 0
        await server.stop()
        assert await half.closed_by_other_side()


async def test_garbage_after_the_tls_byte_closes_that_connection_alone(
    config: ListenConfig, client_tls: ssl.SSLContext
) -> None:
    async with serving(config) as (server, _):
        async with RawPeer(server.port) as bad:
            await bad.send(b"\x16\x03\x01\x00\x05hello")
            assert await bad.closed_by_other_side()
        async with RawPeer(server.port, HOST, client_tls) as secret:
            assert (await secret.ask(Command.request(ECHO))).code == 0


async def test_missing_tls_files_are_a_setting_to_correct() -> None:
    config = ListenConfig(tls_certificate="/nowhere/cert.pem")
    with pytest.raises(ConfigError, match=r"tls_certificate '/nowhere/cert.pem'"):
        await Server(Behaviour().dispatch(), config).start()


async def test_enforcing_without_a_certificate_is_a_setting_to_correct() -> None:
    with pytest.raises(ConfigError, match="tls_certificate"):
        await Server(Behaviour().dispatch(), ListenConfig(tls_mode="enforcing")).start()
