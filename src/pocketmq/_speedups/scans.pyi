from collections.abc import Iterable, Sequence
from typing import overload

from pocketmq.message.record import Buffer
from pocketmq.message.scan import Filed, Scan

class Filings(Sequence[Filed]):
    def __init__(self, records: Iterable[Filed] = ()) -> None: ...
    @overload
    def __getitem__(self, index: int) -> Filed: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Filed]: ...
    def __len__(self) -> int: ...

def scan_records(
    data: Buffer, position: int, limit: int, log_offset: int, count_max: int
) -> Scan: ...
