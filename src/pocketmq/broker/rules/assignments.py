"""Which queues each member of a group gets, as Apache's brokers share them out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from pocketmq.protocol.bodies.queues import MessageQueue

AVERAGE, CIRCLE = "AVG", "AVG_BY_CIRCLE"
STRATEGIES: Final = frozenset((AVERAGE, CIRCLE))


def assign(
    queues: Sequence[MessageQueue],
    client_ids: Sequence[str],
    client_id: str,
    strategy: str,
    share: int | None = None,
) -> list[MessageQueue]:
    """The queues of one client. `share` is for pops: how many others' queues it pops as well."""
    queues, clients = sorted(queues), sorted(client_ids)
    if share is not None and (share <= 0 or share >= len(clients) - 1):
        return sorted({MessageQueue(queue.topic, queue.broker_name, -1) for queue in queues})
    if client_id not in clients:
        return []
    at = clients.index(client_id)
    if share is None:
        return _own(queues, len(clients), at, strategy)
    if len(clients) > len(queues):
        return [queues[at % len(queues)]] if queues else []
    found: list[MessageQueue] = []
    for step in range(share + 1):
        found += _own(queues, len(clients), (at + step) % len(clients), strategy)
    return list(dict.fromkeys(found))


def _own(
    queues: Sequence[MessageQueue], clients: int, at: int, strategy: str
) -> list[MessageQueue]:
    if strategy == CIRCLE:
        return list(queues[at::clients])
    each, more = divmod(len(queues), clients)
    start = at * each + min(at, more)
    return list(queues[start : start + each + (at < more)])
