"""The disk: a synchronous library that takes steps. `MessageStore` is the front door."""

from __future__ import annotations

from pocketmq.store.config import StoreConfig
from pocketmq.store.in_memory import all_of
from pocketmq.store.json_file import load_file, replace_file
from pocketmq.store.key_index import KeyQuery
from pocketmq.store.noted import Noted
from pocketmq.store.reader import PullResult, PullStatus
from pocketmq.store.recovery import RecoveryReport
from pocketmq.store.store import Arrival, MessageStore, StoreStats

__all__ = [
    "Arrival",
    "KeyQuery",
    "MessageStore",
    "Noted",
    "PullResult",
    "PullStatus",
    "RecoveryReport",
    "StoreConfig",
    "StoreStats",
    "all_of",
    "load_file",
    "replace_file",
]
