"""What ordered pops hold: `config/consumerOrderInfo.json`, in Apache's form.

A queue that was popped in order gives nothing more to the group until every message of that pop is
acknowledged or visible again; then the pop is repeated from the first one that is not.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from pocketmq.broker.state.saved import ChangeLog, encode_table
from pocketmq.broker.state.table_file import TableFile
from pocketmq.clock import Clock
from pocketmq.errors import MalformedBody
from pocketmq.protocol.bodies import fastjson


@dataclass(slots=True)
class OrderedPop:
    """The last ordered pop of one queue by one group."""

    pop_time_ms: int
    invisible_ms: int
    offsets: list[int]
    attempt_id: str | None = None
    done: int = 0
    taken_ms: int = 0
    counts: dict[int, int] = field(default_factory=dict)
    visible_at: dict[int, int] = field(default_factory=dict)

    def blocks(self, attempt_id: str | None, now_ms: int) -> bool:
        """Whether another pop has to wait. The same attempt, sent again, has not."""
        if self.attempt_id is not None and self.attempt_id == attempt_id:
            return False
        due_ms = self.pop_time_ms + self.invisible_ms
        return any(
            not self.done >> place & 1 and now_ms < self.visible_at.get(offset, due_ms)
            for place, offset in enumerate(self.offsets)
        )

    @property
    def next_offset(self) -> int:
        """The first offset that is not acknowledged."""
        for place, offset in enumerate(self.offsets):
            if not self.done >> place & 1:
                return offset
        return self.offsets[-1] + 1

    def to_tree(self) -> dict[str, Any]:
        """As the file has it: offsets after the first are relative to it."""
        first = self.offsets[0]
        tree: dict[str, Any] = {
            "cm": self.done,
            "i": self.invisible_ms,
            "l": self.taken_ms,
            "o": [first, *(offset - first for offset in self.offsets[1:])],
            "oc": dict(self.counts),
            "ot": dict(self.visible_at),
            "popTime": self.pop_time_ms,
        }
        if self.attempt_id is not None:
            tree["a"] = self.attempt_id
        return tree


def _from_tree(tree: dict[str, Any]) -> OrderedPop:
    first, *steps = (int(offset) for offset in tree["o"])
    return OrderedPop(
        int(tree["popTime"]),
        int(tree.get("i") or 0),
        [first, *(first + step for step in steps)],
        tree.get("a"),
        int(tree.get("cm") or 0),
        int(tree.get("l") or 0),
        {int(offset): int(count) for offset, count in (tree.get("oc") or {}).items()},
        {int(offset): int(moment) for offset, moment in (tree.get("ot") or {}).items()},
    )


class OrderTable:
    """Remembers ordered pops by group, topic and queue. Changed on the event loop only."""

    def __init__(self, clock: Clock, *, file: TableFile | None = None) -> None:
        self._infos: dict[tuple[str, str], dict[int, OrderedPop]] = {}
        self.file = file
        self.changes = ChangeLog(clock)

    def load(self) -> None:
        """Read the file. Raise CorruptStore, OSError."""
        tree = self.file.load(_decode) if self.file is not None else None
        self._infos = tree or {}

    def encode(self) -> bytes:
        """The content of the file."""
        rows = [
            json.dumps(f"{topic}@{group}").encode()
            + b":"
            + fastjson.dumps({queue: info.to_tree() for queue, info in queues.items()})
            for (topic, group), queues in self._infos.items()
        ]
        return encode_table({"table": rows})

    def find(self, topic: str, group: str, queue_id: int) -> OrderedPop | None:
        """The last ordered pop of a queue."""
        return self._infos.get((topic, group), {}).get(queue_id)

    def popped(self, topic: str, group: str, queue_id: int, info: OrderedPop) -> None:
        """A group took messages in order; those it had before are counted once more."""
        before = self.find(topic, group, queue_id)
        if before is not None:
            if before.attempt_id is not None and before.attempt_id == info.attempt_id:
                info.counts = dict(before.counts)
            else:
                had = set(before.offsets)
                info.counts = {
                    offset: before.counts.get(offset, 0) + 1
                    for offset in info.offsets
                    if offset in had
                }
        self._infos.setdefault((topic, group), {})[queue_id] = info
        self.changes.touched()

    def acknowledge(self, info: OrderedPop, offset: int) -> int | None:
        """Note an ack; return where the group is now, or None when the pop did not hold it."""
        if offset not in info.offsets:
            return None
        info.done |= 1 << info.offsets.index(offset)
        self.changes.touched()
        return info.next_offset

    def hide(self, info: OrderedPop, offset: int, until_ms: int) -> None:
        """A message is to be visible at another moment."""
        if offset in info.offsets:
            info.visible_at[offset] = until_ms
            self.changes.touched()

    def forget(self, topic: str) -> None:
        """A topic is gone."""
        self._forget([key for key in self._infos if key[0] == topic])

    def forget_group(self, group: str) -> None:
        """A group is gone."""
        self._forget([key for key in self._infos if key[1] == group])

    def forget_queue(self, topic: str, group: str, queue_id: int) -> None:
        """A group goes on elsewhere in a queue."""
        if self._infos.get((topic, group), {}).pop(queue_id, None) is not None:
            self.changes.touched()

    def _forget(self, keys: list[tuple[str, str]]) -> None:
        for key in keys:
            del self._infos[key]
        if keys:
            self.changes.touched()


def order_count_info(retry_flag: int, queue_id: int, info: OrderedPop) -> str:
    """How often each message of a pop was handed out before."""
    parts = [f"{retry_flag} qo{queue_id}%{offset} {count}" for offset, count in info.counts.items()]
    every = len(info.counts) == len(info.offsets)
    least = min(info.counts.values()) if info.counts and every else 0
    return ";".join([*parts, f"{retry_flag} {queue_id} {least}"])


def _decode(content: bytes) -> dict[tuple[str, str], dict[int, OrderedPop]]:
    try:
        table = fastjson.loads(content).get("table") or {}
        found: dict[tuple[str, str], dict[int, OrderedPop]] = {}
        for name, queues in table.items():
            topic, _, group = name.partition("@")
            found[(topic, group)] = {
                int(queue): _from_tree(tree) for queue, tree in queues.items() if tree.get("o")
            }
        return found
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise MalformedBody(f"no order infos: {error}") from None


def held(
    offsets: Sequence[int], pop_time_ms: int, invisible_ms: int, attempt: str | None
) -> OrderedPop:
    """A fresh pop."""
    return OrderedPop(pop_time_ms, invisible_ms, list(offsets), attempt, 0, pop_time_ms)
