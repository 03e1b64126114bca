from collections.abc import Callable

from pocketmq.message.record import Buffer

def answer_pull(
    queue: Buffer,
    position: int,
    limit: int,
    tag_hashes: frozenset[int] | None,
    log: Buffer,
    where: tuple[int, int, int, int, int],
    limits: tuple[int, int, int, int, int],
    ask: tuple[int, int, int, int, int, int, int],
    accept: Callable[[memoryview], bool] | None,
) -> tuple[bytes, int, int, int] | None: ...
