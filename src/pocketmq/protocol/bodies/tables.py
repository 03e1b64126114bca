"""Plain maps of texts."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from pocketmq.protocol.bodies.documents import Document


@dataclass(frozen=True, slots=True)
class KvTable(Document):
    """Body of the answers to 28, 103 and 219: names and values, all text."""

    table: dict[str, str] = field(default_factory=dict)

    plain_keys: ClassVar[bool] = True
