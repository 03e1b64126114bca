from pocketmq.message.record import Buffer

def gather_records(
    data: Buffer, file_start: int, extents: bytes, total: int, count: int
) -> bytes | None: ...
