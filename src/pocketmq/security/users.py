"""Users: a name, a password, whether everything is allowed to them, and whether they may come in.

The password is the key of signatures, so it is kept in clear, as every broker of RocketMQ must.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import Final, TypeVar

E = TypeVar("E", bound=Enum)

NAME_CHARS_MAX: Final = 255
PASSWORD_CHARS_MAX: Final = 1024


class UserType(Enum):
    """Whether a user's permissions are looked at."""

    SUPER = "Super"
    NORMAL = "Normal"


class UserStatus(Enum):
    """Whether a user may come in."""

    ENABLE = "enable"
    DISABLE = "disable"


@dataclass(frozen=True, slots=True)
class User:
    """One user. Neither `repr` nor a log shows the password."""

    name: str
    password: str = field(repr=False)
    type: UserType = UserType.NORMAL
    status: UserStatus = UserStatus.ENABLE

    @property
    def is_super(self) -> bool:
        """True when everything is allowed."""
        return self.type is UserType.SUPER

    @property
    def is_enabled(self) -> bool:
        """False when every request is refused."""
        return self.status is UserStatus.ENABLE


def named(kind: type[E], text: str | None) -> E | None:
    """The member of this value, in capitals or not, or None."""
    wanted = (text or "").lower()
    return next((member for member in kind if str(member.value).lower() == wanted), None)


def user_problem(name: str, password: str) -> str | None:
    """Why a user cannot be called so or have this password, or None."""
    if not name.isprintable() or len(name) > NAME_CHARS_MAX:
        return f"a user's name has at most {NAME_CHARS_MAX} characters, and all can be printed"
    if not password.isprintable() or len(password) > PASSWORD_CHARS_MAX:
        return f"a password has at most {PASSWORD_CHARS_MAX} characters, and all can be printed"
    return None
