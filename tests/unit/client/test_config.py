"""What constructors of clients take, and what comes of it."""

from __future__ import annotations

import ssl

import pytest

from pocketmq.client.config import ClientConfig, TlsConfig
from pocketmq.client.instance import client_id_of
from pocketmq.errors import ConfigError
from pocketmq.security import Credentials


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("10.0.0.1:9876", ("10.0.0.1:9876",)),
        ("a:1;b:2", ("a:1", "b:2")),
        (" a:1 ; b:2;", ("a:1", "b:2")),
        ("a:1,b:2", ("a:1", "b:2")),
        (["a:1", "b:2;c:3", "a:1"], ("a:1", "b:2", "c:3")),
        ("[::1]:9876", ("[::1]:9876",)),
    ],
)
def test_name_servers_come_as_a_text_or_a_list(
    given: str | list[str], expected: tuple[str, ...]
) -> None:
    assert ClientConfig.of(given).name_servers == expected


def test_without_name_servers_the_environment_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NAMESRV_ADDR", "env:1;env:2")
    assert ClientConfig.of().name_servers == ("env:1", "env:2")
    monkeypatch.delenv("NAMESRV_ADDR")
    with pytest.raises(ConfigError, match="set NAMESRV_ADDR"):
        ClientConfig.of()


def test_an_address_that_is_none_is_named_with_the_cure() -> None:
    with pytest.raises(ConfigError, match="'localhost' is not an address; write host:port"):
        ClientConfig.of("localhost")


def test_a_whole_config_and_its_parts_are_not_mixed() -> None:
    config = ClientConfig.of("a:1", namespace="n")
    assert ClientConfig.of(config) is config
    with pytest.raises(ConfigError, match=r"dataclasses\.replace"):
        ClientConfig.of(config, namespace="other")


def test_no_secret_shows_in_a_config() -> None:
    tls = TlsConfig(certificate="c.pem", key="k.pem", key_password="hidden-1")
    config = ClientConfig.of("a:1", credentials=Credentials("user", "hidden-2"), tls=tls)
    assert "hidden" not in repr(config)
    assert hash(config) == hash(ClientConfig.of(config))


def test_tls_is_off_on_or_set_in_detail() -> None:
    assert ClientConfig.of("a:1").tls_context() is None
    trusting = ClientConfig.of("a:1", tls=True).tls_context()
    assert trusting is not None and trusting.verify_mode == ssl.CERT_REQUIRED
    assert not trusting.check_hostname
    careless = ClientConfig.of("a:1", tls=TlsConfig(verify=False)).tls_context()
    assert careless is not None and careless.verify_mode == ssl.CERT_NONE
    own = ssl.create_default_context()
    assert ClientConfig.of("a:1", tls=own).tls_context() is own
    with pytest.raises(ConfigError, match=r"check authorities 'nowhere\.pem'"):
        ClientConfig.of("a:1", tls=TlsConfig(authorities="nowhere.pem")).tls_context()


def test_client_ids_name_the_address_and_the_instance() -> None:
    config = ClientConfig(("a:1",), advertise_host="10.0.0.9", instance="billing-1", unit="u")
    assert client_id_of(config) == "10.0.0.9@billing-1@u"
    made_up = ClientConfig(("a:1",), advertise_host="10.0.0.9")
    assert client_id_of(made_up) != client_id_of(made_up)
    assert "#" in client_id_of(made_up)
