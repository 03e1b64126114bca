"""All handlers of operator requests, built and wired."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from pocketmq.broker.access import Access
from pocketmq.broker.config import BrokerConfig, SendConfig, TopicsConfig
from pocketmq.broker.handlers.admin.acls import AclsHandler
from pocketmq.broker.handlers.admin.cleaning import CleaningHandler
from pocketmq.broker.handlers.admin.config import ConfigHandler
from pocketmq.broker.handlers.admin.consumers import ConsumersHandler
from pocketmq.broker.handlers.admin.dumps import DumpsHandler
from pocketmq.broker.handlers.admin.live import LiveSettings, Take
from pocketmq.broker.handlers.admin.progress import Progress
from pocketmq.broker.handlers.admin.refusals import RefusalsHandler
from pocketmq.broker.handlers.admin.relays import RelaysHandler
from pocketmq.broker.handlers.admin.resets import ResetsHandler
from pocketmq.broker.handlers.admin.runtime import RuntimeHandler
from pocketmq.broker.handlers.admin.statistics import StatisticsHandler
from pocketmq.broker.handlers.admin.users import UsersHandler
from pocketmq.broker.handlers.groups import GroupsHandler
from pocketmq.broker.handlers.topics import Settle, TopicsHandler
from pocketmq.broker.routes import Routed
from pocketmq.broker.services.clients import ClientService
from pocketmq.broker.services.cold_reads import ColdReadService
from pocketmq.broker.services.long_work import LongWork
from pocketmq.broker.services.retention import RetentionService
from pocketmq.broker.services.saving import SavingService
from pocketmq.broker.state.tables import Tables
from pocketmq.clock import Clock
from pocketmq.store import MessageStore


@dataclass(frozen=True, slots=True)
class OperatorServices:
    """The services that operators' requests set to work.

    `settle` saves changed tables and tells the name servers; it is awaited before a change of
    topics is answered. `waiting_sends` counts sends that wait for the disk.
    `model_figures` are named as Apache names them. `takers` take changed settings of models.
    """

    clients: ClientService
    cold_reads: ColdReadService
    retention: RetentionService
    saving: SavingService
    settle: Settle
    waiting_sends: Callable[[], int]
    model_figures: Callable[[], dict[str, object]]
    takers: Mapping[str, Take]
    access: Access


def operator_handlers(
    config: BrokerConfig,
    store: MessageStore,
    tables: Tables,
    services: OperatorServices,
    clock: Clock,
) -> list[Routed]:
    """Build them all. What operators changed before the last stop is applied here."""
    broker_name, advertise = config.identity.broker_name, config.identity.advertise
    progress = Progress(broker_name, tables.offsets, tables.clients, store)
    save = services.saving.save_prompt
    long_work = LongWork(clock, services.cold_reads)
    settings = _settings_handler(config, store, tables, services)
    return [
        TopicsHandler(tables.topics, tables.offsets, tables.statistics, store, services.settle),
        GroupsHandler(tables.groups, tables.offsets, tables.statistics, save),
        settings,
        StatisticsHandler(
            progress,
            tables.topics,
            tables.groups,
            tables.statistics,
            clock,
            advertise,
            long_work,
            config.listen.frame_bytes_max,
        ),
        ConsumersHandler(tables.clients, tables.offsets, advertise),
        ResetsHandler(
            progress,
            tables.offsets,
            tables.topics,
            tables.groups,
            tables.clients,
            services.cold_reads,
            in_broker=config.pull.server_side_reset,
        ),
        RelaysHandler(
            tables.clients,
            tables.topics,
            tables.groups,
            store,
            broker_name,
            services.cold_reads,
        ),
        RuntimeHandler(
            config,
            store,
            tables.statistics,
            clock,
            services.waiting_sends,
            services.model_figures,
            services.cold_reads,
        ),
        CleaningHandler(services.retention, tables.topics, store, long_work),
        DumpsHandler(tables.offsets, tables.delays),
        *_access_handlers(services, tables),
        RefusalsHandler(),
    ]


def _settings_handler(
    config: BrokerConfig, store: MessageStore, tables: Tables, services: OperatorServices
) -> ConfigHandler:
    live = LiveSettings(config, _takers(store, tables, services))
    handler = ConfigHandler(live, tables.overrides, services.saving.save_prompt)
    handler.apply_overrides()
    return handler


def _access_handlers(services: OperatorServices, tables: Tables) -> list[Routed]:
    access, users, acls = services.access, tables.users, tables.acls
    save = services.saving.save_prompt
    return [UsersHandler(access, users, acls, save), AclsHandler(access, users, acls, save)]


def _takers(store: MessageStore, tables: Tables, services: OperatorServices) -> dict[str, Take]:
    """Who takes a changed group of settings, by the group's name."""

    def take_topics(config: TopicsConfig) -> None:
        tables.topics.set_auto_create(config.auto_create)
        tables.groups.set_auto_create(config.auto_create_groups)

    def take_sending(config: SendConfig) -> None:
        tables.topics.set_broker_permission(config.permission)

    return {
        **services.takers,
        "topics": take_topics,
        "send": take_sending,
        "clients": services.clients.configure,
        "store.retention": store.configure_retention,
    }
