"""The SQL92 filters of consumer groups, kept in `config/consumerFilter.json`.

Heartbeats register them: a newer version replaces an older one. A filter whose group or topic is
gone is dead, still serves, and is forgotten a day later.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, Final

from pocketmq.broker.rules import bloom
from pocketmq.broker.state.saved import ChangeLog, encode_table
from pocketmq.broker.state.table_file import TableFile
from pocketmq.clock import Clock
from pocketmq.errors import MalformedBody, SubscriptionInvalid
from pocketmq.filtering import SQL92, Subscription
from pocketmq.filtering.sql import SqlFilter, compile_sql
from pocketmq.protocol.bodies import fastjson

FILTERS_MAX: Final = 100_000
_DEAD_BEFORE_START_MS: Final = 30_000


@dataclass(frozen=True, slots=True)
class Filter:
    """What one group wants of one topic. `dead_ms` is 0 while it is in use."""

    topic: str
    group: str
    expression: str
    compiled: SqlFilter
    version: int
    born_ms: int
    dead_ms: int = 0


class FilterTable:
    """Registers, finds and forgets filters. Changed on the event loop only."""

    def __init__(
        self, clock: Clock, *, kept_dead_ms: int = 86_400_000, file: TableFile | None = None
    ) -> None:
        self._clock = clock
        self._kept_dead_ms = kept_dead_ms
        self._filters: dict[tuple[str, str], Filter] = {}
        self._topics_of: dict[str, set[str]] = {}
        self.file = file
        self.changes = ChangeLog(clock)

    def load(self) -> None:
        """Read the file. Raise CorruptStore, OSError."""
        found = self.file.load(_decode) if self.file is not None else None
        limit = self._clock.now_ms() - _DEAD_BEFORE_START_MS
        for item in found or ():
            dead_ms = item.dead_ms or max(limit, item.born_ms)
            self._put(replace(item, dead_ms=dead_ms))

    def encode(self) -> bytes:
        """The content of the file; filters that are dead for too long are forgotten."""
        self._forget()
        topics: dict[str, dict[str, Any]] = {}
        for (topic, group), item in sorted(self._filters.items()):
            groups = topics.setdefault(topic, {"groupFilterData": {}, "topic": topic})
            groups["groupFilterData"][group] = _row(item)
        rows = [
            json.dumps(topic).encode() + b":" + json.dumps(row, separators=(",", ":")).encode()
            for topic, row in topics.items()
        ]
        return encode_table({"filterDataByTopic": rows})

    def __len__(self) -> int:
        return len(self._filters)

    def find(self, topic: str, group: str) -> Filter | None:
        """The filter of a group on a topic, dead or not."""
        return self._filters.get((topic, group))

    def register(self, group: str, subscriptions: Iterable[Subscription]) -> None:
        """Take over what a group's heartbeat states."""
        topics = set()
        for subscription in subscriptions:
            topics.add(subscription.topic)
            if subscription.expression_type == SQL92:
                self._register(group, subscription)
        for topic in self._topics_of.get(group, set()) - topics:
            self._bury((topic, group))

    def unregister(self, group: str) -> None:
        """The last member of a group is gone."""
        for topic in self._topics_of.get(group, ()):
            self._bury((topic, group))

    def _register(self, group: str, stated: Subscription) -> None:
        key = stated.topic, group
        old = self._filters.get(key)
        if old is not None and stated.version <= old.version:
            if stated.version == old.version and old.dead_ms:
                self._put(replace(old, dead_ms=0), changed=True)
            return
        if old is not None and old.expression == stated.expression:
            self._put(replace(old, version=stated.version, dead_ms=0), changed=True)
            return
        try:
            compiled = compile_sql(stated.expression)
        except SubscriptionInvalid:
            # The group's pulls are told that there is no filter, and its client asks why (46).
            self._drop(key)
            return
        if old is None and len(self._filters) >= FILTERS_MAX:
            return
        now_ms = self._clock.now_ms()
        self._put(
            Filter(stated.topic, group, stated.expression, compiled, stated.version, now_ms),
            changed=True,
        )

    def _bury(self, key: tuple[str, str]) -> None:
        found = self._filters[key]
        if not found.dead_ms:
            self._put(replace(found, dead_ms=self._clock.now_ms()), changed=True)

    def _put(self, item: Filter, *, changed: bool = False) -> None:
        self._filters[item.topic, item.group] = item
        self._topics_of.setdefault(item.group, set()).add(item.topic)
        if changed:
            self.changes.touched()

    def _drop(self, key: tuple[str, str]) -> None:
        if self._filters.pop(key, None) is None:
            return
        topics = self._topics_of[key[1]]
        topics.discard(key[0])
        if not topics:
            del self._topics_of[key[1]]
        self.changes.touched()

    def _forget(self) -> None:
        limit = self._clock.now_ms() - self._kept_dead_ms
        for key, item in list(self._filters.items()):
            if item.dead_ms and item.dead_ms <= limit:
                self._drop(key)


def _row(item: Filter) -> dict[str, Any]:
    positions = list(bloom.bit_positions(item.group, item.topic))
    return {
        "bloomFilterData": {"bitNum": bloom.BITS, "bitPos": positions},
        "bornTime": item.born_ms,
        "clientVersion": item.version,
        "consumerGroup": item.group,
        "deadTime": item.dead_ms,
        "expression": item.expression,
        "expressionType": SQL92,
        "topic": item.topic,
    }


def _decode(content: bytes) -> list[Filter]:
    """The filters in a file; expressions that do not compile are left out, as Apache does."""
    document = fastjson.loads(content)
    topics = document.get("filterDataByTopic", {}) if isinstance(document, dict) else None
    if not isinstance(topics, dict):
        raise MalformedBody("filterDataByTopic is not an object")
    found = []
    try:
        for topic, data in topics.items():
            for group, row in data["groupFilterData"].items():
                if row.get("expressionType") != SQL92:
                    continue
                try:
                    compiled = compile_sql(row["expression"])
                except SubscriptionInvalid:
                    continue
                version, born_ms, dead_ms = (
                    int(row.get(name) or 0) for name in ("clientVersion", "bornTime", "deadTime")
                )
                expression = row["expression"]
                found.append(Filter(topic, group, expression, compiled, version, born_ms, dead_ms))
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise MalformedBody(f"a filter is damaged: {error}") from None
    return found
