"""The file of one table below `config/`, with the `.bak` that Apache RocketMQ keeps beside it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from pocketmq.errors import MalformedBody
from pocketmq.store import load_file, replace_file

T = TypeVar("T")


class TableFile:
    """Loads one file and replaces it whole. Only its owner may read a `private` one."""

    def __init__(self, path: Path, *, private: bool = False) -> None:
        self.path = path
        self._private = private

    def load(self, decode: Callable[[bytes], T]) -> T | None:
        """What was saved last, or None when nothing was. Raise CorruptStore, OSError.

        `decode` raises MalformedBody when it does not understand the bytes; the copy of what was
        saved before is then used.
        """

        def understood(content: bytes) -> T:
            try:
                return decode(content)
            except MalformedBody as error:
                raise ValueError(str(error)) from None

        return load_file(self.path, understood)

    def replace(self, content: bytes) -> None:
        """Make this the content, durably. Blocks on the disk. Raise StoreError."""
        replace_file(self.path, content, private=self._private)
