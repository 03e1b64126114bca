"""Settings of access control: what they may be, and that secrets in them are never shown."""

from __future__ import annotations

import logging

import pytest

from pocketmq.broker.access_config import (
    AccessConfig,
    codes_of,
    init_user_of,
    inner_credentials_of,
)
from pocketmq.broker.config import BrokerConfig
from pocketmq.broker.state.users import UserTable
from pocketmq.clock import SystemClock
from pocketmq.errors import ConfigError
from pocketmq.security import Credentials
from pocketmq.security.users import User, UserStatus, UserType
from pocketmq.settings import Entry, as_properties, resolve

SECRET = "open-sesame"
USER = f'{{"username":"root","password":"{SECRET}"}}'


def resolved(name: str, value: str) -> AccessConfig:
    found = resolve({"broker": BrokerConfig()}, [Entry(name, value, "--set")])
    return found.config(BrokerConfig).access


@pytest.mark.parametrize(
    ("text", "codes"), [("", set()), ("10", {10}), (" 10, 310 ,,28,", {10, 310, 28})]
)
def test_a_whitelist_is_codes_and_commas(text: str, codes: set[int]) -> None:
    assert codes_of(text) == codes


@pytest.mark.parametrize("text", ["ten", "10;11", "-1", "3001", "10,3010", "9" * 10, "١"])
def test_a_whitelist_holds_codes_only_and_none_of_those_for_users(text: str) -> None:
    with pytest.raises(ConfigError, match=r"must (be request codes|not hold 3001)"):
        resolved("authenticationWhitelist", text)


def test_users_of_the_settings_are_json() -> None:
    assert init_user_of(USER) == Credentials("root", SECRET)
    inner = '{"secretKey":"s","accessKey":"a","more":1}'
    assert inner_credentials_of(inner) == Credentials("a", "s")
    assert init_user_of(" ") is None


@pytest.mark.parametrize(
    "text",
    [
        f"root:{SECRET}",
        f'{{"username":"root","password":"{SECRET}"',
        f'{{"user":"root","password":"{SECRET}"}}',
        f'{{"username":"","password":"{SECRET}"}}',
        f'{{"username":5,"password":["{SECRET}"]}}',
        f'["{SECRET}"]',
    ],
)
def test_an_error_about_a_secret_does_not_repeat_it(text: str) -> None:
    with pytest.raises(ConfigError, match="must be JSON like") as raised:
        resolved("initAuthenticationUser", text)
    assert SECRET not in str(raised.value)


def test_a_config_shows_no_secret() -> None:
    config = resolved("initAuthenticationUser", USER)
    shown = as_properties(config)
    assert shown["initAuthenticationUser"] == "******"
    assert shown["innerClientAuthenticationCredentials"] == ""
    assert SECRET not in repr(config) + repr(BrokerConfig(access=config)) + str(shown)


def test_a_user_shows_no_password(caplog: pytest.LogCaptureFixture) -> None:
    user = User("alice", SECRET)
    logging.getLogger("test").warning("%s %r", user, [user])
    assert "alice" in caplog.text
    assert SECRET not in caplog.text


def test_helpers_sign_as_a_user_of_the_settings_as_it_is_now() -> None:
    config = AccessConfig(init_user=USER, inner_credentials='{"accessKey":"i","secretKey":"s"}')
    users = UserTable(config, SystemClock())
    users.load()
    assert users.helper_credentials() == Credentials("i", "s")
    users.put(User("i", "s", UserType.NORMAL))
    assert users.helper_credentials() == Credentials("root", SECRET)
    users.put(User("root", "fresh", UserType.SUPER))
    assert users.helper_credentials() == Credentials("root", "fresh")
    users.put(User("root", "fresh", UserType.SUPER, UserStatus.DISABLE))
    assert users.helper_credentials() is None
