"""Users: who may connect to brokers that ask. Passwords stay wrapped until somebody opens one.

await admin.users.create("alice", Secret("open sesame"))
for user in (await admin.users.all()).users:
    print(user.name, user.kind, user.lacking)
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, NoReturn

from pocketmq.admin.access import Access, Told, label_of
from pocketmq.admin.clusters import Broker
from pocketmq.errors import ConfigError, MalformedBody
from pocketmq.protocol.bodies.fastjson import loads
from pocketmq.protocol.bodies.security import UserDocument
from pocketmq.protocol.codes import RequestCode
from pocketmq.protocol.requests.admin import ListUsersRequest, UserRequest

SUPER: Final = "Super"
NORMAL: Final = "Normal"
KINDS: Final = (SUPER, NORMAL)
"""A Super user may do everything; a Normal one what rules allow."""
NAME_CHARS_MAX: Final = 255
PASSWORD_CHARS_MAX: Final = 1024


class Secret:
    """A password that neither `repr`, JSON nor a log shows.

    >>> Secret("open sesame")
    Secret(***)
    """

    __slots__ = ("_reveal",)

    def __init__(self, text: str) -> None:
        # Held by a closure, so that walking over the attributes finds no text.
        self._reveal: Callable[[], str] = lambda: text

    def reveal(self) -> str:
        """The password in clear, for a broker or for somebody who asked to see it."""
        return self._reveal()

    def __repr__(self) -> str:
        return "Secret(***)"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return hmac.compare_digest(self.reveal().encode(), other.reveal().encode())

    def __hash__(self) -> int:
        return hash(self.reveal())

    def __reduce__(self) -> NoReturn:
        raise TypeError("a password is not pickled, because it would lie in the file")


@dataclass(frozen=True, slots=True)
class UserSetup:
    """A user as one broker has it."""

    broker: str
    kind: str
    enabled: bool
    password: Secret = field(repr=False)
    cluster: str = ""

    def is_like(self, other: UserSetup) -> bool:
        """Whether nothing but the broker differs."""
        mine, its = ((one.kind, one.enabled, one.password) for one in (self, other))
        return mine == its


@dataclass(frozen=True, slots=True)
class User:
    """A user as all brokers have it: one setup for each that knows it."""

    name: str
    setups: tuple[UserSetup, ...]
    lacking: tuple[str, ...] = ()
    """Brokers that do not know it, though another one of their cluster does."""

    @property
    def kind(self) -> str:
        """Super or Normal, as the first broker has it."""
        return self.setups[0].kind

    @property
    def enabled(self) -> bool:
        """Whether it may connect, as the first broker has it."""
        return self.setups[0].enabled

    @property
    def password(self) -> Secret:
        """Its password, as the first broker has it."""
        return self.setups[0].password

    @property
    def brokers(self) -> tuple[str, ...]:
        """Brokers that know it."""
        return tuple(one.broker for one in self.setups)

    @property
    def differences(self) -> tuple[str, ...]:
        """What brokers of a cluster have set differently: `kind`, `enabled`, `password`."""
        models = self.models()
        return tuple(
            name
            for name in ("kind", "enabled", "password")
            if any(getattr(one, name) != getattr(models[one.cluster], name) for one in self.setups)
        )

    def models(self, source: str | None = None) -> dict[str, UserSetup]:
        """What the others of a cluster are to be like: the first setup, or the source's."""
        chosen = [one for one in self.setups if source in (None, one.broker)]
        return {one.cluster: one for one in reversed(chosen)}

    @property
    def same_everywhere(self) -> bool:
        """Whether all brokers know it and have it set up alike."""
        return not self.lacking and not self.differences


@dataclass(frozen=True, slots=True)
class UserList:
    """The users of a cluster, by name."""

    users: tuple[User, ...]
    brokers: tuple[str, ...]
    """Brokers that told theirs."""
    problems: dict[str, str]
    """Brokers that did not, and why."""


@dataclass(frozen=True, slots=True)
class UserChange:
    """What is to change; None leaves it as it is."""

    password: Secret | None = None
    kind: str | None = None
    enabled: bool | None = None


class Users:
    """What an operator does with users.

    `cluster` and `broker` narrow which brokers are meant. What goes wrong is raised, as `Admin`
    says; AccessUnavailable where a broker keeps no users, PartlyDone where only some took a change.
    """

    def __init__(self, access: Access) -> None:
        self._access = access

    async def all(
        self, part: str = "", *, cluster: str | None = None, broker: str | None = None
    ) -> UserList:
        """All users whose names contain a text, and which broker lacks which."""
        return await self.among(await self._access.brokers(cluster, broker), part)

    async def among(self, brokers: Sequence[Broker], part: str = "") -> UserList:
        """The same of these brokers."""

        async def ask(one: Broker) -> dict[str, UserSetup]:
            request = ListUsersRequest(part)
            answer = await self._access.ask(one, RequestCode.AUTH_LIST_USER, request)
            return _setups(label_of(one), bytes(answer.body))

        return _listed(await self._access.told(brokers, ask))

    async def find(
        self, name: str, *, cluster: str | None = None, broker: str | None = None
    ) -> User | None:
        """One user; None when no broker knows it."""
        found = await self._look(name, cluster, broker)
        return next(iter(found.users), None)

    async def _look(self, name: str, cluster: str | None, broker: str | None) -> UserList:
        """One user as all brokers have it, or none, and the brokers that did not tell."""
        brokers = await self._access.brokers(cluster, broker)

        # Brokers answer with passwords in clear, so they are asked for no more than this one.
        async def ask(one: Broker) -> dict[str, UserSetup]:
            answer = await self._access.ask(one, RequestCode.AUTH_GET_USER, UserRequest(name))
            body = bytes(answer.body)
            return _setups(label_of(one), b"[" + body + b"]" if body else b"")

        return _listed(await self._access.told(brokers, ask))

    async def create(
        self,
        name: str,
        password: Secret,
        *,
        kind: str = NORMAL,
        enabled: bool = True,
        cluster: str | None = None,
        broker: str | None = None,
    ) -> list[str]:
        """Create a user; return the brokers that did. Raise ConfigError when one knows it."""
        _check(name, UserChange(password, kind))
        known = await self.find(name, cluster=cluster, broker=broker)
        if known is not None:
            raise ConfigError(
                f"the user {name} exists on {', '.join(known.brokers)}; change it with "
                f"`user update {name}`, or have all brokers know it with `user sync {name}`"
            )
        brokers = await self._access.brokers(cluster, broker)
        setup = UserSetup("", kind, enabled, password)
        return await self._access.change(brokers, lambda one: self._create(one, name, setup))

    async def update(
        self,
        name: str,
        change: UserChange,
        *,
        cluster: str | None = None,
        broker: str | None = None,
    ) -> list[str]:
        """Change a user on all brokers that know it; return them. Raise ConfigError for none."""
        _check(name, change)
        known, silent = await self._known(name, cluster, broker)
        brokers = await self._those((*known.brokers, *silent), cluster)
        document = UserDocument(
            name,
            change.password.reveal() if change.password is not None else None,
            change.kind,
            None if change.enabled is None else _status(change.enabled),
        )
        return await self._access.change(brokers, lambda one: self._update(one, name, document))

    async def delete(
        self, name: str, *, cluster: str | None = None, broker: str | None = None
    ) -> list[str]:
        """Delete a user and its rules; return the brokers that knew it. Raise ConfigError."""
        known, silent = await self._known(name, cluster, broker)
        brokers = await self._those((*known.brokers, *silent), cluster)
        code, request = RequestCode.AUTH_DELETE_USER, UserRequest(name)
        return await self._access.change(brokers, lambda one: self._access.ask(one, code, request))

    async def sync(
        self, name: str, source: str | None = None, *, cluster: str | None = None
    ) -> list[str]:
        """Make all brokers of a cluster know a user as one of them does; return those that changed.

        Without a `source` that is the first of each cluster that knows it. Raise ConfigError.
        """
        known, silent = await self._known(name, cluster, None)
        models = known.models(source)
        if not models:
            raise ConfigError(f"{source} does not know the user {name}; {known.brokers[0]} does")
        setups = {one.broker: one for one in known.setups}

        async def make(one: Broker) -> None:
            model = models[one.cluster]
            if label_of(one) in known.lacking:
                await self._create(one, name, model)
            else:
                status = _status(model.enabled)
                document = UserDocument(name, model.password.reveal(), model.kind, status)
                await self._update(one, name, document)

        def is_off(one: Broker) -> bool:
            setup = setups.get(label_of(one))
            return setup is None or not setup.is_like(models[one.cluster])

        brokers = await self._those((*known.lacking, *known.brokers, *silent), cluster)
        return await self._access.change(
            [one for one in brokers if one.cluster in models and is_off(one)], make
        )

    async def _known(
        self, name: str, cluster: str | None, broker: str | None
    ) -> tuple[User, list[str]]:
        """A user, and the brokers that did not tell whether they know it.

        Whoever changes the user asks those again, so that the change is not taken for done.
        """
        found = await self._look(name, cluster, broker)
        if not found.users:
            raise ConfigError(
                f"there is no user {name!r}; `user list` shows those that are, and "
                f"`user create {name}` makes it"
            )
        return found.users[0], list(found.problems)

    async def _those(self, labels: Sequence[str], cluster: str | None) -> list[Broker]:
        return [one for one in await self._access.brokers(cluster) if label_of(one) in labels]

    async def _create(self, broker: Broker, name: str, setup: UserSetup) -> None:
        password, status = setup.password.reveal(), _status(setup.enabled)
        body = UserDocument(name, password, setup.kind, status).to_json()
        await self._access.ask(broker, RequestCode.AUTH_CREATE_USER, UserRequest(name), body)

    async def _update(self, broker: Broker, name: str, document: UserDocument) -> None:
        code, header = RequestCode.AUTH_UPDATE_USER, UserRequest(name)
        await self._access.ask(broker, code, header, document.to_json())


def _listed(told: Told[dict[str, UserSetup]]) -> UserList:
    """The users of all brokers by name, and who lacks which."""
    users = []
    for name in sorted({name for setups in told.answers.values() for name in setups}):
        setups = tuple(
            replace(found[name], cluster=told.clusters[label])
            for label, found in told.answers.items()
            if name in found
        )
        users.append(User(name, setups, told.lacking([one.broker for one in setups])))
    return UserList(tuple(users), tuple(told.answers), told.problems)


def _setups(broker: str, body: bytes) -> dict[str, UserSetup]:
    """The users in a broker's answer, which is empty when there are none."""
    tree = loads(body) if body else []
    if not isinstance(tree, list):
        raise MalformedBody(f"{broker} tells its users as something that is no list")
    setups = {}
    for one in map(UserDocument.from_tree, tree):
        if one.username:
            kind = SUPER if (one.user_type or "").lower() == SUPER.lower() else NORMAL
            enabled = (one.user_status or "").lower() != "disable"
            setups[one.username] = UserSetup(broker, kind, enabled, Secret(one.password or ""))
    return setups


def _status(enabled: bool) -> str:
    return "enable" if enabled else "disable"


def _check(name: str, change: UserChange) -> None:
    """Raise ConfigError for what no broker takes, or takes and makes something else of."""
    if not name.strip() or len(name) > NAME_CHARS_MAX:
        raise ConfigError(f"a user's name has 1 to {NAME_CHARS_MAX} characters")
    if change.kind is not None and change.kind not in KINDS:
        raise ConfigError(f"a user is {' or '.join(KINDS)}, not {change.kind!r}")
    if change.password is not None:
        text = change.password.reveal()
        if not text.strip() or len(text) > PASSWORD_CHARS_MAX:
            raise ConfigError(f"a password has 1 to {PASSWORD_CHARS_MAX} characters")
