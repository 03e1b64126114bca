import mmap

from pocketmq.message.record import Buffer

def write_record(
    target: bytearray | mmap.mmap,
    position: int,
    limit: int,
    log_offset: int,
    queue_offset: int,
    store_timestamp_ms: int,
    magic: int,
    queue_id: int,
    flag: int,
    sys_flag: int,
    born_timestamp_ms: int,
    born_host: bytes,
    store_host: bytes,
    reconsume_times: int,
    prepared_offset: int,
    body: bytes | memoryview,
    body_crc: int,
    topic: bytes,
    properties: bytes | memoryview,
) -> int: ...
def measure_record(data: Buffer, position: int, limit: int) -> tuple[int, int, int, int]: ...
def write_batch(
    target: bytearray | mmap.mmap,
    position: int,
    limit: int,
    log_offset: int,
    queue_offset: int,
    store_timestamp_ms: int,
    magic: int,
    queue_id: int,
    sys_flag: int,
    born_timestamp_ms: int,
    born_host: bytes,
    store_host: bytes,
    reconsume_times: int,
    batch: bytes | memoryview,
    topic: bytes,
) -> list[int] | int | None: ...
