"""What an operator does with a RocketMQ cluster, Apache's or ours, as typed async functions.

    async with Admin("127.0.0.1:9876") as admin:
        await admin.topics.create("orders", queues=8)
        for queue in await admin.groups.progress("billing"):
            print(queue.topic, queue.queue_id, queue.lag)

The command line stands on this; a script may, too. Names are loaded when they are first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pocketmq.admin.acls import Acl as Acl
    from pocketmq.admin.acls import AclList as AclList
    from pocketmq.admin.acls import PlacedRule as PlacedRule
    from pocketmq.admin.acls import Rule as Rule
    from pocketmq.admin.admin import Admin as Admin
    from pocketmq.admin.brokers import BrokerState as BrokerState
    from pocketmq.admin.clusters import Broker as Broker
    from pocketmq.admin.dead_letters import DeadLetter as DeadLetter
    from pocketmq.admin.dead_letters import DeadLetterQueue as DeadLetterQueue
    from pocketmq.admin.groups import GroupSummary as GroupSummary
    from pocketmq.admin.groups import Member as Member
    from pocketmq.admin.groups import QueueProgress as QueueProgress
    from pocketmq.admin.messages import Handled as Handled
    from pocketmq.admin.offsets import ResetQueue as ResetQueue
    from pocketmq.admin.reading import Reader as Reader
    from pocketmq.admin.redriving import Redriven as Redriven
    from pocketmq.admin.topics import QueueExtent as QueueExtent
    from pocketmq.admin.topics import TopicPart as TopicPart
    from pocketmq.admin.traces import TracePoint as TracePoint
    from pocketmq.admin.users import Secret as Secret
    from pocketmq.admin.users import User as User
    from pocketmq.admin.users import UserChange as UserChange
    from pocketmq.admin.users import UserList as UserList
    from pocketmq.admin.users import UserSetup as UserSetup

_PLACES = {
    "Acl": "pocketmq.admin.acls",
    "AclList": "pocketmq.admin.acls",
    "Admin": "pocketmq.admin.admin",
    "Broker": "pocketmq.admin.clusters",
    "BrokerState": "pocketmq.admin.brokers",
    "DeadLetter": "pocketmq.admin.dead_letters",
    "DeadLetterQueue": "pocketmq.admin.dead_letters",
    "GroupSummary": "pocketmq.admin.groups",
    "Handled": "pocketmq.admin.messages",
    "Member": "pocketmq.admin.groups",
    "PlacedRule": "pocketmq.admin.acls",
    "QueueExtent": "pocketmq.admin.topics",
    "QueueProgress": "pocketmq.admin.groups",
    "Reader": "pocketmq.admin.reading",
    "Redriven": "pocketmq.admin.redriving",
    "ResetQueue": "pocketmq.admin.offsets",
    "Rule": "pocketmq.admin.acls",
    "Secret": "pocketmq.admin.users",
    "TopicPart": "pocketmq.admin.topics",
    "TracePoint": "pocketmq.admin.traces",
    "User": "pocketmq.admin.users",
    "UserChange": "pocketmq.admin.users",
    "UserList": "pocketmq.admin.users",
    "UserSetup": "pocketmq.admin.users",
}

__all__ = list(_PLACES)


if not TYPE_CHECKING:  # a type checker that saw this would take any name to be there

    def __getattr__(name: str) -> Any:
        from importlib import import_module

        place = _PLACES.get(name)
        if place is None:
            raise AttributeError(f"module 'pocketmq.admin' has no attribute {name!r}")
        value = getattr(import_module(place), name)
        globals()[name] = value
        return value
