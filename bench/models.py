"""What batches and filters cost beside plain sends and pulls, in PocketMQ alone."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from bench.generator import BUILD, Window, cores, run_load
from bench.measure import Plan
from bench.peers import PULL_TOPIC, TOPIC, PocketMQPeer, prepare_topics
from bench.reserve import warm_memory
from bench.rows import BATCH, SQL, SoloResult, SoloRow, Work

_BATCH: Final = 32
_BODY_BYTES: Final = 256
_BATCHED_MAX_TIMES: Final = 3
"""So many times more messages, and warm memory, for a window of batches: they come faster."""
_PULLED: Final = 100_000
_FILTER: Final = "amount > 10 AND amount < 1000"
_PROPERTY: Final = "amount=150"

_SINGLE: Final = Work("send", "json", 64, 1, ("--body-bytes", str(_BODY_BYTES)))
_BATCHED: Final = replace(_SINGLE, extra=(*_SINGLE.extra, "--send-batch", str(_BATCH)))
_PULL: Final = Work("pull", "json", 16, 1)
_FILTERED: Final = replace(_PULL, extra=("--filter", _FILTER))


def measure_models(plan: Plan) -> list[SoloResult]:
    """Batches beside single sends; filtered pulls beside unfiltered ones."""
    settings = ("enablePropertyFilter=true",)
    peer = PocketMQPeer(plan.directory / "models", cores(), settings=settings)
    try:
        peer.wait_for_first_send()
        prepare_topics(peer)
        batched = _compare(plan, peer, BATCH, _BATCHED, _SINGLE, _BATCH)
        fill = Work("send", "json", 4, 64, ("--property", _PROPERTY))
        run_load(peer, fill, Window(0, 60, _PULLED), topic=PULL_TOPIC)
        filtered = _compare(plan, peer, SQL, _FILTERED, _PULL, 1)
    finally:
        peer.stop()
    return [batched, filtered]


def _compare(
    plan: Plan, peer: PocketMQPeer, row: SoloRow, work: Work, beside: Work, times: int
) -> SoloResult:
    """The rate of one work, `times` messages a request, as a multiple of another's."""
    rates: dict[Work, list[float]] = {work: [], beside: []}
    for _ in range(plan.rounds + 1):
        for each in rates:
            topic = PULL_TOPIC if each.is_pull else TOPIC
            sends_max, reserve_mb = plan.sends_max, plan.reserve_mb
            if each is _BATCHED:
                sends_max = sends_max * _BATCHED_MAX_TIMES // _BATCH
                reserve_mb *= _BATCHED_MAX_TIMES
            window = Window(plan.warmup_s, plan.window_s, sends_max)
            with warm_memory(BUILD / "reserve", reserve_mb):
                report = run_load(peer, each, window, topic=topic)
            rates[each].append(report["requests_per_second"])
    ours, theirs = (_middle(rates[each]) for each in (work, beside))
    note = f"{ours * times:,.0f}/s beside {theirs:,.0f}/s"
    return SoloResult(row, ours * times / theirs, note)


def _middle(rates: Sequence[float]) -> float:
    """The median, the first left out for warming up."""
    return statistics.median(rates[1:])
