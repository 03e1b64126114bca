"""What a body may cost to decode, however few bytes it is made of.

A few hundred bytes can describe a list of two references to a list of two references, and so on:
2**64 values for whoever prints it. So a reference costs what it refers to, and a body that costs
more than the bound is not decoded. A reference to a list or map that still is being read, which
would contain itself, is refused; an object with fields may be part of a circle, as it prints
without its contents.
"""

from __future__ import annotations

from dataclasses import dataclass

from pocketmq.client.codecs.java_values import JavaObject
from pocketmq.errors import BodyUndecodable


@dataclass(frozen=True, slots=True)
class DecodeLimits:
    """How much of a body is decoded before it is handed over raw."""

    depth_max: int = 100
    """Values inside values."""
    values_max: int = 1_000_000
    """Values in all, where a value counts as often as it is referred to."""
    body_bytes_max: int = 64 * 1024 * 1024
    """Bytes of the body."""


class Budget:
    """What one body has cost so far."""

    def __init__(self, limits: DecodeLimits, body_bytes: int) -> None:
        if body_bytes > limits.body_bytes_max:
            raise BodyUndecodable(
                f"the body has {body_bytes} bytes, more than the {limits.body_bytes_max} "
                "that the limits allow"
            )
        self._limits = limits
        self._depth = 0
        self.spent = 0

    def spend(self, values: int) -> None:
        """Pay for values. Raise BodyUndecodable when there are too many."""
        self.spent += values
        if self.spent > self._limits.values_max:
            raise BodyUndecodable(f"the body holds more than {self._limits.values_max} values")

    def enter(self) -> None:
        """Begin a value inside another. Raise BodyUndecodable when it lies too deep."""
        self._depth += 1
        if self._depth > self._limits.depth_max:
            raise BodyUndecodable(f"values lie deeper than {self._limits.depth_max} levels")

    def leave(self) -> None:
        """End a value inside another."""
        self._depth -= 1

    @property
    def is_outermost(self) -> bool:
        """Whether the value being read is in no other."""
        return self._depth == 1


class References:
    """The values of a stream that later parts may refer to, by number, and what each cost."""

    def __init__(self, budget: Budget) -> None:
        self._budget = budget
        self._values: list[object] = []
        self._costs: list[int | None] = []

    def __len__(self) -> int:
        return len(self._values)

    def open(self, value: object = None) -> int:
        """The number of a value that is about to be read."""
        self._values.append(value)
        self._costs.append(None)
        return len(self._values) - 1

    def finish(self, number: int, value: object, spent_before: int) -> None:
        """Keep a value that has been read whole."""
        self._values[number] = value
        self._costs[number] = self._budget.spent - spent_before

    def get(self, number: int) -> object:
        """The value of a number, paid for once more. Raise BodyUndecodable."""
        if not 0 <= number < len(self._values):
            raise BodyUndecodable(
                f"a reference to value {number}, and there are {len(self._values)}"
            )
        value, cost = self._values[number], self._costs[number]
        if cost is None:
            if not isinstance(value, JavaObject):
                raise BodyUndecodable("a list or map contains itself")
            cost = 1
        self._budget.spend(max(cost, 1))
        return value

    def clear(self) -> None:
        """Forget all values; the numbers start again."""
        self._values.clear()
        self._costs.clear()
