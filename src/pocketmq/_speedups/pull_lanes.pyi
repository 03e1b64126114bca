from collections.abc import Callable
from typing import Any

from pocketmq._speedups.arrivals import Arrivals

class PullLane:
    group: str
    topic: str
    queue_id: int
    pulls: int
    messages: int
    bytes: int
    next_offset: int
    commit_offset: int
    def __init__(
        self,
        group: str,
        topic: str,
        queue_id: int,
        tag_hashes: frozenset[int] | None,
        accept: Callable[[memoryview], bool] | None,
    ) -> None: ...

class PullLanes:
    def __init__(
        self,
        by_key: dict[bytes, PullLane],
        find: Callable[[str, int, int], tuple[Any, ...] | None],
        frame_bytes_max: int,
        broker_id: int,
        version: int,
    ) -> None: ...
    def take_turn(
        self,
        arrivals: Arrivals[Any],
        where: tuple[int, int, int, int, int, int],
        limits: tuple[int, int, int, int, int],
    ) -> list[PullLane]: ...

def lane_key(code: int, queue_id: int, *names: str | None) -> bytes: ...
