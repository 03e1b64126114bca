"""Codes and version names."""

from __future__ import annotations

import pytest

from pocketmq.protocol.codes import (
    WIRE_VERSION,
    LanguageCode,
    RequestCode,
    ResponseCode,
    version_name,
)
from pocketmq.protocol.headers import LANGUAGES
from pocketmq.protocol.requests.catalogue import HEADERS


@pytest.mark.parametrize(
    ("version", "name"),
    [
        (213, "V4_0_0"),
        (232, "V4_1_0_SNAPSHOT"),
        (399, "V4_9_3"),
        (413, "V5_0_0"),
        (441, "V5_1_4"),
        (WIRE_VERSION, "V5_3_3"),
        (611, "V5_9_9"),
        (612, "HIGHER_VERSION"),
        (2_000_000, "HIGHER_VERSION"),
    ],
)
def test_an_ordinal_has_the_name_of_its_release(version: int, name: str) -> None:
    assert version_name(version) == name


def test_versions_before_4_are_told_by_their_ordinal() -> None:
    assert version_name(121) == "V3_ordinal_121"


def test_languages_have_the_numbers_of_the_header_codec() -> None:
    assert tuple(language.name for language in LanguageCode) == LANGUAGES


def test_catalogued_codes_exist() -> None:
    assert not set(HEADERS) - set(RequestCode)


def test_codes_are_plain_integers() -> None:
    assert [int(code) for code in (RequestCode.SEND_MESSAGE_V2, ResponseCode.TOPIC_NOT_EXIST)] == [
        310,
        17,
    ]
