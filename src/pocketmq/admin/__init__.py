"""What an operator does with a RocketMQ cluster, Apache's or ours, as typed async functions.

    async with Admin("127.0.0.1:9876") as admin:
        await admin.topics.create("orders", queues=8)
        for queue in await admin.groups.progress("billing"):
            print(queue.topic, queue.queue_id, queue.lag)

The command line stands on this; a script may, too.
"""

from __future__ import annotations

from pocketmq.admin.admin import Admin
from pocketmq.admin.clusters import Broker
from pocketmq.admin.groups import GroupSummary, Member, QueueProgress
from pocketmq.admin.offsets import ResetQueue
from pocketmq.admin.topics import QueueExtent, TopicPart

__all__ = [
    "Admin",
    "Broker",
    "GroupSummary",
    "Member",
    "QueueExtent",
    "QueueProgress",
    "ResetQueue",
    "TopicPart",
]
