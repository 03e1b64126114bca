from pocketmq.message.record import Buffer
from pocketmq.message.scan import Scan

def scan_records(
    data: Buffer, position: int, limit: int, log_offset: int, count_max: int
) -> Scan: ...
