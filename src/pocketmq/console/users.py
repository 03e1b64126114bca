"""Who may log in: a file of names, roles and hashed passwords.

    {"users": {"ann": {"role": "admin", "password": "scrypt$16384$8$1$<salt>$<hash>"}}}

Hashing takes a twentieth of a second and 16 MiB on purpose, so it is done on a thread, and only two
at a time.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
import hmac
import json
import os
import re
import secrets
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

from pocketmq.errors import ConfigError

ADMIN: Final = "admin"
VIEWER: Final = "viewer"
ROLES: Final = (ADMIN, VIEWER)
USERS_MAX: Final = 10_000
PASSWORD_CHARS_MIN: Final = 8
PASSWORD_CHARS_MAX: Final = 256

_COST, _BLOCK, _LANES = 2**14, 8, 1
_NAME = re.compile(r"[\w.@-]{1,64}")
_HASHES_AT_ONCE = 2


@dataclass(frozen=True, slots=True)
class User:
    """Somebody who may log in."""

    name: str
    role: str
    password: str


class UserFile:
    """The users in a file; it is read again when it has changed. No file: no login."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._read_at: tuple[int, int] | None = None
        self._users: dict[str, User] = {}
        self._hashing: ThreadPoolExecutor | None = None

    @property
    def needed(self) -> bool:
        """Whether one must log in. Raise ConfigError when the file cannot be understood."""
        return bool(self.users())

    def users(self) -> dict[str, User]:
        """The users by name. Raise ConfigError."""
        if self._path is None:
            return {}
        try:
            found = self._path.stat()
        except FileNotFoundError:
            self._read_at, self._users = None, {}
            return {}
        version = (found.st_mtime_ns, found.st_size)
        if version != self._read_at:
            self._users = _parsed(self._path)
            self._read_at = version
        return self._users

    async def check(self, name: str, password: str) -> User | None:
        """The user, when the password is right. An unknown name takes as long as a known one."""
        user = self.users().get(name)
        if self._hashing is None:
            self._hashing = ThreadPoolExecutor(_HASHES_AT_ONCE, "console-hash")
        loop = asyncio.get_running_loop()
        right = await loop.run_in_executor(
            self._hashing, _is_password_of, user, password[:PASSWORD_CHARS_MAX]
        )
        return user if right else None

    def close(self) -> None:
        """Let go of the threads that hash."""
        if self._hashing is not None:
            self._hashing.shutdown()
            self._hashing = None

    def add(self, name: str, password: str, role: str) -> None:
        """Write a user, new or changed. Raise ConfigError."""
        users = dict(self.users())
        if not _NAME.fullmatch(name):
            raise ConfigError("a user's name has 1 to 64 letters, digits or . _ - @")
        if not PASSWORD_CHARS_MIN <= len(password) <= PASSWORD_CHARS_MAX:
            raise ConfigError(
                f"a password has {PASSWORD_CHARS_MIN} to {PASSWORD_CHARS_MAX} characters"
            )
        if role not in ROLES:
            raise ConfigError(f"a role is one of {', '.join(ROLES)}")
        if name not in users and len(users) >= USERS_MAX:
            raise ConfigError(f"there are {USERS_MAX} users already; remove some")
        users[name] = User(name, role, hash_password(password))
        self._write(users)

    def remove(self, name: str) -> None:
        """Remove a user. Raise ConfigError when there is none."""
        users = dict(self.users())
        if users.pop(name, None) is None:
            raise ConfigError(f"there is no user {name!r}; `pocketmq console user list` shows them")
        self._write(users)

    def _write(self, users: dict[str, User]) -> None:
        path = self._path
        if path is None:
            raise ConfigError("no file of users is set; give one with --users FILE")
        tree = {
            "users": {
                user.name: {"role": user.role, "password": user.password} for user in users.values()
            }
        }
        path.parent.mkdir(parents=True, exist_ok=True)
        new = path.with_name(path.name + ".new")
        descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump(tree, file, indent=2)
            file.flush()
            os.fsync(file.fileno())
        new.replace(path)


def hash_password(password: str) -> str:
    """A password as it is kept."""
    salt = secrets.token_bytes(16)
    digest = _digest(password, salt, _COST, _BLOCK, _LANES)
    texts = (base64.b64encode(part).decode() for part in (salt, digest))
    return "$".join(("scrypt", str(_COST), str(_BLOCK), str(_LANES), *texts))


def is_password(kept: str, password: str) -> bool:
    """Whether this is the password that is kept."""
    salt, wanted, costs = _parts(kept)
    return hmac.compare_digest(_digest(password, salt, *costs), wanted)


def _is_password_of(user: User | None, password: str) -> bool:
    return is_password(user.password if user is not None else _nobody(), password)


def _digest(password: str, salt: bytes, cost: int, block: int, lanes: int) -> bytes:
    text = password.encode("utf-8", "surrogatepass")
    return hashlib.scrypt(text, salt=salt, n=cost, r=block, p=lanes, dklen=32)


def _parts(kept: str) -> tuple[bytes, bytes, tuple[int, int, int]]:
    """Salt, digest and costs. Raise ValueError for what no password is kept as."""
    kind, cost, block, lanes, salt, digest = kept.split("$")
    costs = int(cost), int(block), int(lanes)
    if kind != "scrypt" or costs[0] * costs[1] > 2**18 or costs[2] > 4:
        raise ValueError("not a scrypt hash of sensible cost")
    return base64.b64decode(salt, validate=True), base64.b64decode(digest, validate=True), costs


def _parsed(path: Path) -> dict[str, User]:
    try:
        tree: Any = json.loads(path.read_text(encoding="utf-8"))
        users = {}
        for name, entry in list(tree["users"].items())[:USERS_MAX]:
            user = User(str(name), str(entry["role"]), str(entry["password"]))
            if user.role not in ROLES:
                raise ValueError(f"{name} has the role {user.role[:20]!r}")
            _parts(user.password)
            users[user.name] = user
    except (OSError, ValueError, KeyError, TypeError, AttributeError, binascii.Error) as error:
        raise ConfigError(
            f"the file of console users {path} cannot be understood ({error}); mend it, or remove "
            "it and make it anew with `pocketmq console user add`"
        ) from None
    return users


@cache
def _nobody() -> str:
    """What the password of an unknown user is compared with."""
    return hash_password(secrets.token_hex(16))
