"""The settings of a broker that the console changes: a closed list, without paths and addresses.

RocketMQ once let anybody who could reach a broker set a path that was then run as a command. So the
console never passes on a name that is not listed here, whatever the broker behind it would do.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Final

from pocketmq.broker.config import BrokerConfig
from pocketmq.broker.handlers.admin.live import CHANGEABLE
from pocketmq.settings import settings_of

_APACHE: Final = {
    "clusterTopicEnable": "Topics may be created through the cluster's name.",
    "brokerTopicEnable": "Topics may be created through the broker's name.",
    "deleteWhen": "Hours of the day at which old files are deleted, split by `;`.",
    "enablePropertyFilter": "Allow SQL92 subscriptions.",
    "fileReservedTime": "Hours that files are kept.",
    "longPollingEnable": "Hold a pull that finds nothing until a message comes.",
    "maxMessageSize": "Longest body, in bytes.",
    "rejectTransactionMessage": "Refuse transactional messages.",
    "slaveReadEnable": "Let replicas be read from.",
    "traceOn": "Tell producers that their sends may be traced.",
    "transactionCheckInterval": "How often producers are asked about open transactions, in ms.",
    "transactionCheckMax": "How often its producer is asked, until a transaction is given up.",
    "waitTimeMillsInSendQueue": "How long a send may wait in the broker, in ms.",
    "warmMapedFileEnable": "Write to new files once before they are used.",
}
_ONLY_APACHES_HAVE: Final = "rocketmqHome"


def changeable(settings: Mapping[str, str]) -> frozenset[str]:
    """Which of a broker's settings the console may change while it runs."""
    names = set(_own_names())
    if _ONLY_APACHES_HAVE in settings:
        names |= _APACHE.keys()
    return frozenset(names & settings.keys())


@cache
def _own_names() -> frozenset[str]:
    """What our broker lets be changed, by RocketMQ's names."""
    return frozenset(
        alias
        for setting in settings_of(BrokerConfig())
        if setting.path in CHANGEABLE
        for alias in setting.declaration.aliases
    )


def help_of(name: str) -> str | None:
    """What a setting does, in a sentence, where that is known."""
    return _helps().get(name)


@cache
def _helps() -> dict[str, str]:
    own = {
        alias: setting.declaration.doc
        for setting in settings_of(BrokerConfig())
        for alias in setting.declaration.aliases
    }
    return {**_APACHE, **own}
