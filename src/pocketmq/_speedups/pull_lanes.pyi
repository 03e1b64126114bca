from collections.abc import Callable
from typing import Any

from pocketmq._speedups.arrivals import Arrivals

class PullLane:
    group: str
    topic: str
    queue_id: int
    commit_offset: int
    def __init__(
        self,
        group: str,
        topic: str,
        queue_id: int,
        tag_hashes: frozenset[int] | None,
        accept: Callable[[memoryview], bool] | None,
        places: dict[int, int],
        counter: Any,
    ) -> None: ...

class PullLanes:
    def __init__(
        self,
        by_key: dict[bytes, PullLane],
        reach: Callable[[], tuple[int, int, int, int]],
        find: Callable[[str, int, int], tuple[Any, Any, Any] | None],
        limits: tuple[int, int, int, int, int],
        recent_entries: int,
        entries_max: int,
        frame_bytes_max: int,
        broker_id: int,
        version: int,
    ) -> None: ...
    def take_turn(self, arrivals: Arrivals[Any]) -> tuple[int, int, int, list[PullLane]] | None: ...

def lane_key(code: int, queue_id: int, *names: str | None) -> bytes: ...
