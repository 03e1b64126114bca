"""Users: `config/users.json`, which nobody but the broker's own account can read.

    {"users":{"alice":{"password":"...","userStatus":"enable","userType":"Normal",...}},...}

Passwords are in clear, because a signature is checked by making it once more.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from pocketmq.broker.access_config import AccessConfig, init_user_of, inner_credentials_of
from pocketmq.broker.state.saved import ChangeLog
from pocketmq.broker.state.table_file import TableFile
from pocketmq.clock import Clock
from pocketmq.protocol.bodies.documents import Document
from pocketmq.protocol.bodies.security import UserDocument
from pocketmq.protocol.bodies.versions import DataVersion
from pocketmq.security import Credentials
from pocketmq.security.users import User, UserStatus, UserType, named


@dataclass(frozen=True, slots=True)
class UsersDocument(Document):
    """The file's content."""

    users: dict[str, UserDocument] = field(default_factory=dict)
    data_version: DataVersion = DataVersion()  # noqa: RUF009 - immutable

    plain_keys: ClassVar[bool] = True


class UserTable:
    """Remembers users by name."""

    def __init__(
        self, config: AccessConfig, clock: Clock, *, file: TableFile | None = None
    ) -> None:
        self._config = config
        self._users: dict[str, User] = {}
        self.file = file
        self.changes = ChangeLog(clock)

    def load(self) -> None:
        """Read the file, then make the users of the settings. Raise CorruptStore, OSError."""
        found = self.file.load(UsersDocument.from_json) if self.file is not None else None
        if found is not None:
            self._users = {name: user_from(name, one) for name, one in found.users.items()}
            self.changes.version = found.data_version
        for credentials in self._from_settings():
            name = credentials.access_key
            if name not in self._users:
                self._users[name] = User(name, credentials.secret_key, UserType.SUPER)
                self.changes.changed((name,))

    def encode(self) -> bytes:
        """The content of the file."""
        users = {name: user_document(user) for name, user in sorted(self._users.items())}
        return UsersDocument(users, self.changes.version).to_json()

    def __len__(self) -> int:
        return len(self._users)

    @property
    def is_full(self) -> bool:
        """True when no further user has room."""
        return len(self._users) >= self._config.users_max

    def find(self, name: str) -> User | None:
        """The user of this name."""
        return self._users.get(name)

    def all(self) -> list[User]:
        """All users, sorted by name."""
        return [user for _, user in sorted(self._users.items())]

    def put(self, user: User) -> None:
        """Add a user, or replace the one of the same name."""
        self._users[user.name] = user
        self.changes.changed((user.name,))

    def remove(self, name: str) -> None:
        """Forget a user."""
        if self._users.pop(name, None) is not None:
            self.changes.changed((name,))

    def helper_credentials(self) -> Credentials | None:
        """What helpers that are started beside the broker sign with: a user of the settings, as it
        is now. None when there is none."""
        for credentials in reversed(self._from_settings()):
            user = self._users.get(credentials.access_key)
            if user is not None and user.is_super and user.is_enabled:
                return Credentials(user.name, user.password)
        return None

    def _from_settings(self) -> list[Credentials]:
        config = self._config
        found = (init_user_of(config.init_user), inner_credentials_of(config.inner_credentials))
        return [credentials for credentials in found if credentials is not None]


def user_document(user: User) -> UserDocument:
    """A user as files and tools have it, with the password in clear."""
    return UserDocument(user.name, user.password, user.type.value, user.status.value)


def user_from(name: str, document: UserDocument) -> User:
    """The user that a document of the file describes; what it leaves out allows least."""
    return User(
        name,
        document.password or "",
        named(UserType, document.user_type) or UserType.NORMAL,
        named(UserStatus, document.user_status) or UserStatus.DISABLE,
    )
