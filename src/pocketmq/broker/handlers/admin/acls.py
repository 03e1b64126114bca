"""Policies by request: create (3006), change (3007), delete (3008), show (3009) and list (3010).

Creating and changing do the same: entries about a resource that has one take its place. Who may
ask is decided by `Access`, before and here.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Mapping
from dataclasses import replace

from pocketmq.broker.access import Access, not_permitted
from pocketmq.broker.handlers.admin.users import Save, saved
from pocketmq.broker.rules.acl_documents import acl_document, acl_from, subject_of, user_of
from pocketmq.broker.state.acls import AclTable
from pocketmq.broker.state.users import UserTable
from pocketmq.errors import Refused
from pocketmq.net import Connection, Handler
from pocketmq.protocol.bodies.fastjson import dumps_plain
from pocketmq.protocol.bodies.security import AclDocument
from pocketmq.protocol.codes import RequestCode, ResponseCode
from pocketmq.protocol.command import Command
from pocketmq.protocol.fields import decode_fields
from pocketmq.protocol.requests.admin import AclRequest, DeleteAclRequest, ListAclsRequest
from pocketmq.security.acls import Acl, PolicyType, parse_resource
from pocketmq.security.users import named

_log = logging.getLogger(__name__)


class AclsHandler:
    """Makes, changes, deletes and shows policies."""

    def __init__(self, access: Access, users: UserTable, acls: AclTable, save: Save) -> None:
        self._access = access
        self._users = users
        self._acls = acls
        self._save = save

    def routes(self) -> Mapping[int, Handler]:
        """Request code -> handler."""
        return {
            RequestCode.AUTH_CREATE_ACL: self.put,
            RequestCode.AUTH_UPDATE_ACL: self.put,
            RequestCode.AUTH_DELETE_ACL: self.delete,
            RequestCode.AUTH_GET_ACL: self.show,
            RequestCode.AUTH_LIST_ACL: self.list,
        }

    def put(self, connection: Connection, command: Command) -> Awaitable[Command]:
        """Add entries to a subject's policies, or change those about the same resources."""
        self._access.operator(command)
        document = AclDocument.from_request(command.body) if command.body else AclDocument()
        if not document.policies:
            raise Refused(ResponseCode.SYSTEM_ERROR, "the body with the policies is missing")
        asked = document.subject or decode_fields(AclRequest, command.fields).subject
        subject = self._subject(asked, missing=ResponseCode.SYSTEM_ERROR)
        try:
            given = acl_from(subject, document)
        except ValueError as error:
            raise not_permitted(str(error)) from None
        old = self._acls.find(subject)
        acl = given if old is None else old.with_policies(given.policies)
        problem = self._acls.room_problem(acl)
        if problem is not None:
            raise Refused(ResponseCode.SYSTEM_ERROR, problem)
        self._acls.put(acl)
        return self._saved(command, connection, "changed", subject)

    def delete(self, connection: Connection, command: Command) -> Awaitable[Command]:
        """Take an entry out of a subject's policies, or all that it has."""
        self._access.operator(command)
        request = decode_fields(DeleteAclRequest, command.fields)
        subject = self._subject(request.subject, missing=ResponseCode.NO_PERMISSION)
        acl = self._acls.find(subject)
        if acl is None:
            raise not_permitted(f"{subject} has no policies; listAcl shows who has")
        text = (request.resource or "").strip()
        if not text:
            self._acls.remove(subject)
            return self._saved(command, connection, "deleted", subject)
        resource = parse_resource(text)
        if resource is None:
            raise Refused(
                ResponseCode.INVALID_PARAMETER,
                f"{text[:80]!r} is no resource; write it as getAcl shows it",
            )
        type_ = named(PolicyType, request.policy_type) or PolicyType.CUSTOM
        self._acls.put(acl.without(type_, resource))
        return self._saved(command, connection, "changed", subject)

    def show(self, connection: Connection, command: Command) -> Command:
        """One subject's policies, or an empty answer when it has none."""
        self._access.operator(command)
        asked = decode_fields(AclRequest, command.fields).subject
        acl = self._acls.find(self._subject(asked, missing=ResponseCode.SYSTEM_ERROR))
        return command.reply(body=b"" if acl is None else acl_document(acl).to_json())

    def list(self, connection: Connection, command: Command) -> Command:
        """All policies whose subject and resource contain the filters."""
        self._access.operator(command)
        request = decode_fields(ListAclsRequest, command.fields)
        subject = (request.subject_filter or "").strip()
        resource = (request.resource_filter or "").strip()
        found = [_only(acl, resource) for acl in self._acls.all() if subject in acl.subject]
        trees = [acl_document(acl).to_tree() for acl in found if acl.policies]
        return command.reply(body=dumps_plain(trees) if trees else b"")

    def _subject(self, text: str | None, *, missing: int) -> str:
        """The subject that is meant, which must be a user that exists. Raise Refused."""
        name = user_of(text or "")
        if name is None:
            raise Refused(missing, f"{(text or '')[:80]!r} is no subject; write User:name")
        if self._users.find(name) is None:
            raise not_permitted(f"user {name[:80]!r} does not exist; create it with createUser")
        return subject_of(name)

    async def _saved(
        self, command: Command, connection: Connection, what: str, subject: str
    ) -> Command:
        _log.warning("policies of=%.80r %s_by=%s", subject, what, connection.peer)
        await saved(self._save)
        return command.reply()


def _only(acl: Acl, resource: str) -> Acl:
    """The entries whose resource contains a text."""
    if not resource:
        return acl
    policies = [
        replace(policy, entries=tuple(e for e in policy.entries if resource in str(e.resource)))
        for policy in acl.policies
    ]
    return replace(acl, policies=tuple(policy for policy in policies if policy.entries))
