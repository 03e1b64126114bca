"""What one of Apache RocketMQ's brokers tells: the same tables, asked for with Apache's requests.

There is no bulk request, so this takes one for each topic and two for each group, a few at a time.
What its protocol does not tell stays out: bytes by topic, what left for groups, open transactions;
and so does how long sends took, which it tells of the last minute alone.
"""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any, Final, TypeVar

from pocketmq.client.calls import Calls
from pocketmq.clock import SystemClock
from pocketmq.errors import BrokerRefused
from pocketmq.metrics.reading import Reading
from pocketmq.protocol.bodies.connections import ConsumerConnections, ProducerTable
from pocketmq.protocol.bodies.figures import (
    ConsumerFigures,
    Count,
    ProducerFigures,
    ProgressFigures,
    TopicFigures,
)
from pocketmq.protocol.bodies.stats import ConsumeStats, TopicStats
from pocketmq.protocol.bodies.subscription_group import SubscriptionGroupTable
from pocketmq.protocol.bodies.tables import KvTable
from pocketmq.protocol.bodies.topic_config import TopicConfigTable
from pocketmq.protocol.codes import LanguageCode, RequestCode

AT_A_TIME: Final = 16
NAMES_MAX: Final = 20_000

_UNITS: Final = {"B": 1, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30, "TiB": 2**40, "PiB": 2**50}
_SIZE: Final = re.compile(r"([\d.]+) (B|KiB|MiB|GiB|TiB|PiB)")
_AS_THEY_ARE: Final = {
    "bootTimestamp": "started_ms",
    "commitLogMinOffset": "log_first",
    "commitLogMaxOffset": "log_end",
    "dispatchBehindBytes": "dispatch_behind_bytes",
    "earliestMessageTimeStamp": "earliest_ms",
    "putMessageFailedTimes": "total_put_failed",
    "sendThreadPoolQueueSize": "sends_waiting",
    "pullThreadPoolQueueSize": "cold_reads_waiting",
    "timerOffsetBehind": "timerOffsetBehind",
    "timerReadBehind": "timerReadBehind",
}

T = TypeVar("T")


async def read_apache(calls: Calls, address: str, cluster: str, broker: str) -> Reading:
    """All that can be had. Raise NetError, BrokerRefused, MalformedBody."""
    answer = await calls.ask(address, RequestCode.GET_BROKER_RUNTIME_INFO)
    runtime = KvTable.from_json(bytes(answer.body)).table
    reading = Reading(
        {"cluster": cluster, "broker": broker, "version": runtime.get("brokerVersionDesc", "")},
        _numbers(runtime),
        _delayed(runtime),
    )
    await _read_topics(calls, address, reading)
    await _read_groups(calls, address, reading)
    await _read_producers(calls, address, reading)
    return reading


async def _read_topics(calls: Calls, address: str, reading: Reading) -> None:
    answer = await calls.ask(address, RequestCode.GET_ALL_TOPIC_CONFIG)
    configs = TopicConfigTable.from_json(bytes(answer.body)).topic_config_table
    reading.numbers["topics"] = len(configs)

    async def ask(topic: str) -> TopicFigures | None:
        found = await _asked(calls, address, RequestCode.GET_TOPIC_STATS_INFO, {"topic": topic})
        if found is None:
            return None
        table = TopicStats.from_json(found).offset_table
        kind = configs[topic].attributes.get("message.type", "normal").lower()
        return TopicFigures(topic, kind, sum(extent.max_offset for extent in table.values()), -1)

    reading.topics = [row for row in await _each(configs, ask) if row is not None]


async def _read_groups(calls: Calls, address: str, reading: Reading) -> None:
    answer = await calls.ask(address, RequestCode.GET_ALL_SUBSCRIPTIONGROUP_CONFIG)
    groups = SubscriptionGroupTable.from_json(bytes(answer.body)).subscription_group_table
    reading.numbers["groups"] = len(groups)

    async def ask(group: str) -> tuple[list[ProgressFigures], list[ConsumerFigures]]:
        header = {"consumerGroup": group}
        stats = await _asked(calls, address, RequestCode.GET_CONSUME_STATS, header)
        members = await _asked(calls, address, RequestCode.GET_CONSUMER_CONNECTION_LIST, header)
        return (
            [] if stats is None else _progress(group, ConsumeStats.from_json(stats)),
            [] if members is None else _consumers(group, ConsumerConnections.from_json(members)),
        )

    for progress, consumers in await _each(groups, ask):
        reading.progress += progress
        reading.consumers += consumers


async def _read_producers(calls: Calls, address: str, reading: Reading) -> None:
    found = await _asked(calls, address, RequestCode.GET_ALL_PRODUCER_INFO, None)
    if found is None:
        return
    kinds: Counter[tuple[int, int]] = Counter()
    for clients in ProducerTable.from_json(found).data.values():
        kinds.update((_language(client.language), client.version) for client in clients)
    reading.producers = [ProducerFigures(*kind, count) for kind, count in kinds.items()]


async def _asked(
    calls: Calls, address: str, code: int, header: Mapping[str, str] | None
) -> bytes | None:
    """The body of an answer; None when the broker has none, as for a group nobody is in."""
    try:
        answer = await calls.ask(address, code, None if header is None else dict(header))
    except BrokerRefused:
        return None
    return bytes(answer.body) or None


async def _each(names: Iterable[str], ask: Callable[[str], Awaitable[T]]) -> list[T]:
    room = asyncio.Semaphore(AT_A_TIME)

    async def asked(name: str) -> T:
        async with room:
            return await ask(name)

    return list(await asyncio.gather(*map(asked, sorted(names)[:NAMES_MAX])))


def _progress(group: str, stats: ConsumeStats) -> list[ProgressFigures]:
    found: dict[str, list[int]] = {}
    for queue, offset in stats.offset_table.items():
        lag = max(offset.broker_offset - offset.consumer_offset, 0)
        ready = max(offset.broker_offset - max(offset.pull_offset, offset.consumer_offset), 0)
        row = found.setdefault(queue.topic, [0, 0, 0])
        row[0] += lag
        row[1] += ready
        # It is when the last consumed message was stored, which the next one came soon after.
        if lag and offset.last_timestamp > 0:
            row[2] = min(row[2] or offset.last_timestamp, offset.last_timestamp)
    return [
        ProgressFigures(group, topic, lag, lag - ready, ready, since, -1)
        for topic, (lag, ready, since) in found.items()
    ]


def _consumers(group: str, connections: ConsumerConnections) -> list[ConsumerFigures]:
    kinds = Counter((_language(c.language), c.version) for c in connections.connection_set)
    mode = connections.consume_type or ""
    return [ConsumerFigures(group, *kind, mode, count) for kind, count in kinds.items()]


def _language(name: str) -> int:
    return int(LanguageCode.__members__.get(name, LanguageCode.OTHER))


def _numbers(runtime: Mapping[str, str]) -> dict[str, float]:
    numbers: dict[str, float] = {"now_ms": SystemClock().now_ms()}
    for key, name in _AS_THEY_ARE.items():
        with_sign = runtime.get(key, "")
        if with_sign.removeprefix("-").replace(".", "", 1).isdigit():
            numbers[name] = float(with_sign)
    capacity = _SIZE.findall(runtime.get("commitLogDirCapacity", ""))
    if len(capacity) == 2:
        numbers["disk_total_bytes"], numbers["disk_free_bytes"] = map(_bytes, capacity)
    behind = _SIZE.findall(runtime.get("remainHowManyDataToFlush", ""))
    if len(behind) == 1:
        numbers["flush_behind_bytes"] = _bytes(behind[0])
    return numbers


def _bytes(found: Any) -> float:
    number, unit = found
    return float(number) * _UNITS[unit]


def _delayed(runtime: Mapping[str, str]) -> list[Count]:
    found = []
    for key, value in runtime.items():
        level = key.removeprefix("scheduleMessageOffset_")
        offset, comma, end = value.partition(",")
        if level != key and comma and offset.strip().isdigit() and end.strip().isdigit():
            found.append(Count("delayed", level, max(int(end) - int(offset), 0)))
    return found
