"""A subscription: one topic and an expression that says which of its messages are wanted."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from pocketmq.errors import FilterUnsupported, SubscriptionInvalid
from pocketmq.filtering.tags import ALL_TAGS, parse_tags
from pocketmq.message.hashing import tag_hash

TAG: Final = "TAG"
SQL92: Final = "SQL92"
EXPRESSION_CHARS_MAX: Final = 64 * 1024


def is_tag_type(expression_type: str | None) -> bool:
    """True when the type means a tag expression; absent and empty mean it too."""
    return not expression_type or expression_type == TAG


@dataclass(frozen=True, slots=True)
class Subscription:
    """What one consumer group wants of one topic. `version`: when it was stated, in ms."""

    topic: str
    expression: str = ALL_TAGS
    expression_type: str = TAG
    version: int = 0
    tags: frozenset[str] = frozenset()
    tag_hashes: frozenset[int] = field(default=frozenset())

    @property
    def is_tag_filter(self) -> bool:
        """True when tags alone decide, so that the consume queue can be filtered."""
        return self.expression_type == TAG

    @property
    def wants_all(self) -> bool:
        """True when nothing is filtered."""
        return self.is_tag_filter and not self.tag_hashes

    def wants_hash(self, hash_of_tag: int) -> bool:
        """True when a message whose tag has this hash may be wanted."""
        return not self.tag_hashes or hash_of_tag in self.tag_hashes

    def wants_tag(self, tag: str | None) -> bool:
        """True when a message with this tag is wanted; a consumer asks once more."""
        return not self.tags or tag in self.tags


def parse_subscription(
    topic: str,
    expression: str | None,
    expression_type: str | None = TAG,
    version: int = 0,
) -> Subscription:
    """The subscription an expression means.

    Raise SubscriptionInvalid when the expression cannot be understood. A type other than TAG is
    kept as it is; `require_supported` tells whether messages can be filtered by it.
    """
    if expression is not None and len(expression) > EXPRESSION_CHARS_MAX:
        raise SubscriptionInvalid(
            expression, f"it has {len(expression)} characters, more than {EXPRESSION_CHARS_MAX}"
        )
    if not is_tag_type(expression_type):
        if not expression:
            raise SubscriptionInvalid("", f"a {expression_type} expression cannot be empty")
        return Subscription(topic, expression, str(expression_type), version)
    tags = parse_tags(expression)
    hashes = frozenset(tag_hash(tag) for tag in tags)
    return Subscription(topic, expression or ALL_TAGS, TAG, version, tags, hashes)


def require_supported(expression_type: str | None) -> None:
    """Raise FilterUnsupported for an expression type that messages cannot be filtered by."""
    if not is_tag_type(expression_type) and expression_type != SQL92:
        raise FilterUnsupported(str(expression_type))
