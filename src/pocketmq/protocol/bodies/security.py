"""Users and policies: 3001 to 3010."""

from __future__ import annotations

from dataclasses import dataclass, field

from pocketmq.protocol.bodies.documents import Document


@dataclass(frozen=True, slots=True)
class UserDocument(Document):
    """A user; absent properties stay unchanged in an update."""

    username: str | None = None
    password: str | None = field(default=None, repr=False)
    user_type: str | None = None
    user_status: str | None = None


@dataclass(frozen=True, slots=True)
class PolicyEntryDocument(Document):
    """What may be done to one resource, and from where."""

    resource: str | None = None
    actions: tuple[str, ...] | None = None
    source_ips: tuple[str, ...] | None = None
    decision: str | None = None


@dataclass(frozen=True, slots=True)
class PolicyDocument(Document):
    """A list of entries, Custom or Default."""

    policy_type: str | None = None
    entries: tuple[PolicyEntryDocument, ...] | None = None


@dataclass(frozen=True, slots=True)
class AclDocument(Document):
    """All policies of one subject, such as `User:alice`."""

    subject: str | None = None
    policies: tuple[PolicyDocument, ...] | None = None
