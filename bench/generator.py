"""Building and running the compiled load generators, and reading what they measured."""

from __future__ import annotations

import json
import os
import shutil
import statistics
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.peers import PULL_TOPIC, QUEUES, TOPIC, Peer
from bench.rows import Figures, Work

SOURCE = Path(__file__).resolve().parent / "load"
BUILD = SOURCE / "build"
SATURATED = 0.97
DISTURBED = 0.2
REFUSED_EXIT = 3


class LoadFailed(Exception):
    """The generator could not be built or could not finish its run."""


@dataclass(frozen=True, slots=True)
class Window:
    """One measurement: a warm-up, then measuring until the time is over or the answers suffice."""

    warmup_s: float
    seconds: float
    requests_max: int = 0


def build() -> None:
    """Compile the generators and the echo server unless they are up to date."""
    if shutil.which("make") is None:
        raise LoadFailed("no `make` here; install make and a C compiler")
    done = subprocess.run(
        ["make", "-s", "-C", str(SOURCE)], capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise LoadFailed(f"the load generator does not compile:\n{done.stderr}")


def run_load(peer: Peer, work: Work, window: Window, topic: str = "") -> dict[str, Any]:
    """Load `peer` for one window and return the generator's report."""
    command = [str(BUILD / "load"), "--port", str(peer.port), "--mode", work.mode]
    command += ["--header", work.header, "--queues", str(QUEUES)]
    command += ["--connections", str(work.connections), "--inflight", str(work.inflight)]
    command += ["--topic", topic or (PULL_TOPIC if work.is_pull else TOPIC), *work.extra]
    command += ["--warmup", str(window.warmup_s), "--seconds", str(window.seconds)]
    command += ["--requests", str(window.requests_max)]
    return _run(command, peer)


def fill_pull_topic(peer: Peer, messages: int) -> None:
    """Put so many messages, spread evenly over the queues, where pulls will read them."""
    command = [str(BUILD / "load"), "--port", str(peer.port), "--topic", PULL_TOPIC]
    command += [
        "--queues",
        str(QUEUES),
        "--warmup",
        "0",
        "--seconds",
        "60",
        "--requests",
        str(messages),
    ]
    report = _run(command, peer)
    if report["requests"] < messages:
        raise LoadFailed(
            f"{peer.name} took only {report['requests']} of {messages} messages in 60 s"
        )


def run_pops(peer: Peer, arguments: Sequence[str], window: Window) -> dict[str, Any]:
    """Pop from `peer` and acknowledge for one window; return the report. Raise LoadFailed."""
    command = [str(BUILD / "pops"), "--port", str(peer.port), *arguments]
    command += ["--warmup", str(window.warmup_s), "--seconds", str(window.seconds)]
    command += _server_pids(peer)
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise LoadFailed(f"popping from {peer.name}: {done.stderr.strip()}\n({' '.join(command)})")
    report: dict[str, Any] = json.loads(done.stdout)
    return report


def _server_pids(peer: Peer) -> list[str]:
    return [word for pid in peer.pids for word in ("--server-pid", str(pid))]


def _run(command: list[str], peer: Peer) -> dict[str, Any]:
    command += _server_pids(peer)
    if peer.load_core is not None:
        command += ["--cpu", str(peer.load_core)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode not in (0, REFUSED_EXIT):
        raise LoadFailed(f"loading {peer.name}: {done.stderr.strip()}\n({' '.join(command)})")
    report: dict[str, Any] = json.loads(done.stdout)
    if report["unanswered"] or report["ok"] == 0:
        raise LoadFailed(f"loading {peer.name}: {done.stderr.strip()}")
    return report


def summarise(reports: Sequence[dict[str, Any]]) -> Figures:
    """The medians of several windows."""

    def median(read: str, inner: str = "") -> float:
        return float(statistics.median(r[read][inner] if inner else r[read] for r in reports))

    rates = [r["requests_per_second"] for r in reports]
    harmless = {"0", "19"}  # SUCCESS, and the end of a queue
    return Figures(
        requests_per_second=median("requests_per_second"),
        server_cpu_us=median("server_cpu_us"),
        client_cpu_us=median("client_cpu_us"),
        client_cpu_share=median("client_cpu_share"),
        p50_ms=median("latency_us", "p50") / 1000,
        p99_ms=median("latency_us", "p99") / 1000,
        p999_ms=median("latency_us", "p999") / 1000,
        messages_per_second=statistics.median(r["messages"] / r["seconds"] for r in reports),
        spread=(max(rates) - min(rates)) / 2 / statistics.median(rates),
        others_cpu_share=median("others_cpu_share"),
        refusals=sum(n for r in reports for code, n in r["codes"].items() if code not in harmless),
    )


def cores() -> tuple[int, int] | None:
    """A core for the server under test and one for the generator; None when there is only one."""
    available = sorted(os.sched_getaffinity(0))
    return (available[0], available[1]) if len(available) > 1 else None
