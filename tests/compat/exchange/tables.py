"""What operators set and consumers register in one broker, and the other finds in its tables."""

from __future__ import annotations

import re
from pathlib import Path

from tests.compat.exchange.client import connected_to, until_counted
from tests.compat.exchange.seen import Seen
from tests.support.local_broker import Peer

from pocketmq.protocol.bodies import fastjson
from pocketmq.protocol.bodies.heartbeat import ConsumerData, Heartbeat, SubscriptionData
from pocketmq.protocol.bodies.pop import MessageRequestMode, MessageRequestModes
from pocketmq.protocol.bodies.subscription_group import SubscriptionGroup, SubscriptionGroupTable
from pocketmq.protocol.codes import RequestCode

EXPRESSION = "price BETWEEN 2 AND 6 OR color = 'it''s red'"
NEXT_MS = [1000, 2000, 30_000]
SHARE = 3


async def leave_tables(address: str, topic: str, data: Path) -> None:
    """Set a mode and a retry policy, register a filter, and wait until all is in the files."""
    async with connected_to(address) as peer:
        mode = MessageRequestMode(topic, "popper", "POP", SHARE)
        await _ask(peer, RequestCode.SET_MESSAGE_REQUEST_MODE, mode.to_json())
        policy = {"type": "CUSTOMIZED", "customizedRetryPolicy": {"next": NEXT_MS}}
        group = SubscriptionGroup("patient", retry_max_times=7, group_retry_policy=policy)
        code = RequestCode.UPDATE_AND_CREATE_SUBSCRIPTIONGROUP
        await _ask(peer, code, group.to_json())
        wanted = SubscriptionData(topic, EXPRESSION, sub_version=5, expression_type="SQL92")
        member = ConsumerData("choosy", subscription_data_set=(wanted,))
        beat = Heartbeat(peer.client_id, (), (member,))
        await _ask(peer, RequestCode.HEART_BEAT, beat.to_json())
        await until_counted(lambda: _saved(data), 3)


async def _ask(peer: Peer, code: int, body: bytes = b"") -> bytes:
    answer = await peer.call(code, body=body)
    assert answer.code == 0, answer.remark
    return bytes(answer.body)


async def _saved(data: Path) -> int:
    """How many of the three are in their files; Apache writes filters every ten seconds."""
    files = {
        "messageRequestMode.json": "popper",
        "subscriptionGroup.json": "patient",
        "consumerFilter.json": "choosy",
    }
    config = data / "config"
    return sum(
        (config / name).exists() and bool(re.search(word, (config / name).read_text()))
        for name, word in files.items()
    )


async def look_at_tables(address: str, topic: str, data: Path, seen: Seen) -> None:
    """What the other broker made of it."""
    async with connected_to(address) as peer:
        body = await _ask(peer, RequestCode.GET_ALL_MESSAGE_REQUEST_MODE)
        modes = MessageRequestModes.from_json(body).message_request_mode_map
        seen.tables["mode"] = modes[topic]["popper"]
        body = await _ask(peer, RequestCode.GET_ALL_SUBSCRIPTIONGROUP_CONFIG)
        seen.tables["group"] = SubscriptionGroupTable.from_json(body).subscription_group_table[
            "patient"
        ]
    filters = fastjson.loads((data / "config" / "consumerFilter.json").read_text())
    row = filters["filterDataByTopic"][topic]["groupFilterData"]["choosy"]
    seen.tables["filter"] = (row["expression"], row["expressionType"], row["clientVersion"])
