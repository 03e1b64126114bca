"""Pages of lists that are known whole."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

from pocketmq.console.shapes import field_of

T = TypeVar("T")

SIZE_MAX = 500


def page_field() -> Any:
    """The query parameter `page`."""
    return field_of(1, "Which page, from 1.", minimum=1, maximum=1_000_000)


def size_field() -> Any:
    """The query parameter `size`."""
    return field_of(50, "How many on a page.", minimum=1, maximum=SIZE_MAX)


def slice_of(items: Sequence[T], page: int, size: int) -> Sequence[T]:
    """The items of one page."""
    return items[(page - 1) * size : page * size]


def matches(name: str, part: str, prefix: str) -> bool:
    """Whether a name has a part, in any case, and begins with a prefix."""
    return part.lower() in name.lower() and name.startswith(prefix)
