"""A user's access key and secret, kept out of logs, tracebacks and dumps."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Final, NoReturn

from pocketmq.errors import ConfigError

HIDDEN: Final = "***"

ACCESS_KEY_VARIABLE: Final = "ROCKETMQ_ACCESS_KEY"
SECRET_KEY_VARIABLE: Final = "ROCKETMQ_SECRET_KEY"
SECURITY_TOKEN_VARIABLE: Final = "ROCKETMQ_SECURITY_TOKEN"


class Credentials:
    """An access key with its secret, and a security token where a cloud asks for one.

    Neither `repr` nor `str`, `vars`, formatting or pickling shows the secret or the token:

    >>> Credentials("alice", "open sesame")
    Credentials(access_key='alice', secret_key=***)
    """

    __slots__ = ("_reveal_secret", "_reveal_token", "access_key")

    def __init__(self, access_key: str, secret_key: str, security_token: str | None = None) -> None:
        if not access_key or not secret_key:
            raise ConfigError(
                "credentials need an access key and a secret key, and one of them is empty; "
                "ask whoever runs the cluster for both"
            )
        self.access_key = access_key
        # Held by closures, so that walking over the attributes finds no text.
        self._reveal_secret: Callable[[], str] = lambda: secret_key
        self._reveal_token: Callable[[], str | None] = lambda: security_token

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None) -> Credentials:
        """The credentials in ROCKETMQ_ACCESS_KEY, ROCKETMQ_SECRET_KEY, ROCKETMQ_SECURITY_TOKEN.

        Raise ConfigError when the first two are not set.
        """
        values = os.environ if environment is None else environment
        access_key = values.get(ACCESS_KEY_VARIABLE, "")
        secret_key = values.get(SECRET_KEY_VARIABLE, "")
        if not access_key or not secret_key:
            raise ConfigError(
                f"{ACCESS_KEY_VARIABLE} and {SECRET_KEY_VARIABLE} must both be set in the "
                "environment; set them, or give Credentials(access_key, secret_key)"
            )
        return cls(access_key, secret_key, values.get(SECURITY_TOKEN_VARIABLE) or None)

    @property
    def secret_key(self) -> str:
        """The secret in clear: for signing only, never for a message to people."""
        return self._reveal_secret()

    @property
    def security_token(self) -> str | None:
        """The token in clear, if there is one."""
        return self._reveal_token()

    def __repr__(self) -> str:
        token = "" if self.security_token is None else f", security_token={HIDDEN}"
        return f"Credentials(access_key={self.access_key!r}, secret_key={HIDDEN}{token})"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Credentials):
            return NotImplemented
        return (self.access_key, self.secret_key, self.security_token) == (
            other.access_key,
            other.secret_key,
            other.security_token,
        )

    def __hash__(self) -> int:
        return hash((self.access_key, self.secret_key, self.security_token))

    def __reduce__(self) -> NoReturn:
        raise TypeError(
            "credentials are not pickled, because their secret would lie in the file; "
            "give each process its own, for instance with Credentials.from_environment()"
        )

    def __copy__(self) -> Credentials:
        return self

    def __deepcopy__(self, memo: object) -> Credentials:
        return self
