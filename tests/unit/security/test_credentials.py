"""Secrets stay out of whatever people read."""

from __future__ import annotations

import copy
import json
import logging
import pickle
import traceback
from dataclasses import dataclass

import pytest

from pocketmq.errors import ConfigError
from pocketmq.security import Credentials

SECRET, TOKEN = "open-sesame", "tok-en-123"


@dataclass
class Holder:
    """A config that contains credentials."""

    owner: Credentials


def test_no_way_of_showing_credentials_shows_the_secret(caplog: pytest.LogCaptureFixture) -> None:
    owner = Credentials("alice", SECRET, TOKEN)
    logging.getLogger("test").warning("owner %s %r", owner, owner)
    slots = {name: repr(getattr(owner, name)) for name in Credentials.__slots__}
    shown = [repr(owner), str(owner), f"{owner}", repr([owner]), repr(Holder(owner)), caplog.text]
    shown.append(json.dumps(slots))
    shown.append(json.dumps({"o": owner}, default=str))
    for text in shown:
        assert SECRET not in text
        assert TOKEN not in text
    assert "alice" in repr(owner)


def test_a_traceback_with_local_variables_does_not_show_the_secret() -> None:
    def use(owner: Credentials) -> None:
        raise ValueError(len(owner.secret_key))

    try:
        use(Credentials("alice", SECRET))
    except ValueError as error:
        text = "".join(
            traceback.TracebackException.from_exception(error, capture_locals=True).format()
        )
        assert "Credentials(" in text
        assert SECRET not in text


def test_credentials_are_not_pickled() -> None:
    with pytest.raises(TypeError, match="not pickled"):
        pickle.dumps(Credentials("alice", SECRET))


def test_a_copy_is_as_good() -> None:
    owner = Credentials("alice", SECRET, TOKEN)
    assert copy.copy(owner) == owner == copy.deepcopy(owner)
    assert hash(owner) == hash(Credentials("alice", SECRET, TOKEN))
    assert owner != Credentials("alice", "other", TOKEN)
    assert owner != "alice"


@pytest.mark.parametrize(("key", "secret"), [("", "s"), ("k", "")])
def test_empty_keys_are_refused(key: str, secret: str) -> None:
    with pytest.raises(ConfigError, match="access key and a secret key"):
        Credentials(key, secret)


def test_credentials_come_from_the_environment() -> None:
    values = {"ROCKETMQ_ACCESS_KEY": "alice", "ROCKETMQ_SECRET_KEY": SECRET}
    assert Credentials.from_environment(values) == Credentials("alice", SECRET)
    values["ROCKETMQ_SECURITY_TOKEN"] = TOKEN
    assert Credentials.from_environment(values).security_token == TOKEN
    with pytest.raises(ConfigError, match="ROCKETMQ_SECRET_KEY"):
        Credentials.from_environment({"ROCKETMQ_ACCESS_KEY": "alice"})
