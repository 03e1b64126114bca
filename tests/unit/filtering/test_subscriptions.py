"""Tag expressions and what they let through."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pocketmq.errors import FilterUnsupported, SubscriptionInvalid
from pocketmq.filtering import SQL92, TAG, Subscription, parse_subscription, parse_tags
from pocketmq.filtering.subscriptions import EXPRESSION_CHARS_MAX, require_supported
from pocketmq.filtering.tags import TAGS_MAX
from pocketmq.message.hashing import tag_hash


@pytest.mark.parametrize("expression", [None, "", "*"])
def test_no_expression_wants_everything(expression: str | None) -> None:
    subscription = parse_subscription("T", expression)
    assert subscription == Subscription("T")
    assert subscription.wants_all
    assert subscription.wants_hash(0)
    assert subscription.wants_tag(None)


@pytest.mark.parametrize(
    "expression", ["TagA || TagB", "TagA||TagB", " TagB||  TagA ||", "||TagA||TagB"]
)
def test_tags_are_separated_by_two_bars(expression: str) -> None:
    subscription = parse_subscription("T", expression, version=7)
    assert subscription.tags == {"TagA", "TagB"}
    assert subscription.tag_hashes == {2598919, 2598920}
    assert not subscription.wants_all
    assert subscription.wants_hash(2598919)
    assert not subscription.wants_hash(0)
    assert subscription.wants_tag("TagB")
    assert not subscription.wants_tag("TagC")
    assert not subscription.wants_tag(None)
    assert subscription.version == 7


def test_a_star_among_tags_is_a_tag() -> None:
    assert parse_tags("*||A") == {"*", "A"}


@pytest.mark.parametrize("expression", ["||", " ", " || ||"])
def test_an_expression_without_a_tag_is_refused(expression: str) -> None:
    with pytest.raises(SubscriptionInvalid, match="no tag"):
        parse_subscription("T", expression)


def test_an_endless_expression_is_refused() -> None:
    with pytest.raises(SubscriptionInvalid, match="more than"):
        parse_tags("||".join(f"t{number}" for number in range(TAGS_MAX + 1)))
    with pytest.raises(SubscriptionInvalid, match="more than"):
        parse_subscription("T", "x" * (EXPRESSION_CHARS_MAX + 1))


def test_two_tags_of_equal_hash_pass_the_broker_but_not_the_consumer() -> None:
    subscription = parse_subscription("T", "Aa")
    assert tag_hash("Aa") == tag_hash("BB") == 2112
    assert subscription.wants_hash(tag_hash("BB"))
    assert not subscription.wants_tag("BB")


def test_another_type_is_kept_and_only_sql92_is_supported_besides_tags() -> None:
    subscription = parse_subscription("T", "a > 1", SQL92)
    assert (subscription.expression, subscription.expression_type) == ("a > 1", SQL92)
    assert not subscription.is_tag_filter
    assert not subscription.wants_all
    with pytest.raises(FilterUnsupported, match="GROOVY"):
        require_supported("GROOVY")
    for expression_type in (None, "", TAG, SQL92):
        require_supported(expression_type)


@pytest.mark.parametrize("expression", [None, ""])
def test_an_empty_expression_of_another_type_is_refused(expression: str | None) -> None:
    with pytest.raises(SubscriptionInvalid, match="empty"):
        parse_subscription("T", expression, SQL92)


@given(st.sets(st.text(st.characters(exclude_characters="|"), min_size=1), min_size=1, max_size=8))
def test_joined_tags_are_parsed_back(tags: set[str]) -> None:
    stripped = {tag.strip() for tag in tags} - {""}
    if stripped and stripped != {"*"}:
        assert parse_tags("||".join(tags)) == stripped
