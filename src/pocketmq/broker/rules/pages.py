"""Pages of large tables: which part of it a request for all topics or groups is answered with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, TypeVar

from pocketmq.errors import MalformedBody
from pocketmq.protocol.bodies.versions import DataVersion

PAGE_MAX: Final = 2000

T = TypeVar("T")


def page_of(
    table: Mapping[str, T],
    first: int | None,
    count: int | None,
    known_version: str | None,
    version: DataVersion,
) -> dict[str, T]:
    """The entries of a page, by name; everything when `first` is None.

    A reader whose version is not the current one has pages of another table, so it starts again.
    """
    if first is None:
        return dict(table)
    if known_version:
        try:
            if DataVersion.from_request(known_version) != version:
                first = 0
        except MalformedBody:
            first = 0
    count = PAGE_MAX if count is None or count <= 0 else min(count, PAGE_MAX)
    first = max(first, 0)
    return {name: table[name] for name in sorted(table)[first : first + count]}
