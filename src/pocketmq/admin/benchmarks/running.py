"""Runs a measurement from the making of its topic to its removal."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from dataclasses import replace
from functools import partial
from typing import Any, Final

from pocketmq.admin.admin import Admin
from pocketmq.admin.benchmarks.loads import LoadRunner
from pocketmq.admin.benchmarks.meter import Meter, Tell
from pocketmq.admin.benchmarks.plan import Plan
from pocketmq.admin.benchmarks.results import Result
from pocketmq.client.config import ClientConfig
from pocketmq.errors import PocketMQError
from pocketmq.message.topics import dead_letter_topic, retry_topic

_log = logging.getLogger(__name__)

CONSUMED_MESSAGES: Final = 50_000
"""How many messages the load `consume` puts there first, unless the plan says how many."""

_NO_END_SECONDS: Final = 24 * 3600.0


async def run_benchmark(plan: Plan, config: ClientConfig, tell: Tell | None = None) -> Result:
    """Measure. Raise ConfigError for a plan that cannot work, and what Admin raises.

    When this is cancelled the topic is removed all the same. `tell` hears how it goes.
    """
    plan.check()
    if plan.load == "consume":
        plan = replace(plan, messages=plan.messages or CONSUMED_MESSAGES)
    async with Admin(config) as admin:
        if not plan.keep_topic:
            await admin.topics.create(plan.topic, queues=plan.queues)
        try:
            if plan.load in ("consume", "end-to-end", "ordered"):
                await admin.groups.create(plan.group)
            return await _measure(plan, config, tell)
        finally:
            await asyncio.shield(_remove(admin, plan))


async def _measure(plan: Plan, config: ClientConfig, tell: Tell | None) -> Result:
    meter = Meter(plan, tell)
    runner = LoadRunner(plan, config, meter)
    meter.watch()
    ready = asyncio.Event()
    load: asyncio.Future[None] | None = None
    try:
        if plan.load == "consume":
            meter.say(f"putting {plan.messages:,} messages there")
            await runner.fill(plan.messages)
            meter.say("starting consumers")
        load = asyncio.ensure_future(runner.run(ready.set))
        await _first(load, ready.wait())
        if plan.load != "consume":
            await _first(load, asyncio.sleep(plan.warm_up_seconds))
            meter.begin()
        await _first(load, _full(meter, plan.seconds))
        meter.end()
    finally:
        if load is not None:
            load.cancel()
            await asyncio.wait([load])
        await meter.stop()
    return meter.result()


async def _full(meter: Meter, seconds: float) -> None:
    """Wait until all messages are done or the time is over."""
    try:
        await asyncio.wait_for(meter.full.wait(), seconds or _NO_END_SECONDS)
    except asyncio.TimeoutError:
        return


async def _first(load: asyncio.Future[None], until: Coroutine[Any, Any, object]) -> None:
    """Wait for something while the load runs; what ends the load is raised."""
    waiting: asyncio.Future[Any] = asyncio.ensure_future(until)
    both: list[asyncio.Future[Any]] = [load, waiting]
    try:
        await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        if load.done():
            load.result()
    finally:
        waiting.cancel()


async def _remove(admin: Admin, plan: Plan) -> None:
    """Take away what was made. What cannot be taken away is named in the log."""
    removals: list[tuple[str, Callable[[], Coroutine[Any, Any, object]]]] = []
    if plan.load in ("consume", "end-to-end", "ordered"):
        removals.append((plan.group, lambda: admin.groups.delete(plan.group, offsets_too=True)))
        for topic in (retry_topic(plan.group), dead_letter_topic(plan.group)):
            removals.append((topic, partial(admin.topics.delete, topic)))
    if not plan.keep_topic:
        removals.append((plan.topic, lambda: admin.topics.delete(plan.topic)))
    for name, remove in removals:
        try:
            await remove()
        except PocketMQError as error:
            _log.warning("%s stays there; delete it yourself reason=%s", name, error)
