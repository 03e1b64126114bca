"""Policies as requests and files write them, and what is wrong with some."""

from __future__ import annotations

from typing import Final

from pocketmq.protocol.bodies.security import AclDocument, PolicyDocument, PolicyEntryDocument
from pocketmq.security.acls import (
    Acl,
    Action,
    Decision,
    Entry,
    Policy,
    PolicyType,
    parse_resource,
)
from pocketmq.security.sources import parse_source
from pocketmq.security.users import named

SOURCES_MAX: Final = 100
RESOURCE_CHARS_MAX: Final = 300
USER_PREFIX: Final = "User:"


def user_of(subject: str) -> str | None:
    """The user that a subject such as `User:alice` is, or None when it is none."""
    kind, colon, name = subject.partition(":")
    return name if colon and kind.lower() == "user" else None


def subject_of(user: str) -> str:
    """The subject that a user is."""
    return USER_PREFIX + user


def acl_from(subject: str, document: AclDocument) -> Acl:
    """The policies in a document. Raise ValueError, saying what is wrong."""
    policies = [_policy(one) for one in document.policies or () if one.entries]
    if not policies:
        raise ValueError("the policies are empty; name at least one resource")
    acl = Acl(subject, ())
    for policy in policies:
        # Two of one type in a request are one; entries within a policy stay as they were sent.
        known = any(policy.type is other.type for other in acl.policies)
        acl = acl.with_policies((policy,)) if known else Acl(subject, (*acl.policies, policy))
    return acl


def acl_document(acl: Acl) -> AclDocument:
    """Policies as a document."""
    return AclDocument(acl.subject, tuple(map(_policy_document, acl.policies)))


def _policy(document: PolicyDocument) -> Policy:
    type_ = named(PolicyType, document.policy_type) or PolicyType.CUSTOM
    return Policy(type_, tuple(map(_entry, document.entries or ())))


def _entry(document: PolicyEntryDocument) -> Entry:
    text = document.resource or ""
    resource = parse_resource(text)
    if resource is None or len(text) > RESOURCE_CHARS_MAX or not text.isprintable():
        raise ValueError(
            f"{text[:80]!r} is no resource; write Topic:name, Group:name, Cluster:name, a name "
            "that ends in *, or just *"
        )
    found = [named(Action, word) for word in document.actions or ()]
    actions = tuple(dict.fromkeys(action for action in found if action is not None))
    if not actions:
        raise ValueError(
            f"the actions for {text} are empty; write some of All, Pub, Sub, Create, Update, "
            "Delete, Get, List"
        )
    if Action.ANY in actions:
        raise ValueError("the action Any cannot be granted; write All for everything")
    decision = named(Decision, document.decision)
    if decision is None:
        raise ValueError(f"the decision about {text} is neither Allow nor Deny")
    return Entry(resource, actions, _sources(document), decision)


def _sources(document: PolicyEntryDocument) -> tuple[str, ...]:
    sources = document.source_ips or ()
    if len(sources) > SOURCES_MAX:
        raise ValueError(
            f"{len(sources)} sources for {document.resource}; write networks, at most {SOURCES_MAX}"
        )
    for source in sources:
        try:
            parse_source(source)
        except ValueError:
            raise ValueError(
                f"the source {source[:60]!r} is no address; write 10.0.0.7, 10.0.0.0/8 or fe80::/10"
            ) from None
    return sources


def _policy_document(policy: Policy) -> PolicyDocument:
    return PolicyDocument(policy.type.value, tuple(map(_entry_document, policy.entries)))


def _entry_document(entry: Entry) -> PolicyEntryDocument:
    return PolicyEntryDocument(
        str(entry.resource),
        tuple(action.value for action in entry.actions),
        entry.sources or None,
        entry.decision.value,
    )
