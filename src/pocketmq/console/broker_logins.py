"""Logging in with the users of the brokers: super users become admins, normal ones viewers.

A password is checked as brokers check it: a harmless request is signed with what was typed, and the
broker says whether it is right. So that this means anything, the same request with a made-up
password has to be refused first: a broker that does not look at signatures accepts every one.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass, field, replace

from pocketmq.admin import Admin, Broker
from pocketmq.admin.users import SUPER
from pocketmq.client.calls import Calls
from pocketmq.console.problems import Problem
from pocketmq.console.users import ADMIN, VIEWER
from pocketmq.errors import BrokerRefused, NetError
from pocketmq.protocol.codes import RequestCode, ResponseCode
from pocketmq.security import Credentials


@dataclass(frozen=True, slots=True)
class BrokerUser:
    """A user of a broker that has logged in."""

    name: str
    role: str
    broker: str
    mark: bytes = field(repr=False)
    """Changes with the password."""


class BrokerLogins:
    """Checks passwords with the first master that answers, and who users are with our own."""

    def __init__(self, admin: Admin) -> None:
        self._admin = admin
        self._key = secrets.token_bytes(32)

    async def check(self, name: str, password: str) -> BrokerUser | None:
        """The user, when the password is right. Raise Problem when no broker can tell."""
        if not name or not password:
            return None
        last: NetError | None = None
        for broker in await self._admin.clusters.masters():
            try:
                if await self._accepts(broker, Credentials(name, secrets.token_hex(16))):
                    raise _looks_at_nothing(broker)
                if not await self._accepts(broker, Credentials(name, password)):
                    return None
            except NetError as error:
                last = error
                continue
            return await self._found(name, broker.name)
        why = f" ({last})" if last is not None else ""
        raise Problem(502, "unreachable", f"no broker answers, so nobody can log in now{why}")

    async def again(self, user: BrokerUser) -> BrokerUser | None:
        """The user as it is now; None when it is gone, disabled or has another password."""
        found = await self._found(user.name, user.broker)
        if found is None or not hmac.compare_digest(found.mark, user.mark):
            return None
        return found

    async def _accepts(self, broker: Broker, credentials: Credentials) -> bool:
        config = replace(self._admin.config, credentials=credentials)
        calls = Calls(self._admin.calls.rpc, config)
        try:
            await calls.ask(broker.address, RequestCode.GET_BROKER_RUNTIME_INFO)
        except BrokerRefused as error:
            if error.code != ResponseCode.NO_PERMISSION:
                raise
            return False
        return True

    async def _found(self, name: str, broker: str) -> BrokerUser | None:
        try:
            user = await self._admin.users.find(name, broker=broker)
        except BrokerRefused as error:
            if error.code != ResponseCode.NO_PERMISSION:
                raise
            raise Problem(
                422,
                "refused",
                "the console may not ask the broker who its users are",
                hint="give it a super user with edge.access_key and edge.secret_key",
            ) from error
        if user is None or not user.enabled:
            return None
        mark = hmac.new(self._key, user.password.reveal().encode(), hashlib.sha256).digest()
        return BrokerUser(name, ADMIN if user.kind == SUPER else VIEWER, broker, mark)


def _looks_at_nothing(broker: Broker) -> Problem:
    return Problem(
        422,
        "refused",
        f"{broker.name} does not look at signatures, so it cannot tell who somebody is",
        hint="set authenticationEnabled=true there, or make a login with `pocketmq console user "
        "add`",
    )
