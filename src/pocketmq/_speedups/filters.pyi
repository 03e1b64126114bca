from pocketmq.message.record import Buffer

def stretch_values(
    data: Buffer, names: tuple[bytes, ...]
) -> list[tuple[int, list[str | None]]]: ...
