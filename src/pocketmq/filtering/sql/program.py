"""Expressions of simple parts as programs for the leaf that decides about records in place.

Simple are comparisons of a property with a whole number, equality with a text, IN, IS NULL, and
AND, OR, NOT of such. What a program cannot decide about a record (a number that is not written in
plain digits, text beyond ASCII) it leaves to the evaluator, which is the meaning of it all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pocketmq import _speedups
from pocketmq.filtering.sql.tree import (
    AllOf,
    Among,
    AnyOf,
    Constant,
    Equal,
    IsNull,
    Kind,
    Node,
    Not,
    Ordered,
    Property,
)

if _speedups.has("filters") or TYPE_CHECKING:
    from pocketmq._speedups.filters import Program as Program

ALL: Final = 0
ANY: Final = 1
NOT: Final = 2
IS_NULL: Final = 3
AMONG: Final = 4
NOT_AMONG: Final = 5
SAME: Final = 10
_ORDERS: Final = {"<": 6, "<=": 7, ">": 8, ">=": 9}
_LIMITS: Final = {Kind.INTEGER: 2**31, Kind.LONG: 2**63 - 1}

Step = tuple[int, int, int, int, int, object]
"""(operation, place of the property, number of parts, number, limit, parts or texts)"""


class _NotSimple(Exception):
    """The expression has a part that only the evaluator understands."""


def compile_program(node: Node, names: tuple[str, ...]) -> Program | None:
    """Return the program of an expression, or None when there is none, or no leaf to run it."""
    if not _speedups.has("filters"):
        return None
    try:
        steps = _Writing(names).written(node)
        return Program(tuple(name.encode() for name in names), steps)
    except (_NotSimple, ValueError):
        return None


class _Writing:
    def __init__(self, names: tuple[str, ...]) -> None:
        self._places = {name: place for place, name in enumerate(names)}
        self._steps: list[Step] = []

    def written(self, node: Node) -> list[Step]:
        """The steps of an expression, itself last."""
        self._write(node)
        return self._steps

    def _write(self, node: Node) -> int:
        """Add the steps of a part; return the number of the last."""
        if isinstance(node, AllOf | AnyOf):
            parts = tuple(self._write(part) for part in node.parts)
            return self._add(ALL if isinstance(node, AllOf) else ANY, parts=parts)
        if isinstance(node, Not):
            return self._add(NOT, parts=(self._write(node.operand),))
        if isinstance(node, IsNull):
            return self._add(IS_NULL, place=self._place(node.operand))
        if isinstance(node, Among):
            texts = frozenset(choice.encode() for choice in node.choices)
            operation = NOT_AMONG if node.negated else AMONG
            return self._add(operation, place=self._place(node.operand), texts=texts)
        if isinstance(node, Ordered):
            return self._compared(_ORDERS[node.sign], node.left, node.right)
        if isinstance(node, Equal):
            right = node.right
            if isinstance(right, Constant) and isinstance(right.value, str):
                texts = frozenset((right.value.encode(),))
                return self._add(AMONG, place=self._place(node.left), texts=texts)
            return self._compared(SAME, node.left, right)
        raise _NotSimple

    def _compared(self, operation: int, left: Node, right: Node) -> int:
        if not isinstance(right, Constant) or right.kind not in _LIMITS:
            raise _NotSimple
        assert isinstance(right.value, int), "whole constants are ints"
        step = (operation, self._place(left), 0, right.value, _LIMITS[right.kind], None)
        self._steps.append(step)
        return len(self._steps) - 1

    def _place(self, node: Node) -> int:
        if not isinstance(node, Property):
            raise _NotSimple
        return self._places[node.name]

    def _add(
        self,
        operation: int,
        *,
        place: int = 0,
        parts: tuple[int, ...] = (),
        texts: frozenset[bytes] = frozenset(),
    ) -> int:
        self._steps.append((operation, place, len(parts), 0, 0, parts or texts))
        return len(self._steps) - 1
