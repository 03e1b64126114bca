"""Requests that name a message by its position in the log, whatever topic they say it is of.

Such a request needs a permission on the topic of the message that lies there, or else any position
could be had by whoever has a permission on some topic. Apache looks at what the request says only.
"""

from __future__ import annotations

from typing import Final

from pocketmq.broker.rules.needs import need_topic
from pocketmq.message.ids import decode_offset_message_id
from pocketmq.message.topics import topic_of_pop_retry_topic
from pocketmq.protocol.codes import RequestCode as Code
from pocketmq.protocol.command import Command
from pocketmq.protocol.framing import int64
from pocketmq.security.acls import Action, Need

BY_POSITION: Final = {
    Code.VIEW_MESSAGE_BY_ID: frozenset((Action.SUB, Action.GET)),
    Code.CONSUMER_SEND_MSG_BACK: frozenset((Action.SUB,)),
    Code.CONSUME_MESSAGE_DIRECTLY: frozenset((Action.SUB,)),
}
"""Any one of these is needed."""


def position_of(command: Command) -> int | None:
    """The log offset that a request names, or None when it names none that can be read."""
    fields = command.fields
    try:
        if command.code == Code.CONSUME_MESSAGE_DIRECTLY:
            return decode_offset_message_id(fields.get("msgId", "")).log_offset
        return int64(fields.get("offset", ""))
    except ValueError:
        return None


def need_at(command: Command, topic: str) -> Need:
    """What a request needs when a message of this topic lies where it says."""
    if command.code == Code.CONSUMER_SEND_MSG_BACK:
        topic = topic_of_pop_retry_topic(topic, command.fields.get("group", ""))
    return need_topic(topic, BY_POSITION[Code(command.code)])
