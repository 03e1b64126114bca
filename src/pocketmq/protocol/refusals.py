"""Request codes that are refused with a reason, because there is nothing here they could act on.

An operator whose tool sends one of these reads why nothing happened and what to do instead. An
empty success would leave them believing that something did.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from pocketmq.protocol.codes import RequestCode as Code

_CONTROLLER: Final = (
    "there is no controller here, brokers do not elect masters; "
    "a broker's role is what brokerRole and brokerId say in its own configuration"
)
_CONTAINER: Final = (
    "there are no containers of brokers here; start another broker as a process of its own "
    "(pocketmq broker)"
)
_COLD_DATA: Final = (
    "there are no quotas for cold reads here: old messages are read on threads of their own and "
    "hold nobody up, so nothing needs to be limited"
)
_FILTER_SERVER: Final = (
    "filter servers ended with RocketMQ 4.3; subscribe with an SQL92 expression instead "
    "(enablePropertyFilter=true)"
)
_BY_BROKER: Final = "this is what a broker asks a client, never what a broker is asked"
_OBSOLETE: Final = "no RocketMQ broker has answered this since 4.0"
_ASK_NAME_SERVER: Final = (
    "a name server answers this, not a broker; send it to a name server's address (mqadmin -n)"
)
_ASK_BROKER: Final = (
    "a broker answers this, not a name server; clusterList shows the brokers' addresses"
)
_CONTROLLER_CODES: Final = tuple(range(1001, 1007)) + tuple(range(1009, 1014))
_NAME_SERVER_CODES: Final = (
    *range(100, 107),
    *(205, 206, 216, 217, 219, 224, 304, 311, 312, 313, 318, 319, 322, 327, 901, 904),
)


def _table(*rows: tuple[tuple[int, ...], str]) -> Mapping[int, str]:
    return {code: reason for codes, reason in rows for code in codes}


BY_BROKER: Final = _table(
    (_NAME_SERVER_CODES, _ASK_NAME_SERVER),
    (_CONTROLLER_CODES, _CONTROLLER),
    ((Code.NOTIFY_BROKER_ROLE_CHANGED, Code.GET_BROKER_EPOCH_CACHE), _CONTROLLER),
    ((Code.ADD_BROKER, Code.REMOVE_BROKER), _CONTAINER),
    (
        (Code.UPDATE_COLD_DATA_FLOW_CTR_CONFIG, Code.REMOVE_COLD_DATA_FLOW_CTR_CONFIG),
        _COLD_DATA,
    ),
    ((Code.GET_COLD_DATA_FLOW_CTR_INFO,), _COLD_DATA),
    ((Code.REGISTER_FILTER_SERVER, Code.REGISTER_MESSAGE_FILTER_CLASS), _FILTER_SERVER),
    (
        (
            Code.CHECK_TRANSACTION_STATE,
            Code.NOTIFY_CONSUMER_IDS_CHANGED,
            Code.RESET_CONSUMER_CLIENT_OFFSET,
            Code.GET_CONSUMER_STATUS_FROM_CLIENT,
            Code.PUSH_REPLY_MESSAGE_TO_CLIENT,
        ),
        _BY_BROKER,
    ),
    ((Code.QUERY_BROKER_OFFSET,), f"{_OBSOLETE}; ask for GET_MAX_OFFSET (30)"),
    (
        (Code.GET_TOPIC_CONFIG_LIST, Code.GET_TOPIC_NAME_LIST),
        f"{_OBSOLETE}; ask for GET_ALL_TOPIC_CONFIG (21)",
    ),
    (
        (Code.TRIGGER_DELETE_FILES,),
        f"{_OBSOLETE}; ask for DELETE_EXPIRED_COMMITLOG (329, deleteExpiredCommitLog)",
    ),
    ((Code.GET_CLIENT_CONFIG,), f"{_OBSOLETE}; a consumer tells its own with consumerStatus -i"),
    (
        (Code.SUSPEND_CONSUMER, Code.RESUME_CONSUMER, Code.ADJUST_CONSUMER_THREAD_POOL),
        f"{_OBSOLETE}; updateSubGroup -s false keeps a group from consuming",
    ),
    (
        (Code.RESET_CONSUMER_OFFSET_IN_CONSUMER, Code.RESET_CONSUMER_OFFSET_IN_BROKER),
        f"{_OBSOLETE}; ask for INVOKE_BROKER_TO_RESET_OFFSET (222, resetOffsetByTime)",
    ),
    (
        (Code.WHO_CONSUME_THE_MESSAGE,),
        f"{_OBSOLETE}; queryMsgById and pocketmq message explain show who consumed a message",
    ),
    (
        (Code.CHECK_ROCKSDB_CQ_WRITE_PROGRESS,),
        "consume queues are files of 20-byte entries here, not RocksDB, so there are no two forms "
        "that could differ",
    ),
    (
        (Code.EXPORT_ROCKSDB_CONFIG_TO_JSON,),
        "topics, groups and offsets are JSON files already, in config/ below the data directory; "
        "exportMetadata reads them over the network",
    ),
    (
        (Code.POP_ROLLBACK,),
        "what was popped is kept in ordinary topics here, not in RocksDB, so there is nothing to "
        "move before a downgrade",
    ),
    (
        (Code.UPDATE_AND_CREATE_STATIC_TOPIC,),
        "static topics are not supported; create an ordinary topic (updateTopic), and more queues "
        "when brokers are added",
    ),
    (
        (
            Code.NOTIFY_MIN_BROKER_ID_CHANGE,
            Code.EXCHANGE_BROKER_HA_INFO,
            Code.RESET_MASTER_FLUSH_OFFSET,
        ),
        "there are no replicas here, so there is no state of theirs to exchange or reset",
    ),
    (
        (Code.SET_COMMITLOG_READ_MODE,),
        "the kernel never reads ahead in the mapped log here, as that would stop every client; "
        "what consumers read in sequence is fetched ahead on threads of its own",
    ),
)
"""Codes that a broker refuses, and why."""


def by_name_server(answered: Mapping[int, object]) -> Mapping[int, str]:
    """Codes that a name server refuses, and why: all but those it has answers for."""
    reasons = dict.fromkeys((int(code) for code in Code), _ASK_BROKER)
    reasons |= {code: why for code, why in BY_BROKER.items() if code not in _NAME_SERVER_CODES}
    return {code: why for code, why in reasons.items() if code not in answered}


def remark(code: int, reason: str) -> str:
    """What is answered to a refused request."""
    return f"request code {code} ({Code(code).name}) is not supported: {reason}"
