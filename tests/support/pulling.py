"""Reading a queue as a client does: pulls over the socket, records decoded."""

from __future__ import annotations

from dataclasses import dataclass

from tests.support.local_broker import Peer

from pocketmq.message.positions import LogOffset, QueueOffset
from pocketmq.message.properties import encode_properties
from pocketmq.message.record import decode_record
from pocketmq.protocol.codes import RequestCode
from pocketmq.protocol.requests.pull import PullRequest

HAS_SUBSCRIPTION = 4


@dataclass(frozen=True, slots=True)
class Pulled:
    """One message as a consumer gets it."""

    topic: str
    queue_id: int
    queue_offset: int
    log_offset: LogOffset
    body: bytes
    properties: dict[str, str]
    reconsume_times: int
    born_timestamp_ms: int
    store_timestamp_ms: int
    flag: int
    sys_flag: int


def props(**properties: object) -> str:
    """A property string; a unique key is not added."""
    return encode_properties({name: str(value) for name, value in properties.items()})


async def pull_all(
    peer: Peer, topic: str, queue_id: int = 0, group: str = "reader"
) -> list[Pulled]:
    """All messages of a queue."""
    found: list[Pulled] = []
    offset = 0
    while True:
        request = PullRequest(
            group,
            topic,
            queue_id,
            QueueOffset(offset),
            32,
            HAS_SUBSCRIPTION,
            QueueOffset(0),
            0,
            "*",
            0,
            "TAG",
        )
        answer = await peer.call(RequestCode.PULL_MESSAGE, request)
        body = bytes(answer.body)
        if answer.code != 0 or not body:
            return found
        # A record may be a whole batch, which takes several offsets.
        offset = int(answer.fields["nextBeginOffset"])
        at = 0
        while at < len(body):
            record = decode_record(body, at)
            at += record.size
            found.append(
                Pulled(
                    record.topic,
                    record.queue_id,
                    record.queue_offset,
                    record.log_offset,
                    bytes(record.body),
                    record.properties,
                    record.reconsume_times,
                    record.born_timestamp_ms,
                    record.store_timestamp_ms,
                    record.flag,
                    record.sys_flag,
                )
            )
