"""How the broker is doing: GET_BROKER_RUNTIME_INFO (28), and GET_BROKER_HA_STATUS (907).

The answer to 28 is a table of texts. Tools parse some of them, so those that speak of thread pools,
which this broker does not have, are there too, as queues that are always empty.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping
from typing import Final

from pocketmq.broker.config import BrokerConfig
from pocketmq.broker.services.cold_reads import ColdReadService
from pocketmq.broker.state.statistics import LATENCY_LIMITS_MS, Rates, Statistics
from pocketmq.clock import Clock
from pocketmq.net import Connection, Handler
from pocketmq.net.connection import Served
from pocketmq.protocol.bodies.replicas import ReplicationStatus
from pocketmq.protocol.bodies.tables import KvTable
from pocketmq.protocol.codes import WIRE_VERSION, RequestCode, version_name
from pocketmq.protocol.command import Command
from pocketmq.store import MessageStore

_LATENCY_NAMES: Final = (
    "[<=0ms]",
    "[0~10ms]",
    "[10~50ms]",
    "[50~100ms]",
    "[100~200ms]",
    "[200~500ms]",
    "[500ms~1s]",
    "[1~2s]",
    "[2~3s]",
    "[3~4s]",
    "[4~5s]",
    "[5~10s]",
    "[10s~]",
)
_POOLS: Final = ("pull", "litePull", "query", "ack")
_UNITS: Final = ("B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB")


class RuntimeHandler:
    """Puts figures of the store and the statistics together."""

    def __init__(
        self,
        config: BrokerConfig,
        store: MessageStore,
        statistics: Statistics,
        clock: Clock,
        waiting_sends: Callable[[], int],
        model_figures: Callable[[], dict[str, object]],
        cold_reads: ColdReadService,
    ) -> None:
        self._config = config
        self._store = store
        self._statistics = statistics
        self._clock = clock
        self._waiting_sends = waiting_sends
        self._model_figures = model_figures
        self._cold_reads = cold_reads
        self._started_ms = clock.now_ms()
        self._log_dir = str(config.store.commit_log_dir or config.store.root / "commitlog")

    def routes(self) -> Mapping[int, Handler]:
        """Request code -> handler."""
        return {
            RequestCode.GET_BROKER_RUNTIME_INFO: self.runtime,
            RequestCode.GET_BROKER_HA_STATUS: self.replication,
        }

    def runtime(self, connection: Connection, command: Command) -> Served:
        """Everything in one table."""
        return self._cold_reads.when_in_memory(lambda: self._runtime(command))

    def _runtime(self, command: Command) -> Command:
        table: dict[str, str] = {}
        for part in (self._identity(), self._rates(), self._puts(), self._disk(), self._queues()):
            table.update({key: str(value) for key, value in part})
        return command.reply(body=KvTable(table).to_json())

    def replication(self, connection: Connection, command: Command) -> Command:
        """Where the log ends, and that no replica follows it."""
        status = ReplicationStatus(master_commit_log_max_offset=self._store.stats().log_end)
        return command.reply(body=status.to_json())

    def _identity(self) -> Iterator[tuple[str, object]]:
        seconds = max(self._clock.now_ms() - self._started_ms, 0) // 1000
        days, hours, minutes = seconds // 86_400, seconds // 3600 % 24, seconds // 60 % 60
        yield "brokerVersionDesc", version_name(WIRE_VERSION)
        yield "brokerVersion", WIRE_VERSION
        yield "brokerActive", "true"
        yield "bootTimestamp", self._started_ms
        yield (
            "runtime",
            f"[ {days} days, {hours} hours, {minutes} minutes, {seconds % 60} seconds ]",
        )
        yield "startAcceptSendRequestTimeStamp", self._config.send.accept_from_ms

    def _rates(self) -> Iterator[tuple[str, object]]:
        rates = self._statistics.rates
        found, missed = rates("found"), rates("missed")
        total = Rates(*[a + b for a, b in zip(found, missed, strict=True)])
        yield "putTps", _triple(rates("put"))
        yield "getFoundTps", _triple(found)
        yield "getMissTps", _triple(missed)
        yield "getTotalTps", _triple(total)
        yield "getTransferredTps", _triple(rates("transferred"))
        mornings = self._statistics.mornings
        yield "msgPutTotalYesterdayMorning", mornings.put_yesterday
        yield "msgPutTotalTodayMorning", mornings.put_today
        yield "msgPutTotalTodayNow", mornings.put_now
        yield "msgGetTotalYesterdayMorning", mornings.get_yesterday
        yield "msgGetTotalTodayMorning", mornings.get_today
        yield "msgGetTotalTodayNow", mornings.get_now

    def _puts(self) -> Iterator[tuple[str, object]]:
        totals = self._statistics.totals
        classes = self._statistics.latency_classes
        yield "putMessageTimesTotal", totals.put
        yield "putMessageFailedTimes", totals.put_failed
        yield "putMessageSizeTotal", totals.put_bytes
        yield "putMessageAverageSize", totals.put_bytes / totals.put if totals.put else 0.0
        yield "putMessageEntireTimeMax", self._statistics.latency_ms_max
        yield "getMessageEntireTimeMax", 0
        yield (
            "putMessageDistributeTime",
            "".join(
                [f"{name}:{count} " for name, count in zip(_LATENCY_NAMES, classes, strict=True)]
            ),
        )
        yield "putLatency99", f"{_quantile(classes, 0.99):.2f}"
        yield "putLatency999", f"{_quantile(classes, 0.999):.2f}"

    def _disk(self) -> Iterator[tuple[str, object]]:
        stats = self._store.stats()
        usage = shutil.disk_usage(self._log_dir)
        ratio = f"{stats.disk_used_percent / 100:.2f}"
        first = self._store.in_memory.decoded_record_at(stats.log_min)
        yield "earliestMessageTimeStamp", -1 if first is None else first.store_timestamp_ms
        yield "commitLogMinOffset", stats.log_min
        yield "commitLogMaxOffset", stats.log_end
        yield "commitLogDirCapacity", f"Total : {_size(usage.total)}, Free : {_size(usage.free)}."
        yield "commitLogDiskRatio", ratio
        yield f"commitLogDiskRatio_{self._log_dir}", ratio
        yield "consumeQueueDiskRatio", ratio
        yield "dispatchBehindBytes", stats.dispatch_behind_bytes
        yield "dispatchMaxBuffer", 0
        yield "remainHowManyDataToFlush", _size(stats.log_end - stats.flushed_offset)
        yield "remainTransientStoreBufferNumbs", 2**31 - 1

    def _queues(self) -> Iterator[tuple[str, object]]:
        yield "sendThreadPoolQueueSize", self._waiting_sends()
        yield "sendThreadPoolQueueCapacity", self._config.send.waiting_for_disk_max
        yield "sendThreadPoolQueueHeadWaitTimeMills", 0
        for pool in _POOLS:
            yield f"{pool}ThreadPoolQueueSize", 0
            yield f"{pool}ThreadPoolQueueCapacity", self._config.pull.held_max
            yield f"{pool}ThreadPoolQueueHeadWaitTimeMills", 0
        yield "EndTransactionQueueSize", 0
        yield "EndTransactionThreadPoolQueueCapacity", 0
        yield "pageCacheLockTimeMills", 0
        yield from self._model_figures().items()


def _triple(rates: Rates) -> str:
    return " ".join(map(str, rates))


def _size(size_bytes: float) -> str:
    unit = 0
    while size_bytes >= 1024 and unit < len(_UNITS) - 1:
        size_bytes /= 1024
        unit += 1
    return f"{size_bytes} B" if unit == 0 else f"{size_bytes:.1f} {_UNITS[unit]}"


def _quantile(classes: list[int], share: float) -> float:
    """The upper end of the class that holds this quantile, in milliseconds."""
    wanted = sum(classes) * share
    if not wanted:
        return 0.0
    seen = 0
    for count, limit in zip(classes, (*LATENCY_LIMITS_MS, LATENCY_LIMITS_MS[-1]), strict=True):
        seen += count
        if seen >= wanted:
            return float(limit)
    return float(LATENCY_LIMITS_MS[-1])
