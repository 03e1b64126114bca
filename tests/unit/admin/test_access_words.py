"""What users and rules are written with: passwords that do not show, words that brokers take."""

from __future__ import annotations

import json
import pickle

import pytest

from pocketmq.admin import Rule, Secret, User, UserSetup
from pocketmq.admin.acls import checked_rule, subject_of
from pocketmq.cli.tables import plain
from pocketmq.errors import ConfigError
from pocketmq.protocol.bodies.security import UserDocument

WORD = "open sesame"


def test_a_password_shows_nowhere() -> None:
    secret = Secret(WORD)
    user = User("alice", (UserSetup("a", "Normal", True, secret),), ("b",))
    document = UserDocument("alice", WORD, "Normal")
    for text in (repr(secret), str(secret), f"{secret}", repr(user), repr(document)):
        assert WORD not in text
    assert WORD not in json.dumps(plain(user), default=str)
    with pytest.raises(TypeError, match="not pickled"):
        pickle.dumps(secret)
    assert secret.reveal() == WORD


def test_passwords_are_compared_without_being_seen() -> None:
    same, other = Secret(WORD), Secret("世界")
    assert Secret(WORD) == same
    assert hash(Secret(WORD)) == hash(same)
    assert same != other
    assert same != WORD
    first, second = (
        UserSetup(name, "Normal", True, word) for name, word in (("a", same), ("b", other))
    )
    user = User("alice", (first, second))
    assert user.differences == ("password",)
    assert not user.same_everywhere
    assert User("alice", (first,)).same_everywhere
    assert not User("alice", (first,), ("b",)).same_everywhere


def test_a_rule_gets_the_words_that_brokers_write() -> None:
    rule = Rule("topic:Orders*", ("pub", "SUB", "Pub"), "allow", ("10.0.0.0/8", "::1"))
    assert checked_rule(rule) == Rule(
        "Topic:Orders*", ("Pub", "Sub"), "Allow", ("10.0.0.0/8", "::1")
    )
    assert checked_rule(Rule("*", ("All",), "Deny")).resource == "*"
    assert subject_of("alice") == subject_of("User:alice") == "User:alice"


@pytest.mark.parametrize(
    ("rule", "problem"),
    [
        (Rule("orders", ("Pub",), "Allow"), "write Topic:orders"),
        (Rule("Topic:", ("Pub",), "Allow"), "write Topic:orders"),
        (Rule("Queue:a", ("Pub",), "Allow"), "kind of resource"),
        (Rule("Topic:a", (), "Allow"), "say what may be done"),
        (Rule("Topic:a", ("Any",), "Allow"), "is not an action"),
        (Rule("Topic:a", ("Pub",), "Maybe"), "is not a decision"),
        (Rule("Topic:a", ("Pub",), "Allow", ("office",)), "is no address"),
        (Rule("Topic:a", ("Pub",), "Allow", ("::1",) * 101), "100 sources"),
    ],
)
def test_a_rule_that_no_broker_takes_is_refused(rule: Rule, problem: str) -> None:
    with pytest.raises(ConfigError, match=problem):
        checked_rule(rule)


@pytest.mark.parametrize("name", ["", "User:", "  "])
def test_a_subject_needs_a_name(name: str) -> None:
    with pytest.raises(ConfigError, match="say whose rules"):
        subject_of(name)
