"""Brokers that ask who somebody is, and requests that say so."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tests.support.raw_peer import RawPeer

from pocketmq.broker.access_config import AccessConfig
from pocketmq.protocol.bodies.fastjson import dumps_plain, loads
from pocketmq.protocol.codes import RequestCode
from pocketmq.protocol.command import Command
from pocketmq.security import Credentials, sign

ROOT = Credentials("root", "root-secret")
ALICE = Credentials("alice", "alice-secret")
INIT_USER = '{"username":"root","password":"root-secret"}'


def access(*, authorization: bool = True, **settings: Any) -> AccessConfig:
    """Everything switched on, and `ROOT` is there."""
    given: dict[str, Any] = {"authentication": True, "init_user": INIT_USER}
    return AccessConfig(authorization=authorization, **(given | settings))


def signed(command: Command, by: Credentials | None) -> Command:
    """The request with a signature; None leaves it without."""
    if by is not None:
        sign(command.fields, command.body, by)
    return command


async def ask_as(
    peer: RawPeer, by: Credentials | None, code: int, body: bytes = b"", /, **fields: str
) -> Command:
    """The answer to a signed request."""
    return await peer.ask(signed(Command.request(code, dict(fields), body), by))


async def told_as(
    peer: RawPeer, by: Credentials, code: int, body: bytes = b"", /, **fields: str
) -> Any:
    """The document in the answer, which must be a success; None when it is empty."""
    answer = await ask_as(peer, by, code, body, **fields)
    assert answer.code == 0, answer.remark
    return loads(bytes(answer.body)) if answer.body else None


def user_body(password: str | None = None, **properties: str) -> bytes:
    """What a request says of a user."""
    tree: dict[str, str] = {} if password is None else {"password": password}
    return dumps_plain(tree | properties)


def entry(
    resource: str,
    *actions: str,
    sources: Sequence[str] = (),
    decision: str = "Allow",
) -> dict[str, Any]:
    """One entry of a policy."""
    tree: dict[str, Any] = {"resource": resource, "actions": [*actions], "decision": decision}
    return tree | ({"sourceIps": [*sources]} if sources else {})


def acl_body(*entries: dict[str, Any], policy: str = "Custom") -> bytes:
    """What a request says of policies."""
    return dumps_plain({"policies": [{"policyType": policy, "entries": [*entries]}]})


async def make_user(
    peer: RawPeer, user: Credentials = ALICE, *entries: dict[str, Any], **properties: str
) -> None:
    """Let `ROOT` create a user, with what is allowed to it."""
    body = user_body(user.secret_key, **properties)
    answer = await ask_as(peer, ROOT, RequestCode.AUTH_CREATE_USER, body, username=user.access_key)
    assert answer.code == 0, answer.remark
    if entries:
        await allow(peer, user, *entries)


async def allow(peer: RawPeer, user: Credentials, *entries: dict[str, Any]) -> None:
    """Let `ROOT` change what a user may do."""
    subject = f"User:{user.access_key}"
    answer = await ask_as(
        peer, ROOT, RequestCode.AUTH_CREATE_ACL, acl_body(*entries), subject=subject
    )
    assert answer.code == 0, answer.remark
