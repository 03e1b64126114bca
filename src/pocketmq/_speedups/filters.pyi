from pocketmq.message.record import Buffer

def stretch_values(
    data: Buffer, names: tuple[bytes, ...]
) -> list[tuple[int, list[str | None]]]: ...

Step = tuple[int, int, int, int, int, object]

class Program:
    def __init__(self, names: tuple[bytes, ...], steps: list[Step]) -> None: ...
    def outcome_of(self, record: Buffer) -> int: ...
