import mmap
from typing import Any

from pocketmq._speedups.arrivals import Arrivals

class Lane:
    def __init__(
        self,
        queue_count: int,
        magic: int,
        name: bytes,
        next_offsets: list[int],
        counter: object,
    ) -> None: ...

class PlainSends:
    def __init__(
        self,
        lanes: dict[bytes, Lane],
        store_host: bytes,
        suffix: bytes,
        json_tail: bytes,
        binary_tail: bytes,
        version: int,
        is_sync: bool,
        frame_bytes_max: int,
    ) -> None: ...
    def take_turn(
        self,
        arrivals: Arrivals[Any],
        index: int,
        born_host: bytes,
        target: bytearray | mmap.mmap,
        at: int,
        limit: int,
        log_offset: int,
        now_ms: int,
    ) -> tuple[int, int, int, int, bytes]: ...
    def take(
        self,
        data: bytes,
        position: int,
        born_host: bytes,
        target: bytearray | mmap.mmap,
        at: int,
        limit: int,
        log_offset: int,
        now_ms: int,
    ) -> tuple[int, int, int, int, bytes]: ...
