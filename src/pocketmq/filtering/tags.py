"""Tag expressions: `TagA || TagB` names the tags a consumer wants, `*` wants all.

A broker filters by the 32-bit hash that the consume queue keeps of each tag, so two tags may be
taken for one another; a consumer compares the text once more.
"""

from __future__ import annotations

from typing import Final

from pocketmq.errors import SubscriptionInvalid

ALL_TAGS: Final = "*"
SEPARATOR: Final = "||"
TAGS_MAX: Final = 4096


def parse_tags(expression: str | None) -> frozenset[str]:
    """The tags an expression names, empty when it wants all.

    Raise SubscriptionInvalid when it is neither empty nor `*` and still names none.
    """
    if not expression or expression == ALL_TAGS:
        return frozenset()
    tags = frozenset(tag for part in expression.split(SEPARATOR) if (tag := part.strip()))
    if not tags:
        raise SubscriptionInvalid(expression, "it names no tag; use * for all, or A || B")
    if len(tags) > TAGS_MAX:
        raise SubscriptionInvalid(expression, f"it names {len(tags)} tags, more than {TAGS_MAX}")
    return tags
