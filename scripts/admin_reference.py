"""Writes docs/reference/admin-protocol.md from the routes of both servers: every request code, the
tools that send it, and whether it is answered or refused, and with which words.

python scripts/admin_reference.py           write the page
python scripts/admin_reference.py --check   fail when the page is not what would be written
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Final

from pocketmq.broker.app import BrokerApp
from pocketmq.broker.config import BrokerConfig
from pocketmq.broker.handlers.admin.live import CHANGEABLE
from pocketmq.nameserver.app import NameServerApp
from pocketmq.nameserver.config import NameServerConfig, RoutingConfig
from pocketmq.protocol import refusals
from pocketmq.protocol.codes import RequestCode
from pocketmq.settings import settings_of
from pocketmq.store.config import IndexConfig, LogConfig, StoreConfig

PAGE = Path(__file__).parent.parent / "docs" / "reference" / "admin-protocol.md"
GENERATED = (
    "<!-- Written by scripts/admin_reference.py (make docs); change the source instead. -->\n"
)

SENT_BY: Final[Mapping[int, str]] = {
    12: "queryMsgByKey, queryMsgByUniqueKey, queryMsgById, queryMsgTraceById",
    15: "cloneGroupOffset, resetOffsetByTime",
    17: "updateTopic, updateTopicPerm",
    18: "updateTopicList",
    21: "exportMetadata, exportMetrics, the dashboard",
    25: "updateBrokerConfig",
    26: "getBrokerConfig, exportConfigs, exportMetrics",
    28: "brokerStatus, clusterList, exportMetrics, the exporter",
    29: "resetOffsetByTime, printMsg -b",
    30: "printMsg, consumeMessage, queryMsgByOffset",
    31: "printMsg, consumeMessage",
    33: "queryMsgById",
    100: "updateKvConfig, updateOrderConf, updateTopic -o",
    101: "updateOrderConf",
    102: "deleteKvConfig, updateOrderConf",
    105: "topicRoute, topicStatus, statsAll, consumerProgress and most others",
    106: "clusterList and all commands with -c",
    200: "updateSubGroup",
    201: "getConsumerConfig, exportMetadata, the dashboard",
    202: "topicStatus, the exporter",
    203: "consumerConnection, consumerStatus, consumerProgress, queryMsgById",
    204: "producerConnection",
    205: "wipeWritePerm",
    206: "topicList, statsAll, consumerProgress",
    207: "deleteSubGroup",
    208: "consumerProgress, cloneGroupOffset, statsAll, the exporter",
    215: "deleteTopic, deleteSubGroup -c",
    216: "deleteTopic, deleteSubGroup -c",
    219: "the admin library",
    222: "resetOffsetByTime, skipAccumulatedMessage",
    223: "getConsumerStatus, the dashboard",
    224: "the admin library",
    225: "updateSubGroupList",
    300: "topicList -c, statsAll, queryMsgById",
    303: "the dashboard",
    304: "the admin library",
    305: "exportMetadata, the dashboard",
    306: "cleanExpiredCQ",
    307: "consumerStatus, consumerProgress -s, the exporter",
    308: "the admin library",
    309: "queryMsgById -d, the dashboard",
    314: "the admin library",
    315: "statsAll, exportMetrics, the exporter",
    316: "cleanUnusedTopic",
    317: "brokerConsumeStats",
    318: "updateNamesrvConfig",
    319: "getNamesrvConfig",
    321: "queryCq",
    323: "the admin library",
    327: "addWritePerm",
    328: "producer, the exporter",
    329: "deleteExpiredCommitLog",
    343: "the admin library",
    345: "the admin library",
    351: "topicStatus, consumerProgress, statsAll",
    352: "getConsumerConfig",
    353: "the admin library",
    354: "checkRocksdbCqWriteProgress",
    355: "rocksDBConfigToJson",
    401: "setConsumeMode",
    513: "updateStaticTopic, remappingStaticTopic",
    902: "addBroker",
    903: "removeBroker",
    907: "haStatus",
    908: "resetMasterFlushOffset",
    1002: "electMaster",
    1005: "getControllerMetaData",
    1006: "getSyncStateSet",
    1007: "getBrokerEpoch",
    1009: "updateControllerConfig",
    1010: "getControllerConfig",
    1011: "cleanBrokerMetadata",
    2001: "updateColdDataFlowCtrGroupConfig",
    2002: "removeColdDataFlowCtrGroupConfig",
    2003: "getColdDataFlowCtrInfo",
    2004: "setCommitLogReadAheadMode",
    3001: "createUser, copyUser",
    3002: "updateUser, copyUser",
    3003: "deleteUser",
    3004: "getUser, copyUser",
    3005: "listUser, copyUser",
    3006: "createAcl, copyAcl",
    3007: "updateAcl, copyAcl",
    3008: "deleteAcl",
    3009: "getAcl, copyAcl",
    3010: "listAcl, copyAcl",
    200056: "exportPopRecord",
}

HEAD = """# The admin protocol

Apache's `mqadmin` 5.3.3, dashboard and exporter work on PocketMQ as they are. This page lists every
request code of the protocol and what becomes of it: ✓ is answered, ✗ is refused with response code
3 (`REQUEST_CODE_NOT_SUPPORTED`) and the reason below as its remark. Nothing is agreed to that does
nothing.

`make interop` runs the commands in front of PocketMQ and of Apache and compares what they print
(`tests/compat/mqadmin`).

| Code | Name | Sent by | Broker | Name server |
|---|---|---|---|---|
"""

LEFT_OUT: Final[Mapping[str, str]] = {
    "copyUser": "`tests/compat/access` runs it, in front of brokers that keep users",
    "copyAcl": "the same",
    "clusterRT": "it sends messages until it is killed; checkMsgSendRT measures the same",
    "startMonitoring": "it never ends, and asks what consumerProgress and consumerStatus ask",
    "dumpCompactionLog": "it reads a file of Apache's own store, and asks no server",
    "exportMetadataInRocksDB": "it reads a RocksDB directory, and asks no server",
    "remappingStaticTopic": "it changes a static topic, and updateStaticTopic makes none here",
}
"""Commands of mqadmin that `tests/compat/mqadmin` leaves out, and why."""

SETTINGS = """
## Settings that can be changed by request

`updateBrokerConfig` (25) and `updateNamesrvConfig` (318) change the settings below and no others.
None of them names a file, a command, an address or a port. A request is checked as a whole, values
by the rules of [the configuration](configuration.md), and changes all it names or nothing. A change
is in effect at once, is logged with the address it came from, is written to disk before it is
answered, and outlives a restart. A name that is unknown, or has no effect in PocketMQ, is refused
with the reason.

| Server | RocketMQ's name | PocketMQ's name |
|---|---|---|
"""


def page() -> str:
    """Return the page."""
    broker, name_server = asyncio.run(_answered())
    own_reasons = {
        code: reason
        for code, reason in refusals.by_name_server(dict.fromkeys(name_server)).items()
        if code not in refusals.BY_BROKER
    }
    lines = []
    for code in sorted(RequestCode):
        marks = ["✓" if code in answered else "✗" for answered in (broker, name_server)]
        lines.append(
            f"| {int(code)} | `{code.name}` | {SENT_BY.get(code, '')} | {' | '.join(marks)} |"
        )
    parts = [GENERATED, HEAD + "\n".join(lines) + "\n"]
    for title, reasons in (
        ("What a broker refuses, and why", refusals.BY_BROKER),
        ("What a name server refuses beside the same, and why", own_reasons),
    ):
        parts.append(f"\n## {title}\n\n{_reasons(reasons)}\n")
    rows = [
        f"| broker | `{declared.declaration.aliases[0]}` | `{declared.path}` |"
        for declared in settings_of(BrokerConfig())
        if declared.path in CHANGEABLE
    ]
    rows += [
        f"| name server | `{declared.declaration.aliases[0]}` | `routing.{declared.path}` |"
        for declared in settings_of(RoutingConfig())
    ]
    parts.append(SETTINGS + "\n".join(rows) + "\n")
    left_out = "\n".join(f"- {name}: {reason}." for name, reason in LEFT_OUT.items())
    parts.append(f"\n## Commands of mqadmin that are not compared, and why\n\n{left_out}\n")
    return "".join(parts)


def _reasons(reasons: Mapping[int, str]) -> str:
    by_reason: dict[str, list[int]] = {}
    for code, reason in sorted(reasons.items()):
        by_reason.setdefault(reason, []).append(code)
    return "\n".join(
        f"- {', '.join(map(str, codes))}: {reason}." for reason, codes in by_reason.items()
    )


async def _answered() -> tuple[set[int], set[int]]:
    """Return the codes that a broker and a name server answer."""
    with tempfile.TemporaryDirectory() as directory:
        store = StoreConfig(
            root=Path(directory),
            log=LogConfig(file_bytes=1 << 20, reserve_step_bytes=1 << 16, warm_up=False),
            index=IndexConfig(slots=100, entries=400),
        )
        config = BrokerConfig(store=store)
        app = BrokerApp(replace(config, listen=replace(config.listen, host="127.0.0.1", port=0)))
        await app.start()
        try:
            broker = set(app.running.routes.handlers) - set(refusals.BY_BROKER)
        finally:
            await app.stop()
    name_server = NameServerApp(NameServerConfig())
    return broker, set(name_server.answered)


def main() -> int:
    """Write or check the page."""
    wanted = page()
    if "--check" not in sys.argv[1:]:
        PAGE.write_text(wanted, encoding="utf-8")
        return 0
    if not PAGE.exists() or PAGE.read_text(encoding="utf-8") != wanted:
        print(f"{PAGE} is out of date; run `make docs`", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
