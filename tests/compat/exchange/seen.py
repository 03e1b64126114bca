"""What was seen of one exchange: before the first broker stopped, and after the other started."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from tests.support.pulling import Pulled


@dataclass(slots=True)
class Seen:
    """What was seen of one exchange."""

    writer: str
    reader: str
    topics: str
    """The first part of the names of its topics."""
    asked: list[str] = field(default_factory=list)
    committed: list[Pulled] = field(default_factory=list)
    batches_before: list[Pulled] = field(default_factory=list)
    batches_after: list[Pulled] = field(default_factory=list)
    popped_before: list[str] = field(default_factory=list)
    popped_after: list[str] = field(default_factory=list)
    reconsumed: dict[str, int] = field(default_factory=dict)
    levels_before: list[Pulled] = field(default_factory=list)
    levels_after: list[Pulled] = field(default_factory=list)
    timed_before: list[Pulled] = field(default_factory=list)
    timed_after: list[Pulled] = field(default_factory=list)
    ordered_before: list[str] = field(default_factory=list)
    ordered_after: list[str] = field(default_factory=list)
    ordered_counts: set[str] = field(default_factory=set)
    """What the first ordered pop after the exchange says of how often its messages were popped."""
    tables: dict[str, Any] = field(default_factory=dict)
    """What the second broker has in the tables that the first one wrote."""
