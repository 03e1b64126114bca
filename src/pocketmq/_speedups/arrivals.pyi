from typing import Any, Generic, TypeVar

O = TypeVar("O")

class Seat(Generic[O]):
    owner: O
    descriptor: int
    kept: list[Any]
    lane: bytes | None
    active: bool
    def __init__(
        self, owner: O, descriptor: int, kept: list[Any], lane: bytes | None = None
    ) -> None: ...

class Arrivals(Generic[O]):
    def __init__(self) -> None: ...
    def __len__(self) -> int: ...
    def add(self, seat: Seat[O], arrived: bytes | int) -> None: ...
    def take_answers(self) -> list[tuple[O, int, bytes]]: ...
    def finish(self) -> list[tuple[O, bytes | int | None, bytes]]: ...
