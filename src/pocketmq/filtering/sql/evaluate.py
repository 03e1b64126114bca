"""Turns trees into closures over the values of the properties they name.

A closure yields True, False or None (unknown). It raises Unconvertible where Apache RocketMQ gives
up on a message: when a property is to be compared with a number and is none. The message is then
not wanted, whatever the rest of the expression says; so the order of evaluation matters.
"""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable, Sequence
from typing import Any, Final

from pocketmq.filtering.sql.tree import (
    AllOf,
    Among,
    AnyOf,
    AsBoolean,
    Constant,
    Equal,
    Holds,
    IsNull,
    Kind,
    Negated,
    Node,
    Not,
    Ordered,
    Property,
    kind_of,
)

Value = str | bool | int | float | None
Values = Sequence[str | None]
Evaluate = Callable[[Values], Value]
Compare = Callable[[Any, Any], int]

_LIMITS: Final = {Kind.INTEGER: 2**31, Kind.LONG: 2**63}
_SIGNS: Final[dict[str, Callable[[Any, Any], bool]]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_DOUBLE: Final = re.compile(
    r"[+-]?(?:(?P<word>NaN|Infinity)|(?P<plain>(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)"
    r"|(?P<hex>0[xX](?:[0-9a-fA-F]+\.?[0-9a-fA-F]*|\.[0-9a-fA-F]+)[pP][+-]?[0-9]+))[fFdD]?"
)
_BLANKS: Final = "".join(map(chr, range(33)))


class Unconvertible(ValueError):
    """A value is not of the type it is compared as."""


def names_in(node: Node) -> list[str]:
    """The properties an expression names, each once."""
    found: dict[str, None] = {}
    waiting: list[Any] = [node]
    while waiting:
        item = waiting.pop()
        if isinstance(item, Property):
            found[item.name] = None
            continue
        for slot in getattr(item, "__slots__", ()):
            inner = getattr(item, slot)
            if isinstance(inner, tuple):
                waiting.extend(inner)
            elif hasattr(inner, "__slots__"):
                waiting.append(inner)
    return list(found)


def compile_tree(node: Node, places: dict[str, int]) -> Evaluate:
    """The closure of a tree; `places` tells where in the values each property stands."""
    return _Compiler(places).of(node)


class _Compiler:
    def __init__(self, places: dict[str, int]) -> None:
        self._places = places

    def of(self, node: Node) -> Evaluate:
        if isinstance(node, Property):
            return operator.itemgetter(self._places[node.name])
        if isinstance(node, Constant):
            value = node.value
            return lambda _: value
        if isinstance(node, AllOf):
            return _decide([self.of(part) for part in node.parts], stop_at=False)
        if isinstance(node, AnyOf):
            return _decide([self.of(part) for part in node.parts], stop_at=True)
        if isinstance(node, Not):
            return _invert(self.of(node.operand))
        if isinstance(node, Equal):
            return self._equal(node)
        if isinstance(node, Ordered):
            return self._ordered(node)
        return self._single(node)

    def _single(self, node: Negated | AsBoolean | IsNull | Holds | Among) -> Evaluate:
        inner = self.of(node.operand)
        if isinstance(node, Negated):
            is_number = kind_of(node) is not Kind.NULL
            return lambda values: _negate(inner(values)) if is_number else _nothing(inner(values))
        if isinstance(node, AsBoolean):
            return lambda values: None if inner(values) is None else False
        if isinstance(node, IsNull):
            return lambda values: inner(values) is None
        if isinstance(node, Holds):
            return _holds(inner, node.word, node.sought, node.negated)
        choices, negated = node.choices, node.negated

        def among(values: Values) -> Value:
            value = inner(values)
            return None if value is None else (value in choices) is not negated

        return among

    def _equal(self, node: Equal) -> Evaluate:
        left, right = self.of(node.left), self.of(node.right)
        kinds = kind_of(node.left), kind_of(node.right)
        if kinds == (Kind.STRING, Kind.STRING) and isinstance(node.right, Constant):
            sought = node.right.value

            def equals_text(values: Values) -> Value:
                value = left(values)
                return None if value is None else value == sought

            return equals_text
        compare = _comparison(*kinds, ordered=False)

        def equals(values: Values) -> Value:
            one, other = left(values), right(values)
            if one is None:
                return True if other is None else None
            if other is None:
                return False
            return compare(one, other) == 0

        return equals

    def _ordered(self, node: Ordered) -> Evaluate:
        left, right = self.of(node.left), self.of(node.right)
        kinds = kind_of(node.left), kind_of(node.right)
        holds = _SIGNS[node.sign]
        is_whole = isinstance(node.right, Constant) and node.right.kind in _LIMITS
        if isinstance(node.left, Property) and isinstance(node.right, Constant) and is_whole:
            return _property_and_whole(left, holds, node.right)
        compare = _comparison(*kinds, ordered=True)

        def ordered(values: Values) -> Value:
            one = left(values)
            if one is None:
                return None
            other = right(values)
            return None if other is None else holds(compare(one, other), 0)

        return ordered


def _property_and_whole(
    left: Evaluate, holds: Callable[[Any, Any], bool], constant: Constant
) -> Evaluate:
    number, limit = constant.value, _LIMITS[constant.kind]

    def ordered(values: Values) -> Value:
        text = left(values)
        if not isinstance(text, str):
            return None
        return holds(to_whole(text, limit), number)

    return ordered


def _decide(parts: list[Evaluate], *, stop_at: bool) -> Evaluate:
    """AND and OR: the first part that decides ends it; else one unknown part makes it unknown."""
    if len(parts) == 2:
        first, second = parts

        def decide_two(values: Values) -> Value:
            one = first(values)
            if one is stop_at:
                return stop_at
            other = second(values)
            if other is stop_at:
                return stop_at
            return None if one is None or other is None else not stop_at

        return decide_two

    def decide(values: Values) -> Value:
        result: Value = not stop_at
        for part in parts:
            value = part(values)
            if value is stop_at:
                return stop_at
            if value is None:
                result = None
        return result

    return decide


def _invert(inner: Evaluate) -> Evaluate:
    def inverted(values: Values) -> Value:
        value = inner(values)
        return None if value is None else not value

    return inverted


def _holds(inner: Evaluate, word: str, sought: str, negated: bool) -> Evaluate:
    tests: dict[str, Callable[[Any, Any], bool]] = {
        "CONTAINS": operator.contains,
        "STARTSWITH": str.startswith,
        "ENDSWITH": str.endswith,
    }
    test = tests[word]

    def holds(values: Values) -> Value:
        value = inner(values)
        if not sought or not isinstance(value, str):
            return False
        return test(value, sought) is not negated

    return holds


def _negate(value: Any) -> Value:
    return None if value is None else -value


def _nothing(_: Value) -> Value:
    return None


# -- conversions ------------------------------------------------------------------------------


def to_whole(text: str, limit: int) -> int:
    """The number a text stands for, between -limit and limit - 1. Raise Unconvertible."""
    if not text.isdigit() and ("_" in text or text != text.strip()):
        raise Unconvertible(text)
    try:
        value = int(text)
    except ValueError:
        raise Unconvertible(text) from None
    if not -limit <= value < limit:
        raise Unconvertible(text)
    return value


def to_double(text: str) -> float:
    """The number a text stands for, written as Java writes them. Raise Unconvertible."""
    found = _DOUBLE.fullmatch(text.strip(_BLANKS))
    if found is None:
        raise Unconvertible(text)
    sign = -1.0 if found.group().startswith("-") else 1.0
    if found["word"]:
        return math.nan if found["word"] == "NaN" else sign * math.inf
    if found["hex"]:
        try:
            return sign * float.fromhex(found["hex"])
        except OverflowError:
            return sign * math.inf
    return sign * float(found["plain"])


def _order(one: Any, other: Any) -> int:
    return 1 if one > other else -1 if one < other else 0


def _order_doubles(one: float, other: float) -> int:
    """As Java's: not-a-number is above all, and -0.0 below 0.0."""
    if one < other:
        return -1
    if one > other:
        return 1
    keys = (math.isnan(one), math.copysign(1.0, one)), (math.isnan(other), math.copysign(1, other))
    return 0 if keys[0][0] and keys[1][0] else _order(*keys)


def _never(one: Any, other: Any) -> int:
    """Types that cannot be compared: the left one counts as smaller."""
    return -1


def _fails(one: Any, other: Any) -> int:
    raise Unconvertible(str(one))


def _comparison(left: Kind, right: Kind, *, ordered: bool) -> Compare:
    """How two values of these kinds are compared: like Java's compareTo, after conversion."""
    if left is Kind.STRING and right is Kind.STRING:
        if ordered:
            return lambda one, other: _order_doubles(to_double(one), to_double(other))
        return _order
    if left is right:
        return _order_doubles if left is Kind.DOUBLE else _order
    if left is Kind.BOOLEAN:
        return _fails if right is Kind.STRING else _never
    if right is Kind.BOOLEAN and left is Kind.STRING:
        return lambda one, other: _order(one.lower() == "true", other)
    if Kind.DOUBLE in (left, right) and Kind.BOOLEAN not in (left, right):
        return lambda one, other: _order_doubles(_as_double(one), _as_double(other))
    limit = _LIMITS.get(right if left is Kind.STRING else left, 0)
    if left is Kind.STRING and limit:
        return lambda one, other: _order(to_whole(one, limit), other)
    if right is Kind.STRING and limit:
        return lambda one, other: _order(one, to_whole(other, limit))
    return _order if left in _LIMITS and right in _LIMITS else _never


def _as_double(value: Any) -> float:
    return to_double(value) if isinstance(value, str) else float(value)
