"""Signatures equal those of Apache's Java clients 4.9.8 and 5.3.3, which made the vectors below."""

from __future__ import annotations

import doctest

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pocketmq.security import Credentials, credentials, sign, signature_of, signatures, verify

# name: access key, secret, token, body, fields, signature
VECTORS = {
    "plain": (
        Credentials("rocketmq2", "12345678"),
        b"",
        {"bname": "b", "topic": "T"},
        "jCtmwkBrQMrLf/YC72O/RBI9lJY=",
    ),
    "with a token and a body": (
        Credentials("ak", "secret", "tok"),
        b"hello",
        {"topic": "T", "b": "x", "Z": "upper"},
        "bHedcmxy+j9+UbcBR0SEZyMqnls=",
    ),
    "names beyond the basic plane sort by code unit": (
        Credentials("ak", "sécret✓"),
        b"\x00\x01\xff",
        {"z": "1", "Z": "2", "a10": "3", "a2": "4", "\uffee": "5", "\U0001f600": "6", "é": "ü✓"},
        "wi7vlhnL0ObpZIUnnjxXvvvv0z0=",
    ),
    "a query": (
        Credentials("AK", "SK"),
        b"",
        {"_UNIQUE_KEY_QUERY": "true", "key": "k", "topic": "T", "maxNum": "32"},
        "EgOWcYVkqjQVk8oyfQdOVQR40Kw=",
    ),
    "an empty value": (
        Credentials("AK", "SK"),
        b"",
        {"a": "", "b": "0"},
        "QK+w8qaOyhLYUtfWCQ0IiOW/BWE=",
    ),
}


@pytest.mark.parametrize("name", VECTORS)
def test_a_request_is_signed_as_java_signs_it(name: str) -> None:
    owner, body, fields, expected = VECTORS[name]
    signed = dict(fields)
    sign(signed, body, owner)
    assert signed["Signature"] == expected
    assert signed["AccessKey"] == owner.access_key
    assert signed.get("SecurityToken") == owner.security_token
    assert verify(signed, body, owner.secret_key)


def test_signing_twice_gives_the_same_signature() -> None:
    owner, body, fields, expected = VECTORS["with a token and a body"]
    signed = dict(fields)
    sign(signed, body, owner)
    sign(signed, body, owner)
    assert signed["Signature"] == expected


@given(
    st.dictionaries(st.text(), st.text(), max_size=5),
    st.binary(max_size=20),
    st.text(min_size=1).filter(lambda text: text.encode("utf-8", "ignore").decode() == text),
)
def test_what_is_signed_verifies_and_a_changed_body_does_not(
    fields: dict[str, str], body: bytes, secret: str
) -> None:
    sign(fields, body, Credentials("me", secret))
    assert verify(fields, body, secret)
    assert not verify(fields, body + b"x", secret)
    assert not verify(fields, body, secret + "x")


def test_no_signature_or_nonsense_does_not_verify() -> None:
    assert not verify({"a": "1"}, b"", "s")
    assert not verify({"Signature": "*not base64*"}, b"", "s")
    assert not verify({"Signature": "é"}, b"", "s")


def test_a_missing_value_counts_as_the_word_null() -> None:
    assert signature_of({"a": None}, b"", "s") == signature_of({"a": "null"}, b"", "s")


def test_a_field_old_clients_add_after_signing_is_left_out_for_them_alone() -> None:
    fields = {"key": "k"}
    sign(fields, b"", Credentials("me", "s"))
    fields["_UNIQUE_KEY_QUERY"] = "true"
    assert verify(fields, b"", "s", version=399)
    assert not verify(fields, b"", "s", version=400)
    assert not verify(fields, b"", "s")


@pytest.mark.parametrize("module", [signatures, credentials])
def test_the_examples_in_the_docstrings_run(module: object) -> None:
    assert doctest.testmod(module).failed == 0  # type: ignore[arg-type]
