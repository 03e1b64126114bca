from pocketmq.message.record import Buffer
from pocketmq.store.pull_scan import Extent

def gather_records(
    data: Buffer, file_start: int, extents: list[Extent], total: int, count: int
) -> bytes | None: ...
