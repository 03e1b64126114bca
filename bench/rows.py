"""What is measured, and the bar each figure has to reach. The benchmark's table of contents."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

ECHO = "echo"
POCKETMQ = "pocketmq"
APACHE = "apache"


@dataclass(frozen=True, slots=True)
class Figures:
    """What one peer did with one kind of work: the median of its windows."""

    requests_per_second: float
    server_cpu_us: float
    client_cpu_us: float
    client_cpu_share: float
    p50_ms: float
    p99_ms: float
    p999_ms: float
    messages_per_second: float
    spread: float
    """Half the distance between the best and worst window's rate, as a share of the median."""
    refusals: int
    others_cpu_share: float
    """Cores used by other programs and by the kernel's own writing."""


@dataclass(frozen=True, slots=True)
class Bar:
    """A demand on the ratio of one of PocketMQ's figures to another peer's."""

    figure: str
    other: str
    limit: float
    at_least: bool
    text: str

    def ratio(self, figures: Mapping[str, Figures]) -> float | None:
        """PocketMQ's figure divided by the other peer's; None when either was not measured."""
        if POCKETMQ not in figures or self.other not in figures:
            return None
        theirs = float(getattr(figures[self.other], self.figure))
        return float(getattr(figures[POCKETMQ], self.figure)) / theirs if theirs else None

    def is_met(self, ratio: float) -> bool:
        """Whether this ratio reaches the bar."""
        return ratio >= self.limit if self.at_least else ratio <= self.limit


@dataclass(frozen=True, slots=True)
class Work:
    """One kind of load."""

    mode: str
    header: str
    connections: int
    inflight: int
    extra: tuple[str, ...] = ()
    """Further options of the load generator."""

    @property
    def is_pull(self) -> bool:
        """Whether messages are read instead of written."""
        return self.mode == "pull"


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table: a load, the PocketMQ build it meets, and the bars."""

    name: str
    title: str
    work: Work
    bars: tuple[Bar, ...]
    sync_flush: bool = False
    pure: bool = False

    @property
    def scene(self) -> tuple[bool, str]:
        """Rows of one scene share a warmed Apache broker: its flush mode and header encoding."""
        return (self.sync_flush, self.work.header)


def _rate(times: float, text: str = "") -> Bar:
    return Bar("requests_per_second", APACHE, times, True, text or f"≥ {times:g}x Apache's rate")


def _cpu(part: int) -> Bar:
    return Bar("server_cpu_us", APACHE, 1 / part, False, f"≤ 1/{part} of Apache's CPU")


_NEAR_FLOOR = Bar("server_cpu_us", ECHO, 1.6, False, "≤ 1.6x the echo's CPU")
_TAIL = Bar("p99_ms", APACHE, 1 / 8, False, "≤ 1/8 of Apache's p99")
_SYNC = (_rate(3), _cpu(5), _NEAR_FLOOR, _TAIL)
_PIPELINED = (_rate(6), _cpu(10))
_PULLS = (_rate(4), _cpu(6))
_DURABLE = (_rate(2.5),)
_PURE = (_rate(1, "no slower than Apache"),)


def _send(header: str, connections: int, inflight: int) -> Work:
    return Work("send", header, connections, inflight)


ROWS = (
    Row("sync-json", "sends 64 × 1, JSON", _send("json", 64, 1), _SYNC),
    Row("pipelined-json", "sends 4 × 64, JSON", _send("json", 4, 64), _PIPELINED),
    Row("pulls-json", "pulls of 32, 16 × 1, JSON", Work("pull", "json", 16, 1), _PULLS),
    Row("pure-sync", "plain Python, sends 64 × 1", _send("json", 64, 1), _PURE, pure=True),
    Row("pure-pipelined", "plain Python, sends 4 × 64", _send("json", 4, 64), _PURE, pure=True),
    Row("sync-binary", "sends 64 × 1, binary", _send("binary", 64, 1), _SYNC),
    Row("pipelined-binary", "sends 4 × 64, binary", _send("binary", 4, 64), _PIPELINED),
    Row("pulls-binary", "pulls of 32, 16 × 1, binary", Work("pull", "binary", 16, 1), _PULLS),
    Row("durable-sync", "durable sends 64 × 1", _send("json", 64, 1), _DURABLE, sync_flush=True),
    Row(
        "durable-pipelined", "durable sends 4 × 64", _send("json", 4, 64), _DURABLE, sync_flush=True
    ),
)


@dataclass(frozen=True, slots=True)
class SoloRow:
    """A figure that has a bar of its own, instead of peers in the table."""

    name: str
    title: str
    unit: str
    limit: float
    at_least: bool = False

    def is_met(self, value: float) -> bool:
        """Whether a value reaches the bar."""
        return value >= self.limit if self.at_least else value < self.limit

    @property
    def bar(self) -> str:
        """The bar in words."""
        return f"{'≥' if self.at_least else '<'} {self.limit:g} {self.unit}"


STARTUP = SoloRow("startup", "`up` to first SEND_OK", "s", 0.5)
MEMORY_IDLE = SoloRow("memory-idle", "private memory, idle", "MB", 60)
MEMORY_TOPICS = SoloRow("memory-topics", "private memory, 1,000 topics × 8 queues", "MB", 100)
BATCH = SoloRow(
    "models-batch", "batches of 32 × 256 B beside single sends", "x messages/s", 6, at_least=True
)
SQL = SoloRow("models-sql", "pulls with two comparisons beside plain", "x", 0.6, at_least=True)
TRANSACTIONS = SoloRow("models-transactions", "half + commit beside sends", "x", 0.4, at_least=True)
POP = SoloRow("models-pop", "pop + ack beside Apache's", "x", 3, at_least=True)
TIMERS_MEMORY = SoloRow("models-timers-memory", "waiting timers, private memory", "MB", 20)
TIMERS_AT_REST = SoloRow("models-timers-rest", "waiting timers, at rest", "% of a core", 2)
TIMERS_LATE_MOSTLY = SoloRow("models-timers-p50", "timers' lateness, p50", "ms", 10.5)
TIMERS_LATE_RARELY = SoloRow("models-timers-p99", "timers' lateness, p99", "ms", 50.5)
LEVELS_LATE_MOSTLY = SoloRow("models-levels-p50", "a delay level's lateness, p50", "ms", 10.5)
LEVELS_LATE_RARELY = SoloRow("models-levels-p99", "a delay level's lateness, p99", "ms", 50.5)
SDK_SEND = SoloRow("sdk-send", "SDK, awaited sends, 256 in flight", "/s", 40_000, at_least=True)
SDK_IMPORT = SoloRow("sdk-import", "SDK, import", "ms", 60)
SDK_CONSUME = SoloRow("sdk-consume", "SDK, consuming", "/s", 80_000, at_least=True)
SDK_IN_A_TEST = SoloRow("sdk-test", "10,000 messages there and back in a test", "s", 1)
SDK_BLOCKING = SoloRow("sdk-blocking", "SDK, one blocking send beside the C++ client's", "x", 1.5)
SDK_FIXTURE = SoloRow("sdk-fixture", "pytest fixture, ready when warm", "ms", 50)
SOLO_ROWS = (
    STARTUP,
    MEMORY_IDLE,
    MEMORY_TOPICS,
    BATCH,
    SQL,
    TRANSACTIONS,
    POP,
    TIMERS_MEMORY,
    TIMERS_AT_REST,
    TIMERS_LATE_MOSTLY,
    TIMERS_LATE_RARELY,
    LEVELS_LATE_MOSTLY,
    LEVELS_LATE_RARELY,
    SDK_SEND,
    SDK_IMPORT,
    SDK_CONSUME,
    SDK_IN_A_TEST,
    SDK_BLOCKING,
    SDK_FIXTURE,
)


@dataclass(frozen=True, slots=True)
class Result:
    """A row and what each peer reached."""

    row: Row
    figures: Mapping[str, Figures]


@dataclass(frozen=True, slots=True)
class SoloResult:
    """A solo row, its value, and a remark that helps to read it."""

    row: SoloRow
    value: float
    note: str
