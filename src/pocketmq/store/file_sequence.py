"""Many files of equal size as one long byte range."""

from __future__ import annotations

import os
from pathlib import Path

from pocketmq.errors import CorruptStore
from pocketmq.store import layout, space
from pocketmq.store.mapped_file import MappedFile


class FileSequence:
    """The files of one directory, oldest first, without gaps."""

    __slots__ = ("directory", "file_size", "files")

    def __init__(self, directory: Path | str, file_size: int) -> None:
        self.directory = str(directory)
        self.file_size = file_size
        self.files: list[MappedFile] = []

    @property
    def start(self) -> int:
        """The first byte there is."""
        return self.files[0].start if self.files else 0

    @property
    def end(self) -> int:
        """The first byte behind the last file."""
        return self.files[-1].end if self.files else 0

    def load(self, what: str, property_name: str, *, mend: bool = True) -> list[str]:
        """Find the files on the disk. Return the paths whose length had to be mended.

        An empty last file is deleted and, with `mend`, a short one lengthened, as a crash leaves
        them. Raise CorruptStore when sizes or names say that the files were made with another
        setting.
        """
        found = layout.numbered_files(self.directory)
        mended = []
        if found and found[-1][2] == 0:
            os.unlink(found.pop()[1])
        for index, (start, path, size) in enumerate(found):
            last = index == len(found) - 1
            if size > self.file_size or (size < self.file_size and not (last and mend)):
                raise CorruptStore(
                    f"{path} has {size} bytes, but a {what} file has {self.file_size}; "
                    f"set {property_name}={size} if the data was written with it"
                )
            if start % self.file_size or (index and start != found[index - 1][0] + self.file_size):
                raise CorruptStore(
                    f"{path} does not follow the {what} file before it; restore the missing file, "
                    f"or move the older ones away"
                )
            if size < self.file_size:
                os.truncate(path, self.file_size)
                mended.append(path)
            self.files.append(MappedFile(path, start, self.file_size))
        return mended

    def at(self, position: int) -> MappedFile | None:
        """Return the file that holds a byte of the range, or None."""
        files = self.files
        if not files:
            return None
        index = (position - files[0].start) // self.file_size
        return files[index] if 0 <= index < len(files) else None

    def create(self, start: int) -> MappedFile:
        """Create the file that begins at `start` without adding it. Raise StoreFull."""
        path = os.path.join(self.directory, layout.file_name(start))
        space.create_sparse(path, self.file_size)
        return MappedFile(path, start, self.file_size)

    def drop_from(self, position: int) -> list[MappedFile]:
        """Delete the files that begin at or behind `position`; return them."""
        dropped = [file for file in self.files if file.start >= position]
        self.files = [file for file in self.files if file.start < position]
        for file in reversed(dropped):
            file.unlink()
        return dropped
