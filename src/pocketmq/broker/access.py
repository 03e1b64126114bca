"""Who asks, and may they? Decided for every request before its handler sees it.

First the signature says who asks (authentication), then that user's permissions say whether it may
be (authorization); either may be switched on alone. Nothing is remembered between requests, so a
user who is changed, disabled or deleted is so from the next request on.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

from pocketmq.broker.access_config import AccessConfig, codes_of
from pocketmq.broker.rules.acl_documents import subject_of
from pocketmq.broker.rules.needs import needs_of
from pocketmq.broker.rules.positions import BY_POSITION, need_at, position_of
from pocketmq.broker.state.acls import AclTable
from pocketmq.broker.state.users import UserTable
from pocketmq.errors import ProtocolError, Refused
from pocketmq.net import Connection
from pocketmq.protocol.codes import ResponseCode
from pocketmq.protocol.command import Command
from pocketmq.security import verify
from pocketmq.security.acls import Need, allows, decide
from pocketmq.security.signatures import ACCESS_KEY
from pocketmq.security.users import User

_SHOWN_CHARS: Final = 80


TopicAt = Callable[[int], Awaitable[str | None]]
"""Which topic the message at a log offset is of; None when none begins there."""


class Access:
    """Refuses what its asker may not do. `cluster` is the name that permissions call it by."""

    def __init__(
        self,
        config: AccessConfig,
        cluster: str,
        users: UserTable,
        acls: AclTable,
        topic_at: TopicAt,
    ) -> None:
        self.config = config
        self._cluster = cluster
        self._users = users
        self._acls = acls
        self._topic_at = topic_at
        self._needs_no_signature = codes_of(config.authentication_whitelist)
        self._needs_no_permission = codes_of(config.authorization_whitelist)

    def warnings(self) -> list[str]:
        """What an operator should know about how it is set."""
        config, found = self.config, []
        if config.authentication and not len(self._users):
            found.append(
                "every request must be signed and there are no users, so all are refused; set "
                "initAuthenticationUser"
            )
        if config.authorization and not config.authentication:
            found.append(
                "permissions are checked and signatures are not, so whoever gives the name of a "
                "user is believed; set authenticationEnabled=true"
            )
        return found

    def admit(self, connection: Connection, command: Command) -> Awaitable[None] | None:
        """Return when the request may go on, or what must be awaited before it may. Raise Refused;
        so does what is awaited."""
        config = self.config
        if config.authentication and command.code not in self._needs_no_signature:
            self.authenticate(command)
        if config.authorization and command.code not in self._needs_no_permission:
            return self._authorize(connection.peer.host, command)
        return None

    def authenticate(self, command: Command) -> User:
        """The user who signed this request. Raise Refused."""
        fields = command.fields
        user = self._claimed(command)
        if not user.is_enabled:
            raise not_permitted(
                f"user {user.name!r} is disabled; an operator can enable it with updateUser"
            )
        if not verify(fields, command.body, user.password, version=command.version):
            raise not_permitted(
                f"the signature is not the one of user {user.name!r}; check the secret key, and "
                "that nothing between the client and the broker changes requests"
            )
        return user

    def operator(self, command: Command) -> User:
        """The user who sent a request about users and permissions. Raise Refused.

        Where permissions are looked at, they have been already. Elsewhere only Super users may
        send such requests, as passwords are among what they show. While nothing is switched on,
        users can be prepared by the Super user of the settings.
        """
        config = self.config
        if config.authentication and config.authorization:
            return self._claimed(command)
        if not config.authentication and not len(self._users):
            raise Refused(
                ResponseCode.SYSTEM_ERROR,
                "access control is off and this broker has no users; set initAuthenticationUser, "
                "and authenticationEnabled=true when clients are ready to sign",
            )
        user = self.authenticate(command)
        if not user.is_super:
            raise not_permitted(
                f"user {user.name!r} is not Super; without authorizationEnabled only Super users "
                "may see and change users and permissions"
            )
        return user

    def _claimed(self, command: Command) -> User:
        name = command.fields.get(ACCESS_KEY)
        if not name:
            raise not_permitted(
                "the request is not signed, and this broker asks who its clients are; give the "
                "client an access key and a secret key"
            )
        user = self._users.find(name)
        if user is None:
            raise not_permitted(
                f"user {name[:_SHOWN_CHARS]!r} is not known; check the access key, or let an "
                "operator create the user with createUser"
            )
        return user

    def _authorize(self, host: str, command: Command) -> Awaitable[None] | None:
        user: User | None = None
        if command.fields.get(ACCESS_KEY):
            user = self._claimed(command)
            if not user.is_enabled:
                raise not_permitted(f"user {user.name!r} is disabled")
            if user.is_super:
                return None
        try:
            needs = list(needs_of(command, self._cluster))
        except ProtocolError as error:
            raise not_permitted(f"what the request is about cannot be read: {error}") from None
        for need in needs:
            if user is None:
                user = self._claimed(command)  # refuses, as nobody is named
            self._check(user, need, host)
        if command.code in BY_POSITION:
            return self._check_position(user or self._claimed(command), host, command)
        return None

    async def _check_position(self, user: User, host: str, command: Command) -> None:
        position = position_of(command)
        topic = None if position is None else await self._topic_at(position)
        if topic is not None:
            self._check(user, need_at(command, topic), host)

    def _check(self, user: User, need: Need, host: str) -> None:
        entry = decide(self._acls.find(subject_of(user.name)), need, host)
        if allows(entry):
            return
        actions = " or ".join(sorted(action.value for action in need.actions))
        what = f"{subject_of(user.name)} has no permission to {actions} {need.type.value}:"
        what += f"{need.name[:_SHOWN_CHARS]} from {host}"
        if entry is None:
            raise not_permitted(
                f"{what}: no policy matches; an operator can allow it with createAcl"
            )
        raise not_permitted(f"{what}: its policy for {entry.resource} denies it")


def not_permitted(remark: str) -> Refused:
    """The refusal of whoever may not do what it asks, or asks for what cannot be."""
    return Refused(ResponseCode.NO_PERMISSION, remark)
