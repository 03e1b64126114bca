"""How large the messages of a queue are, read from the queue itself.

An entry is five words of 32 bits, of which the third is the size of the record; see
consume_queue.py. All sizes of a stretch are taken at once.
"""

from __future__ import annotations

import sys
from array import array
from typing import Final

from pocketmq.store.consume_queue import BLANK_SIZE, ENTRY_BYTES, ConsumeQueue

_WORDS: Final = ENTRY_BYTES // 4
_SIZE_WORD: Final = 2


def record_sizes(queue: ConsumeQueue, start: int, end: int) -> list[int]:
    """The sizes of the records of entries from `start` up to `end`, in order."""
    found: list[int] = []
    while start < end:
        place = queue.piece(start)
        if place is None or place[0].data is None:
            break
        file, at, limit = place
        data = file.data
        assert data is not None, "the file is mapped"
        count = min((limit - at) // ENTRY_BYTES, end - start)
        if count <= 0:
            break
        words = array("i", data[at : at + count * ENTRY_BYTES])
        sizes = words[_SIZE_WORD::_WORDS]
        if sys.byteorder == "little":
            sizes.byteswap()
        found += sizes
        start += count
    return [size for size in found if 0 < size != BLANK_SIZE]
