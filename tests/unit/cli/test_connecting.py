"""How commands reach a cluster: options, the environment, and what is refused."""

from __future__ import annotations

import asyncio
import io

import click
import pytest

from pocketmq.cli.commands import Verb
from pocketmq.cli.connecting import asking, client_config, confirm, run_client
from pocketmq.client.config import ClientConfig, TlsConfig
from pocketmq.errors import ConfigError


def config_of(*words: str) -> ClientConfig:
    """What a command would connect with."""
    found: list[ClientConfig] = []

    @click.command(cls=Verb)
    @asking
    def command(nameserver: str | None, as_json: bool) -> None:
        found.append(client_config(nameserver))

    command.main(list(words), standalone_mode=False)
    return found[0]


def test_the_name_server_is_an_option_or_the_environments(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("NAMESRV_ADDR", raising=False)
    assert config_of().name_servers == ("127.0.0.1:9876",)
    monkeypatch.setenv("NAMESRV_ADDR", "a:1;b:2")
    assert config_of().name_servers == ("a:1", "b:2")
    assert config_of("-n", "c:3").name_servers == ("c:3",)
    assert config_of().credentials is None
    assert config_of().tls is False


def test_who_asks_is_an_option_or_the_environments(monkeypatch: pytest.MonkeyPatch) -> None:
    credentials = config_of("--access-key", "me", "--secret-key", "hush", "--tls").credentials
    assert credentials is not None
    assert credentials.access_key == "me"
    monkeypatch.setenv("ROCKETMQ_ACCESS_KEY", "you")
    with pytest.raises(ConfigError, match="belong together"):
        config_of()
    monkeypatch.setenv("ROCKETMQ_SECRET_KEY", "hush")
    credentials = config_of().credentials
    assert credentials is not None
    assert (credentials.access_key, credentials.secret_key) == ("you", "hush")
    assert config_of("--tls").tls is True


def test_a_private_authority_and_a_certificate_are_options_or_the_environments(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert config_of("--tls-authorities", "ca.pem").tls == TlsConfig("ca.pem")
    with pytest.raises(ConfigError, match="--tls-certificate; give both"):
        config_of("--tls-key", "key.pem")
    monkeypatch.setenv("POCKETMQ_TLS_CERTIFICATE", "own.pem")
    monkeypatch.setenv("POCKETMQ_TLS_KEY_PASSWORD", "hush")
    assert config_of("--tls-key", "key.pem").tls == TlsConfig("", "own.pem", "key.pem", "hush")


def test_nobody_is_asked_where_nobody_can_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("y\n"))
    with pytest.raises(ConfigError, match="Really\\? Nobody can be asked here; say --yes"):
        confirm("Really?", yes=False)
    confirm("Really?", yes=True)


def test_a_question_that_is_interrupted_cleans_up() -> None:
    ended: list[str] = []

    async def ask() -> None:
        task = asyncio.current_task()
        assert task is not None
        asyncio.get_running_loop().call_soon(task.cancel)
        try:
            await asyncio.sleep(60)
        finally:
            ended.append("cleaned up")

    with pytest.raises(KeyboardInterrupt):
        run_client(ask())
    assert ended == ["cleaned up"]
