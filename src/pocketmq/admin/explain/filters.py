"""Why a subscription wants a message or not: each comparison with the values it saw."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from pocketmq.errors import SubscriptionInvalid
from pocketmq.filtering.sql.evaluate import Unconvertible, compile_tree, names_in
from pocketmq.filtering.sql.filters import compile_sql
from pocketmq.filtering.sql.parser import parse
from pocketmq.filtering.sql.tree import (
    AllOf,
    Among,
    AnyOf,
    AsBoolean,
    Constant,
    Equal,
    Holds,
    IsNull,
    Negated,
    Node,
    Not,
    Ordered,
    Property,
)
from pocketmq.filtering.subscriptions import SQL92, is_tag_type, parse_subscription
from pocketmq.message.hashing import tag_hash
from pocketmq.message.properties import TAGS, encode_properties

IMPOSSIBLE: Final = "impossible"
"""A value cannot be read as what it is compared with, such as a number; nothing else counts."""

_COMPARISONS_MAX: Final = 50
_VALUE_CHARS_MAX: Final = 80


@dataclass(frozen=True, slots=True)
class Comparison:
    """One comparison of an expression. `result`: true, false, unknown or impossible."""

    text: str
    values: Mapping[str, str | None]
    result: str

    @property
    def sentence(self) -> str:
        """`amount > 100 is false, as amount is '7'`."""
        seen = ", ".join(
            f"{name} is " + ("not set" if value is None else _quoted(value[:_VALUE_CHARS_MAX]))
            for name, value in self.values.items()
        )
        if self.result == IMPOSSIBLE:
            return f"{self.text} cannot be computed, as {seen}, so the message is dropped"
        return f"{self.text} is {self.result}" + (f", as {seen}" if seen else "")


@dataclass(frozen=True, slots=True)
class Judgement:
    """Whether a subscription wants a message; None when that cannot be told. `why` says so."""

    is_wanted: bool | None
    why: str
    comparisons: tuple[Comparison, ...] = ()


def judge(
    topic: str, expression: str, expression_type: str, properties: Mapping[str, str]
) -> Judgement:
    """Whether a subscription wants a message with these properties, and why."""
    try:
        if is_tag_type(expression_type):
            return _by_tag(topic, expression, properties.get(TAGS))
        if expression_type == SQL92:
            return _by_sql(expression, properties)
    except SubscriptionInvalid as error:
        return Judgement(None, f"the expression cannot be understood: {error}")
    return Judgement(None, f"filters of type {expression_type} cannot be evaluated here")


def _by_tag(topic: str, expression: str, tag: str | None) -> Judgement:
    wanted = parse_subscription(topic, expression)
    has = f"the message has the tag {_quoted(tag)}" if tag else "the message has no tag"
    if not wanted.tags:
        return Judgement(True, "it wants all messages of the topic")
    listed = " or ".join(_quoted(name) for name in sorted(wanted.tags))
    if wanted.wants_tag(tag):
        return Judgement(True, f"it wants the tag {listed}, and {has}")
    if tag and wanted.wants_hash(tag_hash(tag)):
        return Judgement(
            False,
            f"it wants the tag {listed}, and {has}. Both have the same hash, so the broker sends "
            "the message, and the consumer drops it",
        )
    return Judgement(False, f"it wants the tag {listed}, and {has}")


def _by_sql(expression: str, properties: Mapping[str, str]) -> Judgement:
    wanted = compile_sql(expression).matches(encode_properties(properties).encode())
    comparisons = compared(parse(expression), properties)
    told = "; ".join(one.sentence for one in comparisons)
    outcome = "which is true" if wanted else "which is not true for this message"
    return Judgement(wanted, f"it wants {expression}, {outcome}: {told}", tuple(comparisons))


def compared(node: Node, properties: Mapping[str, str]) -> list[Comparison]:
    """The comparisons of an expression, from left to right, each evaluated by itself."""
    found: list[Comparison] = []
    waiting: list[Node] = [node]
    while waiting and len(found) < _COMPARISONS_MAX:
        part = waiting.pop()
        if isinstance(part, AllOf | AnyOf):
            waiting.extend(reversed(part.parts))
        elif isinstance(part, Not) and isinstance(part.operand, AllOf | AnyOf):
            waiting.append(part.operand)
        else:
            found.append(_compared(part, properties))
    return found


def _compared(node: Node, properties: Mapping[str, str]) -> Comparison:
    names = names_in(node)
    values = [properties.get(name) for name in names]
    try:
        value = compile_tree(node, {name: place for place, name in enumerate(names)})(values)
        result = "unknown" if value is None else "true" if value is True else "false"
    except Unconvertible:
        result = IMPOSSIBLE
    return Comparison(text_of(node), dict(zip(names, values, strict=True)), result)


def text_of(node: Node) -> str:
    """An expression as one would write it."""
    if isinstance(node, Property):
        return node.name
    if isinstance(node, Constant):
        return _constant(node)
    if isinstance(node, AsBoolean):
        return node.operand.name
    if isinstance(node, Negated):
        return f"-{text_of(node.operand)}"
    if isinstance(node, AllOf | AnyOf):
        word = " AND " if isinstance(node, AllOf) else " OR "
        return "(" + word.join(text_of(part) for part in node.parts) + ")"
    if isinstance(node, Equal):
        return f"{text_of(node.left)} = {text_of(node.right)}"
    if isinstance(node, Ordered):
        return f"{text_of(node.left)} {node.sign} {text_of(node.right)}"
    if isinstance(node, Not):
        return _negated(node.operand)
    if isinstance(node, IsNull):
        return f"{text_of(node.operand)} IS NULL"
    return _named(node)


def _negated(node: Node) -> str:
    if isinstance(node, Equal):
        return f"{text_of(node.left)} <> {text_of(node.right)}"
    if isinstance(node, IsNull):
        return f"{text_of(node.operand)} IS NOT NULL"
    return f"NOT ({text_of(node)})"


def _named(node: Holds | Among) -> str:
    word = "NOT " if node.negated else ""
    if isinstance(node, Holds):
        return f"{text_of(node.operand)} {word}{node.word} {_quoted(node.sought)}"
    choices = ", ".join(_quoted(choice) for choice in sorted(node.choices))
    return f"{node.operand.name} {word}IN ({choices})"


def _constant(node: Constant) -> str:
    if isinstance(node.value, str):
        return _quoted(node.value)
    if node.value is None:
        return "NULL"
    return str(node.value).upper() if isinstance(node.value, bool) else str(node.value)


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
