import mmap

def put_keys(
    data: mmap.mmap | bytearray, keys: bytes, first: int, slots: int, entries: int
) -> int: ...
def rebuild_slots(
    data: mmap.mmap | bytearray, slots: int, count: int, log_end: int
) -> int: ...
