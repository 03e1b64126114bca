"""Users by request: create (3001), change (3002), delete (3003), show (3004) and list (3005).

Answers hold passwords in clear, as Apache's do: tools copy users from broker to broker with them.
Who may ask is decided by `Access`, before and here.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace

from pocketmq.broker.access import Access, not_permitted
from pocketmq.broker.rules.acl_documents import subject_of
from pocketmq.broker.state.acls import AclTable
from pocketmq.broker.state.users import UserTable, user_document
from pocketmq.errors import Refused, StoreError
from pocketmq.net import Connection, Handler
from pocketmq.protocol.bodies.fastjson import dumps_plain
from pocketmq.protocol.bodies.security import UserDocument
from pocketmq.protocol.codes import RequestCode, ResponseCode
from pocketmq.protocol.command import Command
from pocketmq.protocol.fields import decode_fields
from pocketmq.protocol.requests.admin import ListUsersRequest, UserRequest
from pocketmq.security.users import User, UserStatus, UserType, named, user_problem

_log = logging.getLogger(__name__)

Save = Callable[[], Awaitable[object]]


class UsersHandler:
    """Makes, changes, deletes and shows users."""

    def __init__(self, access: Access, users: UserTable, acls: AclTable, save: Save) -> None:
        self._access = access
        self._users = users
        self._acls = acls
        self._save = save

    def routes(self) -> Mapping[int, Handler]:
        """Request code -> handler."""
        return {
            RequestCode.AUTH_CREATE_USER: self.create,
            RequestCode.AUTH_UPDATE_USER: self.update,
            RequestCode.AUTH_DELETE_USER: self.delete,
            RequestCode.AUTH_GET_USER: self.show,
            RequestCode.AUTH_LIST_USER: self.list,
        }

    def create(self, connection: Connection, command: Command) -> Awaitable[Command]:
        """Make a user that is not there yet."""
        operator, name = self._access.operator(command), _name(command)
        asked = _asked(command)
        type_ = named(UserType, asked.user_type) or UserType.NORMAL
        if type_ is UserType.SUPER and not operator.is_super:
            raise _only_super(ResponseCode.SYSTEM_ERROR)
        if not name.strip():
            raise not_permitted("the user's name is blank; give it a name")
        password = asked.password or ""
        if not password.strip():
            raise not_permitted(f"user {name!r} would have a blank password; give it one")
        _check(name, password)
        if self._users.find(name) is not None:
            raise not_permitted(f"user {name!r} exists already; change it with updateUser")
        if self._users.is_full:
            raise Refused(
                ResponseCode.SYSTEM_ERROR,
                f"there are {len(self._users)} users, and no more are kept (access.users_max)",
            )
        status = named(UserStatus, asked.user_status) or UserStatus.ENABLE
        self._users.put(User(name, password, type_, status))
        return self._saved(command, connection, "created", name)

    def update(self, connection: Connection, command: Command) -> Awaitable[Command]:
        """Change what the request names of a user; the rest stays."""
        operator, name = self._access.operator(command), _name(command)
        asked = _asked(command)
        type_ = named(UserType, asked.user_type)
        if type_ is UserType.SUPER and not operator.is_super:
            raise _only_super(ResponseCode.SYSTEM_ERROR)
        user = self._users.find(name)
        if user is None:
            raise not_permitted(f"user {name[:80]!r} does not exist; create it with createUser")
        if user.is_super and not operator.is_super:
            raise _only_super(ResponseCode.NO_PERMISSION)
        password = asked.password or ""
        _check(name, password)
        status = named(UserStatus, asked.user_status) or user.status
        changed = replace(user, type=type_ or user.type, status=status)
        self._users.put(replace(changed, password=password) if password.strip() else changed)
        return self._saved(command, connection, "changed", name)

    def delete(self, connection: Connection, command: Command) -> Awaitable[Command]:
        """Delete a user and its policies. No error when there is none."""
        operator = self._access.operator(command)
        name = decode_fields(UserRequest, command.fields).username or ""
        if not name.strip():
            raise not_permitted("the user's name is blank; name the user to delete")
        user = self._users.find(name)
        if user is not None:
            if user.is_super and not operator.is_super:
                raise _only_super(ResponseCode.NO_PERMISSION)
            self._users.remove(name)
            self._acls.remove(subject_of(name))
        return self._saved(command, connection, "deleted", name)

    def show(self, connection: Connection, command: Command) -> Command:
        """One user, or an empty answer when there is none."""
        self._access.operator(command)
        user = self._users.find(_name(command))
        return command.reply(body=b"" if user is None else user_document(user).to_json())

    def list(self, connection: Connection, command: Command) -> Command:
        """All users whose name contains the filter; an empty answer when there are none."""
        self._access.operator(command)
        wanted = (decode_fields(ListUsersRequest, command.fields).filter or "").strip()
        trees = [user_document(u).to_tree() for u in self._users.all() if wanted in u.name]
        return command.reply(body=dumps_plain(trees) if trees else b"")

    async def _saved(
        self, command: Command, connection: Connection, what: str, name: str
    ) -> Command:
        _log.warning("user=%.80r %s_by=%s", name, what, connection.peer)
        await saved(self._save)
        return command.reply()


async def saved(save: Save) -> None:
    """Wait until a change is on the disk. Raise Refused."""
    try:
        await save()
    except (StoreError, OSError) as error:
        raise Refused(
            ResponseCode.SYSTEM_ERROR,
            f"the change holds until a restart only, as it could not be saved: {error}",
        ) from None


def _name(command: Command) -> str:
    name = decode_fields(UserRequest, command.fields).username
    if not name:
        raise Refused(
            ResponseCode.INVALID_PARAMETER, "the user's name is missing; send it as username"
        )
    return name


def _asked(command: Command) -> UserDocument:
    if not command.body:
        raise Refused(ResponseCode.SYSTEM_ERROR, "the body with the user is missing")
    return UserDocument.from_request(command.body)


def _check(name: str, password: str) -> None:
    problem = user_problem(name, password)
    if problem is not None:
        raise Refused(ResponseCode.INVALID_PARAMETER, problem)


def _only_super(code: int) -> Refused:
    return Refused(code, "only Super users may make, change or delete Super users")
