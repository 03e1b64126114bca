"""Users and rules of the brokers, for admins alone; no password ever goes to a browser."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Literal

from pocketmq.admin import Acl, AclList, Rule, Secret, User, UserChange, UserList
from pocketmq.admin.acls import CUSTOM, subject_of
from pocketmq.admin.users import NAME_CHARS_MAX, NORMAL, PASSWORD_CHARS_MAX
from pocketmq.console.desk import Desk
from pocketmq.console.endpoints import Noun
from pocketmq.console.problems import Problem, bad_request, not_found
from pocketmq.console.shapes import field_of
from pocketmq.errors import AccessUnavailable, BrokerRefused
from pocketmq.protocol.codes import ResponseCode

access = Noun("Access")

_ASKS_AS_NOBODY = (
    "the console has to ask as a super user here: give it one with edge.access_key and "
    "edge.secret_key"
)


@dataclass(frozen=True, slots=True)
class AccessBroker:
    """Whether a broker asks who somebody is and looks at rules; null: it did not tell."""

    name: str
    authentication: bool | None
    authorization: bool | None
    error: str | None


@dataclass(frozen=True, slots=True)
class UserPicture:
    """A user, the brokers that know it, and what they have set differently."""

    name: str
    type: str
    enabled: bool
    brokers: tuple[str, ...]
    lacking: tuple[str, ...]
    differences: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RulePicture:
    """A rule, the brokers that have exactly it, and those that lack it."""

    subject: str
    resource: str
    actions: tuple[str, ...]
    decision: str
    sources: tuple[str, ...]
    kind: str
    brokers: tuple[str, ...]
    lacking: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class AccessPicture:
    """Who may do what. `unavailable` says why brokers keep no users, and `to_set` what to set.

    `signs_as` is the user in whose name the console itself asks.
    """

    brokers: tuple[AccessBroker, ...]
    users: tuple[UserPicture, ...]
    rules: tuple[RulePicture, ...]
    unavailable: str | None
    to_set: dict[str, str]
    problems: dict[str, str]
    signs_as: str | None


@dataclass(frozen=True, slots=True)
class NewUser:
    """A user to create."""

    name: str = field_of(doc="Its name, which is the access key of its clients.")
    password: str = field_of(
        doc="Its password, which is the secret key.", chars_max=PASSWORD_CHARS_MAX, secret=True
    )
    type: Literal["Super", "Normal"] = field_of(NORMAL, "Super may do everything.")
    enabled: bool = field_of(True, "Whether it may connect.")


@dataclass(frozen=True, slots=True)
class UserChanges:
    """What is to change of a user; null leaves it as it is."""

    password: str | None = field_of(
        None, "A new password.", chars_max=PASSWORD_CHARS_MAX, secret=True
    )
    type: Literal["Super", "Normal"] | None = field_of(None, "Super may do everything.")
    enabled: bool | None = field_of(None, "Whether it may connect.")


@dataclass(frozen=True, slots=True)
class RuleToSave:
    """A rule; one that is there for the same subject and resource goes."""

    subject: str = field_of(doc="Whose rule: `alice` or `User:alice`.")
    resource: str = field_of(doc="`Topic:orders`, `Group:bill*`, `Cluster:*` or `*`.")
    actions: tuple[str, ...] = field_of(doc="All, Pub, Sub, Create, Update, Delete, Get, List.")
    decision: Literal["Allow", "Deny"] = field_of("Allow", "What it decides.")
    sources: tuple[str, ...] = field_of((), "Addresses it is about; none: all.")
    kind: Literal["Custom", "Default"] = field_of(CUSTOM, "Custom ones are looked at first.")


@dataclass(frozen=True, slots=True)
class RulesQuery:
    """Which rules are meant."""

    subject: str = field_of(doc="Whose rules.")
    resource: str | None = field_of(None, "Only the rule for this resource; else all.")


@dataclass(frozen=True, slots=True)
class SyncRequest:
    """What all brokers are to have alike: a user, or the rules of a subject."""

    user: str | None = field_of(None, "The user.")
    subject: str | None = field_of(None, "The subject of rules.")
    source: str | None = field_of(None, "The broker that is right; else the first that has it.")


@dataclass(frozen=True, slots=True)
class ChangedBrokers:
    """The brokers that took a change."""

    brokers: tuple[str, ...]


@access.get("/access", viewers=False)
async def show(desk: Desk) -> AccessPicture:
    """Users and rules, which broker lacks one, and whether brokers ask for them at all."""
    admin = desk.admin
    switches = await admin.access.switches(await admin.access.brokers())
    brokers = tuple(
        AccessBroker(one.broker, None, None, one.problem)
        if one.problem
        else AccessBroker(one.broker, one.authentication, one.authorization, None)
        for one in switches
    )
    credentials = admin.config.credentials
    own = credentials.access_key if credentials is not None else None
    try:
        users, acls = await _both(desk)
    except AccessUnavailable as error:
        return AccessPicture(brokers, (), (), str(error), error.to_set, {}, own)
    except BrokerRefused as error:
        if error.code != ResponseCode.NO_PERMISSION:
            raise
        raise Problem(422, "refused", str(error), hint=_ASKS_AS_NOBODY) from error
    rules = tuple(rule for acl in acls.acls for rule in _rules(acl))
    problems = {**users.problems, **acls.problems}
    return AccessPicture(
        brokers, tuple(_picture(one) for one in users.users), rules, None, {}, problems, own
    )


async def _both(desk: Desk) -> tuple[UserList, AclList]:
    return await asyncio.gather(desk.admin.users.all(), desk.admin.acls.all())


@access.post("/access/users", status=201)
async def create_user(desk: Desk, body: NewUser) -> UserPicture:
    """Create a user on all brokers."""
    if not body.name.strip() or len(body.name) > NAME_CHARS_MAX:
        raise bad_request(f"a name has 1 to {NAME_CHARS_MAX} characters", "name")
    if await desk.admin.users.find(body.name) is not None:
        raise Problem(409, "exists", f"the user {body.name} exists already")
    await desk.admin.users.create(
        body.name, Secret(body.password), kind=body.type, enabled=body.enabled
    )
    return await _user(desk, body.name)


@access.patch("/access/users/{name}")
async def change_user(desk: Desk, name: str, body: UserChanges) -> UserPicture:
    """Change a user on all brokers that know it."""
    await _user(desk, name)
    password = Secret(body.password) if body.password is not None else None
    await desk.admin.users.update(name, UserChange(password, body.type, body.enabled))
    return await _user(desk, name)


@access.delete("/access/users/{name}")
async def delete_user(desk: Desk, name: str) -> ChangedBrokers:
    """Delete a user and its rules."""
    await _user(desk, name)
    return ChangedBrokers(tuple(await desk.admin.users.delete(name)))


@access.put("/access/rules")
async def save_rule(desk: Desk, body: RuleToSave) -> ChangedBrokers:
    """Create a rule on all brokers, or change the one for the same subject and resource."""
    rule = Rule(body.resource, body.actions, body.decision, body.sources, body.kind)
    return ChangedBrokers(tuple(await desk.admin.acls.save(subject_of(body.subject), [rule])))


@access.delete("/access/rules")
async def delete_rules(desk: Desk, query: RulesQuery) -> ChangedBrokers:
    """Delete the rules of a subject, or the one for a resource."""
    done = await desk.admin.acls.delete(subject_of(query.subject), query.resource)
    return ChangedBrokers(tuple(done))


@access.post("/access/sync")
async def sync(desk: Desk, body: SyncRequest) -> ChangedBrokers:
    """Make all brokers have a user, or the rules of a subject, as one of them does."""
    if (body.user is None) == (body.subject is None):
        raise bad_request("give either user or subject", "user")
    if body.user is not None:
        return ChangedBrokers(tuple(await desk.admin.users.sync(body.user, body.source)))
    subject = subject_of(body.subject or "")
    return ChangedBrokers(tuple(await desk.admin.acls.sync(subject, body.source)))


async def _user(desk: Desk, name: str) -> UserPicture:
    found = await desk.admin.users.find(name)
    if found is None:
        raise not_found("user", name, "users that exist are listed at /api/v1/access")
    return _picture(found)


def _picture(user: User) -> UserPicture:
    differences = tuple("type" if one == "kind" else one for one in user.differences)
    return UserPicture(user.name, user.kind, user.enabled, user.brokers, user.lacking, differences)


def _rules(acl: Acl) -> list[RulePicture]:
    return [
        RulePicture(
            acl.subject,
            one.rule.resource,
            one.rule.actions,
            one.rule.decision,
            one.rule.sources,
            one.rule.kind,
            one.brokers,
            one.lacking,
        )
        for one in acl.rules
    ]
