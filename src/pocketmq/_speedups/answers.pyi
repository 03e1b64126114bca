def encode_send_reply(
    store_host: bytes,
    json_tail: bytes,
    binary_tail: bytes,
    version: int,
    serialization: int,
    opaque: int,
    log_offset: int,
    queue_id: int,
    queue_offset: int,
    unique_key: bytes,
    code: int,
) -> bytes | None: ...
def encode_pull_head(
    serialization: int,
    opaque: int,
    next_offset: int,
    min_offset: int,
    max_offset: int,
    broker_id: int,
    topic_sys_flag: int,
    group_sys_flag: int,
    code: int,
    remark: bytes,
    version: int,
    body_bytes: int,
) -> bytes | None: ...
def message_ids(store_host: bytes, log_offset: int, sizes: list[int]) -> str: ...
