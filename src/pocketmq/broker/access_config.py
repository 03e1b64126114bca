"""Settings of access control: who must prove who they are, and whose permissions are looked at."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Final

from pocketmq.errors import ConfigError
from pocketmq.protocol.codes import RequestCode
from pocketmq.security import Credentials
from pocketmq.security.users import user_problem
from pocketmq.settings import setting

NEVER_WHITELISTED: Final = range(RequestCode.AUTH_CREATE_USER, RequestCode.AUTH_LIST_ACL + 1)
"""Requests about users and permissions are always checked: whoever could send them unchecked
would have all other permissions too."""


def codes_of(whitelist: str) -> frozenset[int]:
    """The request codes of a whitelist, which commas separate. Raise ValueError."""
    words = [word.strip() for word in whitelist.split(",") if word.strip()]
    if not all(word.isascii() and word.isdigit() and len(word) < 10 for word in words):
        raise ValueError("must be request codes split by commas, for example 28,105")
    codes = frozenset(map(int, words))
    if not codes.isdisjoint(NEVER_WHITELISTED):
        raise ValueError("must not hold 3001 to 3010, as whoever may make users may do everything")
    return codes


def init_user_of(text: str) -> Credentials | None:
    """The user in `{"username":"...","password":"..."}`, or None. Raise ValueError."""
    return _credentials(text, "username", "password")


def inner_credentials_of(text: str) -> Credentials | None:
    """The user in `{"accessKey":"...","secretKey":"..."}`, or None. Raise ValueError."""
    return _credentials(text, "accessKey", "secretKey")


def _credentials(text: str, name: str, secret: str) -> Credentials | None:
    if not text.strip():
        return None
    try:
        document = json.loads(text)
        given = document[name], document[secret]
        if not all(isinstance(one, str) for one in given) or user_problem(*given) is not None:
            raise ValueError
        return Credentials(*given)
    except (ValueError, KeyError, TypeError, ConfigError):
        # The text holds a secret, so the error must not repeat it.
        raise ValueError(f'must be JSON like {{"{name}":"...","{secret}":"..."}}') from None


@dataclass(frozen=True, slots=True)
class AccessConfig:
    """Who may do what. All is off unless switched on."""

    authentication: bool = setting(
        False,
        "Every request must be signed by a user that this broker knows.",
        alias="authenticationEnabled",
    )
    authorization: bool = setting(
        False,
        "Users that are not Super may do only what was allowed to them.",
        alias="authorizationEnabled",
    )
    authentication_whitelist: str = setting(
        "",
        "Request codes that need no signature, split by commas.",
        alias="authenticationWhitelist",
        check=codes_of,
    )
    authorization_whitelist: str = setting(
        "",
        "Request codes that need no permission, split by commas.",
        alias="authorizationWhitelist",
        check=codes_of,
    )
    init_user: str = setting(
        "",
        'The first Super user, as JSON: `{"username":"...","password":"..."}`; made at start where '
        "there is none of that name.",
        alias="initAuthenticationUser",
        check=init_user_of,
        secret=True,
    )
    inner_credentials: str = setting(
        "",
        'A Super user for the broker\'s own helpers, as JSON: `{"accessKey":"...",'
        '"secretKey":"..."}`; made at start where there is none of that name.',
        alias="innerClientAuthenticationCredentials",
        check=inner_credentials_of,
        secret=True,
    )
    users_max: int = setting(10_000, "Users on this broker.", minimum=1, maximum=1_000_000)
    entries_per_user_max: int = setting(
        1000, "Entries in one user's policies.", minimum=1, maximum=100_000
    )
    entries_max: int = setting(
        100_000, "Entries in the policies of all users.", minimum=1, maximum=1_000_000
    )

    @property
    def is_on(self) -> bool:
        """Whether any request is checked."""
        return self.authentication or self.authorization
