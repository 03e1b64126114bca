"""Sessions and logins: who a request comes from, and how fast passwords may be tried.

Everything here is in memory and bounded. A session is found by the hash of its token, so that a
dump of the process gives no token away.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import math
import secrets
from collections import OrderedDict
from dataclasses import dataclass, field

from pocketmq.clock import Clock
from pocketmq.console.broker_logins import BrokerLogins, BrokerUser
from pocketmq.console.problems import Problem
from pocketmq.console.users import ADMIN, User, UserFile

COOKIE = "pocketmq_session"
_FREE_FAILURES = 5
_DELAY_SECONDS_MAX = 60.0
_FORGET_SECONDS = 900.0
_REMEMBERED_MAX = 2000
_BASIC_SECONDS = 60.0
_BROKER_SECONDS = 30.0
_UNASKED_SECONDS_MAX = 300.0


@dataclass(frozen=True, slots=True)
class Visitor:
    """Who asks. Without a login everybody is an admin."""

    name: str | None
    role: str | None
    csrf: str | None = field(repr=False)
    scripted: bool = False
    """Whether the password came with the request, as scripts send it."""
    read_only: bool = False

    def must_be_admin(self, *, to_change: bool = True) -> None:
        """Raise Problem (403) unless this visitor may change things, or see what admins see."""
        if to_change and self.read_only:
            raise Problem(403, "not_allowed", "this console is read-only (console.read_only)")
        if self.role != ADMIN:
            said = "may look, but not change" if to_change else "may not look at this"
            raise Problem(403, "not_allowed", f"{self.name} {said}", hint="log in as admin")


@dataclass(slots=True)
class _Session:
    user: str
    csrf: str
    used: float
    of_broker: BrokerUser | None = None
    asked: float = 0.0
    """When the broker was asked for its user last."""


Known = User | BrokerUser


class Sessions:
    """Opens, finds and ends sessions."""

    def __init__(
        self,
        users: UserFile,
        clock: Clock,
        *,
        hours: int = 12,
        sessions_max: int = 1000,
        read_only: bool = False,
        brokers: BrokerLogins | None = None,
    ) -> None:
        self.users = users
        self._brokers = brokers
        self.guard = LoginGuard(clock)
        self._clock = clock
        self._idle_seconds = hours * 3600.0
        self._max = sessions_max
        self._read_only = read_only
        self._open: OrderedDict[bytes, _Session] = OrderedDict()
        self._basic: OrderedDict[bytes, tuple[Known, float]] = OrderedDict()
        self._csrf = secrets.token_urlsafe(24)
        """The token of writes while there is no login."""

    @property
    def needed(self) -> bool:
        """Whether one must log in. Raise ConfigError when the file of users is not understood."""
        return self._brokers is not None or self.users.needed

    async def visitor(self, cookie: str | None, basic: str | None, address: str) -> Visitor | None:
        """Who a request comes from; None for somebody who must log in first."""
        if not self.needed:
            return Visitor(None, ADMIN, self._csrf, read_only=self._read_only)
        if basic is not None:
            user = await self._by_password(basic, address)
            return Visitor(user.name, user.role, None, True, self._read_only)
        session = self._find(cookie)
        known = await self._known(session) if session is not None else None
        if session is None or known is None:
            self.logout(cookie)
            return None
        return Visitor(known.name, known.role, session.csrf, read_only=self._read_only)

    async def _known(self, session: _Session) -> Known | None:
        """Whose session it is, as that is now; a broker's user is asked for now and then."""
        if session.of_broker is None or self._brokers is None:
            return self.users.users().get(session.user)
        now = self._clock.monotonic()
        if now - session.asked > _BROKER_SECONDS:
            found = await self._brokers.again(session.of_broker)
            if found is None:
                return None
            session.of_broker, session.asked = found, now
        return session.of_broker

    async def login(self, name: str, password: str, address: str) -> tuple[str, Visitor]:
        """A new session's token and its visitor. Raise Problem (401, 429)."""
        user = await self._checked(name, password, address)
        token = secrets.token_urlsafe(32)
        now = self._clock.monotonic()
        session = _Session(user.name, secrets.token_urlsafe(24), now)
        if isinstance(user, BrokerUser):
            session.of_broker, session.asked = user, now
        self._open[_key(token)] = session
        while len(self._open) > self._max:
            self._open.popitem(last=False)
        return token, Visitor(user.name, user.role, session.csrf, read_only=self._read_only)

    def logout(self, cookie: str | None) -> None:
        """End a session."""
        if cookie is not None:
            self._open.pop(_key(cookie), None)

    def is_open(self, cookie: str | None) -> bool:
        """Whether a session still is; looking does not keep it alive."""
        session = self._open.get(_key(cookie)) if cookie is not None else None
        if session is None or session.of_broker is None:
            return session is not None and session.user in self.users.users()
        # Nobody waits here, so who else asks for this session keeps it known.
        return self._clock.monotonic() - session.asked < _UNASKED_SECONDS_MAX

    def _find(self, cookie: str | None) -> _Session | None:
        if cookie is None:
            return None
        key = _key(cookie)
        session = self._open.get(key)
        if session is None:
            return None
        now = self._clock.monotonic()
        if now - session.used > self._idle_seconds:
            del self._open[key]
            return None
        session.used = now
        self._open.move_to_end(key)
        return session

    async def _by_password(self, basic: str, address: str) -> Known:
        """The user of an Authorization header; one that was right a minute ago is not hashed."""
        key = _key(basic)
        known = self._basic.get(key)
        if known is not None and known[1] > self._clock.monotonic():
            user = known[0]
            now = user if isinstance(user, BrokerUser) else self.users.users().get(user.name)
            if now is not None:
                return now
        try:
            decoded = base64.b64decode(basic.removeprefix("Basic ").strip(), validate=True).decode()
        except (binascii.Error, ValueError):
            raise Problem(401, "login_failed", "the Authorization header is not Basic") from None
        name, _, password = decoded.partition(":")
        user = await self._checked(name, password, address)
        self._basic[key] = (user, self._clock.monotonic() + _BASIC_SECONDS)
        while len(self._basic) > self._max:
            self._basic.popitem(last=False)
        return user

    async def _checked(self, name: str, password: str, address: str) -> Known:
        self.guard.check(name, address)
        user: Known | None
        if self._brokers is not None and name not in self.users.users():
            user = await self._brokers.check(name, password)
        else:
            user = await self.users.check(name, password)
        if user is None:
            self.guard.failed(name, address)
            raise Problem(401, "login_failed", "the user or the password is wrong")
        self.guard.succeeded(name, address)
        return user


class LoginGuard:
    """Makes those wait who fail often: after five failures one second, then two, up to a minute.

    Failures count by name and by address, so neither many names from one place nor many places
    against one name get far.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._failures: OrderedDict[tuple[str, str], tuple[int, float]] = OrderedDict()

    def check(self, name: str, address: str) -> None:
        """Raise Problem (429) while one has to wait."""
        now = self._clock.monotonic()
        wait = 0.0
        for key in _keys(name, address):
            count, last = self._failures.get(key, (0, 0.0))
            if count >= _FREE_FAILURES:
                delay = min(2.0 ** (count - _FREE_FAILURES), _DELAY_SECONDS_MAX)
                wait = max(wait, last + delay - now)
        if wait > 0:
            seconds = math.ceil(wait)
            raise Problem(
                429,
                "too_many",
                f"too many failed logins; try again in {seconds} s",
                headers={"Retry-After": str(seconds)},
            )

    def failed(self, name: str, address: str) -> None:
        """Count a failure."""
        now = self._clock.monotonic()
        for key in _keys(name, address):
            count, last = self._failures.pop(key, (0, now))
            if now - last > _FORGET_SECONDS:
                count = 0
            self._failures[key] = (min(count + 1, 64), now)
        while len(self._failures) > _REMEMBERED_MAX:
            self._failures.popitem(last=False)

    def succeeded(self, name: str, address: str) -> None:
        """Forget the failures of a name from everywhere."""
        for key in _keys(name, address):
            self._failures.pop(key, None)

    def __len__(self) -> int:
        return len(self._failures)


def same_token(given: str | None, wanted: str | None) -> bool:
    """Whether a token is the right one, told in constant time."""
    if given is None or wanted is None:
        return False
    return hmac.compare_digest(given.encode(), wanted.encode())


def _keys(name: str, address: str) -> tuple[tuple[str, str], tuple[str, str]]:
    return ("name", name[:64]), ("address", address)


def _key(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()
