"""One mapped file, and the bound on how many are mapped at once.

A mapping is dropped by forgetting it: views that were handed out keep it alive until the last of
them is gone. Python's mmap keeps a descriptor of its own, so none is kept here.
"""

from __future__ import annotations

import ctypes
import mmap
import os
from collections import OrderedDict
from typing import Protocol

from pocketmq import descriptors
from pocketmq.errors import StoreFull
from pocketmq.store import space

_MAPPED_IN_ANY_CASE = 16


class MappingOwner(Protocol):
    """Whoever keeps direct references into mapped files."""

    def unmapped(self, file: MappedFile) -> None:
        """Forget references into `file`; its mapping is going away."""
        ...


class MappedFile:
    """A file of fixed size that is one piece of a long byte range starting at `start`."""

    __slots__ = (
        "address",
        "data",
        "owner",
        "path",
        "reserved",
        "size",
        "start",
        "used",
        "view",
    )

    def __init__(self, path: str, start: int, size: int) -> None:
        self.path = path
        self.start = start
        self.size = size
        self.reserved = 0
        self.data: mmap.mmap | None = None
        self.view: memoryview | None = None
        self.address = 0
        self.used = False
        self.owner: MappingOwner | None = None

    @property
    def end(self) -> int:
        """The first byte of the range behind this file."""
        return self.start + self.size

    def map(self) -> mmap.mmap:
        """Return the mapping, made now if need be. Raise StoreFull or StoreNotWritable."""
        if self.data is None:
            try:
                with open(self.path, "r+b") as file:
                    self.data = mmap.mmap(file.fileno(), self.size)
            except OSError as error:
                raise space.store_error(self.path, error) from error
            if hasattr(mmap, "MADV_RANDOM"):
                # Without this the first touch of a page reads, and fills, megabytes of others with
                # it, and stops every client meanwhile. What is read in sequence is asked for.
                self.data.madvise(mmap.MADV_RANDOM)
            self.address = ctypes.addressof(ctypes.c_char.from_buffer(self.data))
            self.view = memoryview(self.data)
        return self.data

    def release(self) -> None:
        """Forget the mapping."""
        if self.owner is not None:
            self.owner.unmapped(self)
        self.data = None
        self.view = None
        self.address = 0

    def reserve(self, needed: int, step: int) -> None:
        """Back the file with disk space up to `needed`, and a step more if there is room for it.

        Raise StoreFull when even `needed` cannot be had.
        """
        needed = min(_up_to_page(needed), self.size)
        wanted = min(_up_to_page(max(needed, self.reserved + step)), self.size)
        try:
            space.reserve(self.path, self.reserved, wanted)
        except StoreFull:
            if wanted == needed:
                raise
            space.reserve(self.path, self.reserved, needed)
            wanted = needed
        self.reserved = max(self.reserved, wanted)

    def extend_with_zeros(self, last: int, keep: int) -> None:
        """Back the file up to `last`, and have its new pages in memory before they are written.

        Writing whole zero pages through a descriptor is several times cheaper than the page faults
        it saves, and it stops nobody. Nothing before `keep` is touched. The caller sees to it that
        nobody writes behind `reserved` meanwhile. Raise StoreFull or StoreNotWritable.
        """
        first = min(_up_to_page(max(self.reserved, keep)), self.size)
        if last <= first:
            return
        space.reserve_zeros(self.path, self.reserved, first, last)
        self.reserved = last

    def unlink(self) -> None:
        """Drop the mapping and delete the file. Views handed out stay readable."""
        self.release()
        os.unlink(self.path)


class MappingCache:
    """At most `limit` mapped files; the one longest unused is unmapped for the next.

    There are fewer while connections leave few descriptors.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._mapped: OrderedDict[MappedFile, None] = OrderedDict()

    def __len__(self) -> int:
        return len(self._mapped)

    def map(self, file: MappedFile) -> mmap.mmap:
        """Return the mapping of `file`, unmapping another if the bound is reached."""
        file.used = True
        if file.data is not None:
            return file.data
        while len(self._mapped) >= self._limit or self._is_crowded():
            oldest, _ = self._mapped.popitem(last=False)
            if oldest.used and oldest.data is not None:
                oldest.used = False
                self._mapped[oldest] = None
            else:
                oldest.release()
        data = file.map()
        self._mapped[file] = None
        return data

    def _is_crowded(self) -> bool:
        return len(self._mapped) >= _MAPPED_IN_ANY_CASE and descriptors.are_short()

    def drop(self, file: MappedFile) -> None:
        """Unmap one file."""
        self._mapped.pop(file, None)
        file.release()


def _up_to_page(position: int) -> int:
    return (position + space.PAGE_BYTES - 1) // space.PAGE_BYTES * space.PAGE_BYTES
