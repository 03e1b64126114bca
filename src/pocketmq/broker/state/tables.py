"""All tables of a broker, loaded from its data directory."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pocketmq.broker.config import BrokerConfig
from pocketmq.broker.state.acls import AclTable
from pocketmq.broker.state.clients import ClientTable
from pocketmq.broker.state.delay import DelayTable
from pocketmq.broker.state.filters import FilterTable
from pocketmq.broker.state.groups import GroupTable
from pocketmq.broker.state.locks import LockTable
from pocketmq.broker.state.offsets import OffsetTable
from pocketmq.broker.state.ordered_pops import OrderTable
from pocketmq.broker.state.overrides import OverrideTable
from pocketmq.broker.state.request_modes import RequestModes
from pocketmq.broker.state.statistics import Statistics
from pocketmq.broker.state.table_file import TableFile
from pocketmq.broker.state.timers import WaitingTable
from pocketmq.broker.state.topics import TopicTable
from pocketmq.broker.state.transactions import TransactionTable
from pocketmq.broker.state.users import UserTable
from pocketmq.clock import Clock


@dataclass(frozen=True, slots=True)
class Tables:
    """What a broker remembers."""

    topics: TopicTable
    groups: GroupTable
    offsets: OffsetTable
    clients: ClientTable
    locks: LockTable
    statistics: Statistics
    overrides: OverrideTable
    delays: DelayTable
    waiting: WaitingTable
    transactions: TransactionTable
    orders: OrderTable
    request_modes: RequestModes
    filters: FilterTable
    users: UserTable
    acls: AclTable


def load_tables(config: BrokerConfig, clock: Clock) -> Tables:
    """Make the tables and read their files. Raise CorruptStore, OSError."""
    directory = Path(config.store.root) / "config"
    topics = TopicTable(
        config.identity,
        config.topics,
        clock,
        broker_permission=config.send.permission,
        file=TableFile(directory / "topics.json"),
    )
    groups = GroupTable(config.topics, clock, file=TableFile(directory / "subscriptionGroup.json"))
    offsets = OffsetTable(clock, file=TableFile(directory / "consumerOffset.json"))
    overrides = OverrideTable(clock, file=TableFile(directory / "overrides.json"))
    delays = DelayTable(clock, file=TableFile(directory / "delayOffset.json"))
    topics.load()
    groups.load()
    offsets.load()
    overrides.load()
    delays.load()
    waiting = WaitingTable(clock, file=TableFile(directory / "timermetrics"))
    waiting.load()
    transactions = TransactionTable(clock, file=TableFile(directory / "transactionMetrics"))
    transactions.load()
    filters = FilterTable(
        clock,
        kept_dead_ms=config.pull.dead_filter_keep_ms,
        file=TableFile(directory / "consumerFilter.json"),
    )
    filters.load()
    orders = OrderTable(clock, file=TableFile(directory / "consumerOrderInfo.json"))
    orders.load()
    modes = RequestModes(clock, file=TableFile(directory / "messageRequestMode.json"))
    modes.load()
    users = UserTable(config.access, clock, file=TableFile(directory / "users.json", private=True))
    users.load()
    acls = AclTable(config.access, clock, file=TableFile(directory / "acls.json", private=True))
    acls.load()
    return Tables(
        topics,
        groups,
        offsets,
        ClientTable(clock),
        LockTable(config.clients.lock_lease_ms, clock),
        Statistics(config.identity.cluster, clock),
        overrides,
        delays,
        waiting,
        transactions,
        orders,
        modes,
        filters,
        users,
        acls,
    )
