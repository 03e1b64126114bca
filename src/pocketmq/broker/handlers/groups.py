"""Consumer groups by request: create and change (200, 225), delete (207), look at (201, 352), and
forbid a topic (353)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from pocketmq.broker.rules.pages import page_of
from pocketmq.broker.state.groups import GroupTable
from pocketmq.broker.state.offsets import OffsetTable
from pocketmq.broker.state.statistics import Statistics
from pocketmq.errors import Refused
from pocketmq.message.topics import group_problem
from pocketmq.net import Connection, Handler
from pocketmq.protocol.bodies.subscription_group import (
    GroupForbidden,
    SubscriptionGroup,
    SubscriptionGroupList,
    SubscriptionGroupTable,
)
from pocketmq.protocol.codes import RequestCode, ResponseCode
from pocketmq.protocol.command import Command
from pocketmq.protocol.fields import decode_fields, encode_fields
from pocketmq.protocol.requests.groups import (
    AllGroupConfigReply,
    AllGroupConfigRequest,
    DeleteGroupRequest,
    GroupForbiddenRequest,
    GroupRequest,
)

Save = Callable[[], Awaitable[object]]


class GroupsHandler:
    """Creates, changes, deletes and shows groups."""

    def __init__(
        self, groups: GroupTable, offsets: OffsetTable, statistics: Statistics, save: Save
    ) -> None:
        self._groups = groups
        self._offsets = offsets
        self._statistics = statistics
        self._save = save

    def routes(self) -> Mapping[int, Handler]:
        """Request code -> handler."""
        return {
            RequestCode.UPDATE_AND_CREATE_SUBSCRIPTIONGROUP: self.create,
            RequestCode.UPDATE_AND_CREATE_SUBSCRIPTIONGROUP_LIST: self.create_many,
            RequestCode.DELETE_SUBSCRIPTIONGROUP: self.delete,
            RequestCode.GET_ALL_SUBSCRIPTIONGROUP_CONFIG: self.all_configs,
            RequestCode.GET_SUBSCRIPTIONGROUP_CONFIG: self.config,
            RequestCode.UPDATE_AND_GET_GROUP_FORBIDDEN: self.forbid,
        }

    def create(self, connection: Connection, command: Command) -> Awaitable[Command]:
        """Create a group or change it."""
        return self._apply(command, (SubscriptionGroup.from_request(command.body),))

    def create_many(self, connection: Connection, command: Command) -> Awaitable[Command]:
        """Create or change the groups of a list; all are checked before any is changed."""
        groups = SubscriptionGroupList.from_request(command.body).group_config_list
        return self._apply(command, groups)

    def _apply(self, command: Command, groups: tuple[SubscriptionGroup, ...]) -> Awaitable[Command]:
        for group in groups:
            problem = group_problem(group.group_name)
            if problem is not None:
                raise Refused(ResponseCode.INVALID_PARAMETER, problem)
        self._groups.put_all(groups)
        return self._saved(command.reply())

    async def _saved(self, reply: Command) -> Command:
        await self._save()
        return reply

    def delete(self, connection: Connection, command: Command) -> Awaitable[Command]:
        """Delete a group's settings and, if asked, its offsets. No error when there is none."""
        request = decode_fields(DeleteGroupRequest, command.fields)
        self._groups.delete(request.group_name)
        if request.clean_offset:
            self._offsets.remove_group(request.group_name)
        self._statistics.remove_group(request.group_name)
        return self._saved(command.reply())

    def all_configs(self, connection: Connection, command: Command) -> Command:
        """All groups, or a page of them when the request asks for one."""
        request = decode_fields(AllGroupConfigRequest, command.fields)
        version = self._groups.data_version
        page = page_of(
            self._groups.configs,
            request.group_seq,
            request.max_group_num,
            request.data_version,
            version,
        )
        forbidden = {name: dict(topics) for name, topics in self._groups.forbidden.items()}
        total = None if request.group_seq is None else len(self._groups)
        return command.reply(
            fields=encode_fields(AllGroupConfigReply(total)),
            body=SubscriptionGroupTable(page, forbidden, version).to_json(),
        )

    def config(self, connection: Connection, command: Command) -> Command:
        """One group's settings."""
        name = decode_fields(GroupRequest, command.fields).group
        group = self._groups.find(name)
        if group is None:
            raise _missing(name)
        return command.reply(body=group.to_json())

    def forbid(self, connection: Connection, command: Command) -> Awaitable[Command]:
        """Forbid a group to read a topic, or allow it again; without `readable` just ask."""
        request = decode_fields(GroupForbiddenRequest, command.fields)
        group, topic = request.group, request.topic
        if request.readable is not None:
            if self._groups.find(group) is None:
                raise _missing(group)
            self._groups.set_readable(group, topic, request.readable)
        answer = GroupForbidden(group, topic, self._groups.may_read(group, topic))
        return self._saved(command.reply(body=answer.to_json()))


def _missing(group: str) -> Refused:
    return Refused(
        ResponseCode.SUBSCRIPTION_GROUP_NOT_EXIST,
        f"consumer group {group!r} does not exist; create it with updateSubGroup",
    )
