import mmap
from collections.abc import Sequence

from pocketmq.message.record import Buffer
from pocketmq.message.scan import Filed
from pocketmq.store.pull_scan import PullLimits
from pocketmq.store.queue_table import TopicQueues

def put_entry(
    data: bytearray | mmap.mmap, position: int, log_offset: int, size: int, tag_hash: int
) -> None: ...
def count_entries(data: Buffer, position: int, limit: int, previous: int) -> tuple[int, int]: ...
def select_extents(
    data: Buffer,
    position: int,
    limit: int,
    limits: PullLimits,
    tag_hashes: frozenset[int] | None,
) -> tuple[bytes, int, int, int, int]: ...
def count_chained(data: Buffer, position: int, limit: int, log_offset: int) -> int: ...
def file_entries(records: Sequence[Filed], index: int, topics: dict[str, TopicQueues]) -> int: ...
