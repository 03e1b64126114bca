"""Runs the rows: interleaved windows for each peer, then medians.

Rows that need the same Apache broker form a scene, because warming a JVM takes a minute. PocketMQ
starts anew for each row, so that no row pays for the files of the one before. A peer that is not
being loaded is paused.
"""

from __future__ import annotations

import os
import shutil
import statistics
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.generator import BUILD, Window, cores, fill_pull_topic, run_load, summarise
from bench.peers import ApachePeer, EchoPeer, Peer, PocketMQPeer, prepare_topics
from bench.processes import private_bytes
from bench.remoting import Remote
from bench.reserve import warm_memory
from bench.rows import (
    APACHE,
    ECHO,
    MEMORY_IDLE,
    MEMORY_TOPICS,
    POCKETMQ,
    STARTUP,
    Result,
    Row,
    SoloResult,
    SoloRow,
    Work,
)

PULL_MESSAGES = 32_000
MEMORY_TOPIC_COUNT = 1_000
MEMORY_QUEUES = 8
SETTLE_S = 1.0


@dataclass(frozen=True, slots=True)
class Plan:
    """How thorough the run is, and who takes part."""

    peers: frozenset[str]
    directory: Path
    rounds: int = 5
    warmup_s: float = 1.0
    window_s: float = 4.0
    sends_max: int = 600_000
    """Bound on the messages of one PocketMQ window, so that a fast row does not fill the disk."""
    reserve_mb: int = 2_000
    """Warm memory at hand in each window, several times what it takes: the kernel does not always
    choose what was freed last. 0 for none."""
    warm_min_s: float = 60.0
    warm_max_s: float = 150.0
    warm_window_s: float = 5.0
    startups: int = 7


@dataclass(slots=True)
class Measuring:
    """One run. `tell` hears what is going on; `advance` is called after each step of the plan."""

    plan: Plan
    tell: Callable[[str], None]
    advance: Callable[[], None]
    facts: dict[str, Any] = field(default_factory=dict)
    """Further observations for the JSON document: how each Apache broker started and warmed up."""
    windows: list[dict[str, Any]] = field(default_factory=list)
    """Every window measured, in order."""

    def run(self, rows: Sequence[Row], finished: Callable[[Result], None]) -> list[Result]:
        """Measure all rows, scene by scene."""
        results = []
        for scene in dict.fromkeys(row.scene for row in rows):
            chosen = [row for row in rows if row.scene == scene]
            with ExitStack() as stack:
                standing = self._start_scene(stack, scene, chosen)
                for row in chosen:
                    result = self._run_row(row, standing)
                    results.append(result)
                    finished(result)
        return results

    def _start_scene(
        self, stack: ExitStack, scene: tuple[bool, str], rows: Sequence[Row]
    ) -> dict[str, Peer]:
        standing: dict[str, Peer] = {}
        if ECHO in self.plan.peers:
            standing[ECHO] = echo = EchoPeer(BUILD, self.plan.directory / "echo", cores())
            stack.callback(echo.stop)
        if APACHE in self.plan.peers:
            standing[APACHE] = self._start_apache(stack, *scene, rows)
        return standing

    def _start_apache(
        self, stack: ExitStack, sync_flush: bool, header: str, rows: Sequence[Row]
    ) -> ApachePeer:
        name = f"apache {'sync' if sync_flush else 'async'} flush, {header}"
        self.tell(f"starting {name}")
        started = time.monotonic()
        apache = ApachePeer(
            self.plan.directory / "apache", sync_flush=sync_flush, binary=header == "binary"
        )
        stack.callback(apache.stop)
        apache.wait_for_first_send()
        facts: dict[str, Any] = {"start_s": time.monotonic() - started}
        facts["idle_bytes"] = private_bytes(apache.pids)
        prepare_topics(apache)
        if any(row.work.is_pull for row in rows):
            fill_pull_topic(apache, PULL_MESSAGES)
        facts["warming"] = self._warm(apache, name, list(dict.fromkeys(row.work for row in rows)))
        facts["warm_bytes"] = private_bytes(apache.pids)
        self.facts[name] = facts
        apache.pause()
        return apache

    def _warm(self, apache: ApachePeer, name: str, works: Sequence[Work]) -> list[dict[str, Any]]:
        """Load with all kinds of work in turns until each one's rate is flat within 5 %."""
        history: list[dict[str, Any]] = []
        rates: dict[Work, list[float]] = {work: [] for work in works}
        started = time.monotonic()
        while True:
            for work in works:
                report = run_load(apache, work, Window(0.0, self.plan.warm_window_s))
                rates[work].append(report["requests_per_second"])
                spent = time.monotonic() - started
                history.append(
                    {
                        "s": spent,
                        "mode": work.mode,
                        "inflight": work.inflight,
                        "rate": rates[work][-1],
                    }
                )
                self.tell(f"warming {name}: {spent:.0f} s, {work.mode} {rates[work][-1]:,.0f}/s")
            flat = all(len(r) > 1 and abs(r[-1] - r[-2]) < 0.05 * r[-1] for r in rates.values())
            if (flat and spent >= self.plan.warm_min_s) or spent >= self.plan.warm_max_s:
                self.advance()
                return history

    def _run_row(self, row: Row, standing: dict[str, Peer]) -> Result:
        peers = dict(standing)
        reports: dict[str, list[dict[str, Any]]] = {name: [] for name in (*peers, POCKETMQ)}
        with ExitStack() as stack:
            if POCKETMQ in self.plan.peers:
                self.tell(f"{row.title}: starting PocketMQ")
                peers[POCKETMQ] = ours = self._start_pocketmq(row)
                stack.callback(ours.stop)
            for number in range(self.plan.rounds):
                # The order turns from round to round, so that drift of the machine favours nobody.
                names = list(peers)
                for name in names[number % len(names) :] + names[: number % len(names)]:
                    self.tell(f"{row.title}: {name}, round {number + 1} of {self.plan.rounds}")
                    reports[name].append(self._one_window(row, peers[name]))
                    self.advance()
        return Result(row, {name: summarise(seen) for name, seen in reports.items() if seen})

    def _start_pocketmq(self, row: Row) -> PocketMQPeer:
        directory = self.plan.directory / "pocketmq"
        ours = PocketMQPeer(directory, cores(), pure=row.pure, sync_flush=row.sync_flush)
        try:
            ours.wait_for_first_send()
            prepare_topics(ours)
            if row.work.is_pull:
                fill_pull_topic(ours, PULL_MESSAGES)
        except BaseException:
            ours.stop()
            raise
        return ours

    def _one_window(self, row: Row, peer: Peer) -> dict[str, Any]:
        # What earlier windows left dirty in the page cache must not be written during this one.
        os.sync()
        limit = self.plan.sends_max if peer.name != ECHO and not row.work.is_pull else 0
        window = Window(self.plan.warmup_s, self.plan.window_s, limit)
        peer.resume()
        try:
            if peer.name == APACHE:
                time.sleep(SETTLE_S)
            with warm_memory(BUILD / "reserve", self.plan.reserve_mb):
                report = run_load(peer, row.work, window)
        finally:
            peer.pause()
        self.windows.append({"row": row.name, "peer": peer.name, **report})
        return report


def measure_startup(plan: Plan) -> SoloResult:
    """From starting `pocketmq up` with an empty directory to the first acknowledged message."""
    times = []
    for _ in range(plan.startups + 1):
        started = time.monotonic()
        peer = PocketMQPeer(plan.directory / "startup")
        try:
            peer.wait_for_first_send(poll_s=0.001)
            times.append(time.monotonic() - started)
        finally:
            peer.stop()
    times = times[1:]
    note = f"median of {len(times)}, {min(times):.3f} to {max(times):.3f}"
    return SoloResult(STARTUP, statistics.median(times), note)


def measure_memory(plan: Plan) -> list[SoloResult]:
    """Private memory of an idle broker, then with a message in each queue of a thousand topics."""
    peer = PocketMQPeer(plan.directory / "memory")
    try:
        peer.wait_for_first_send()
        idle = _settled_memory(peer)
        with Remote(peer.port) as remote:
            for number in range(MEMORY_TOPIC_COUNT):
                remote.create_topic(f"bench_topic_{number}", MEMORY_QUEUES)
            for number in range(MEMORY_TOPIC_COUNT):
                for queue in range(MEMORY_QUEUES):
                    remote.send(f"bench_topic_{number}", queue, b"one message in each queue")
        full = _settled_memory(peer)
    finally:
        peer.stop()
    return [_memory_result(MEMORY_IDLE, idle), _memory_result(MEMORY_TOPICS, full)]


def _settled_memory(peer: PocketMQPeer) -> dict[str, int]:
    before = private_bytes(peer.pids)
    for _ in range(20):
        time.sleep(0.5)
        now = private_bytes(peer.pids)
        if abs(now["private"] - before["private"]) < 100_000:
            return now
        before = now
    return before


def _memory_result(row: SoloRow, memory: dict[str, int]) -> SoloResult:
    mega = {name: amount / 1e6 for name, amount in memory.items()}
    note = (
        f"of it {mega['mapped_files']:.1f} MB in mapped files; {mega['resident']:.0f} MB resident"
    )
    return SoloResult(row, mega["private"], note)


def free_directory(directory: Path, needed_bytes: int = 12_000_000_000) -> Path:
    """An empty scratch directory with enough room; raises OSError when the disk is too full."""
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    free = shutil.disk_usage(directory).free
    if free < needed_bytes:
        raise OSError(
            f"{directory} has {free / 1e9:.0f} GB free, but {needed_bytes / 1e9:.0f} GB are needed"
        )
    return directory
