"""Whether a cluster, or one broker, is fit for work, as `/readyz` tells it.

    name server   one answers and knows a broker; not asked about one broker alone
    broker NAME   it answers, and takes messages: its disk has room and works

A cluster is ready when one of its masters is, as its clients go to whichever is; a broker alone is
ready when it is. That the process lives, `/healthz`, is told by its answering at all.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Final

from pocketmq.admin import Broker
from pocketmq.errors import BrokerRefused, PocketMQError
from pocketmq.metrics.collector import Collector
from pocketmq.protocol.bodies.figures import Fact, decode_page
from pocketmq.protocol.codes import RequestCode, ResponseCode
from pocketmq.protocol.requests.admin import FiguresRequest

ANSWER_SECONDS_MAX: Final = 2.0


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at. `detail` tells why it is not ok."""

    name: str
    ok: bool
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Readiness:
    """All that was looked at."""

    ready: bool
    checks: tuple[Check, ...]


async def readiness(collector: Collector) -> Readiness:
    """Look now. Nothing is raised."""
    checks: list[Check] = []
    try:
        brokers = await asyncio.wait_for(collector.brokers(), ANSWER_SECONDS_MAX)
    except asyncio.TimeoutError:
        return _without_brokers(f"no answer within {ANSWER_SECONDS_MAX:g} s")
    except PocketMQError as error:
        return _without_brokers(str(error))
    if not brokers:
        return _without_brokers("no broker is registered; start one with its -n option")
    if not collector.is_alone:
        checks.append(Check("name server", True))
    found = await asyncio.gather(*(_look(collector, broker) for broker in brokers))
    return Readiness(any(check.ok for check in found), (*checks, *found))


async def _look(collector: Collector, broker: Broker) -> Check:
    name = f"broker {broker.name or broker.address}"
    try:
        reason = await asyncio.wait_for(
            _why_not_writable(collector, broker.address), ANSWER_SECONDS_MAX
        )
    except asyncio.TimeoutError:
        reason = f"no answer within {ANSWER_SECONDS_MAX:g} s"
    except PocketMQError as error:
        reason = str(error)
    return Check(name, not reason, reason)


async def _why_not_writable(collector: Collector, address: str) -> str:
    """Empty for a broker that takes messages. Raise NetError, BrokerRefused, MalformedBody."""
    calls = collector.admin.calls
    try:
        header = FiguresRequest("facts")
        answer = await calls.ask(address, RequestCode.COLLECT_FIGURES, header)
    except BrokerRefused as error:
        if error.code != ResponseCode.REQUEST_CODE_NOT_SUPPORTED:
            raise
        # One of Apache's does not tell why it refuses messages; that it answers must do.
        await calls.ask(address, RequestCode.GET_BROKER_RUNTIME_INFO)
        return ""
    rows, _ = decode_page(Fact, bytes(answer.body))
    return {fact.name: fact.text for fact in rows}.get("not_writable", "")


def _without_brokers(reason: str) -> Readiness:
    return Readiness(False, (Check("name server", False, reason),))
