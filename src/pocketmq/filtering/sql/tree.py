"""Expressions as trees of frozen values, and what kind of value each yields."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Kind(Enum):
    """The type of a value, as Java has them: they decide how values are converted."""

    STRING = "string"
    BOOLEAN = "boolean"
    INTEGER = "integer"
    LONG = "long"
    DOUBLE = "double"
    NULL = "null"


NUMBERS = frozenset((Kind.INTEGER, Kind.LONG, Kind.DOUBLE))


@dataclass(frozen=True, slots=True)
class Property:
    """The value of a message's property; a string, or null when the message has none."""

    name: str


@dataclass(frozen=True, slots=True)
class Constant:
    """A value that stands in the expression."""

    value: str | int | float | bool | None
    kind: Kind


@dataclass(frozen=True, slots=True)
class Negated:
    """Unary minus; null for anything that is no number."""

    operand: Node


@dataclass(frozen=True, slots=True)
class Not:
    """True for false, false for true, null for null."""

    operand: Node


@dataclass(frozen=True, slots=True)
class AsBoolean:
    """A property where a truth value is wanted: never true, for it is a string."""

    operand: Property


@dataclass(frozen=True, slots=True)
class AllOf:
    """AND."""

    parts: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class AnyOf:
    """OR."""

    parts: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Equal:
    """`=`. A null on the left makes it null, a null only on the right makes it false."""

    left: Node
    right: Node


@dataclass(frozen=True, slots=True)
class Ordered:
    """`<`, `<=`, `>` or `>=`."""

    sign: str
    left: Node
    right: Node


@dataclass(frozen=True, slots=True)
class IsNull:
    """IS NULL."""

    operand: Node


@dataclass(frozen=True, slots=True)
class Holds:
    """CONTAINS, STARTSWITH or ENDSWITH. False for null, negated or not."""

    word: str
    operand: Node
    sought: str
    negated: bool


@dataclass(frozen=True, slots=True)
class Among:
    """IN."""

    operand: Property
    choices: frozenset[str]
    negated: bool


Node = (
    Property
    | Constant
    | Negated
    | Not
    | AsBoolean
    | AllOf
    | AnyOf
    | Equal
    | Ordered
    | IsNull
    | Holds
    | Among
)


def kind_of(node: Node) -> Kind:
    """What the expression yields when it does not yield null."""
    if isinstance(node, Property):
        return Kind.STRING
    if isinstance(node, Constant):
        return node.kind
    if isinstance(node, Negated):
        kind = kind_of(node.operand)
        return kind if kind in NUMBERS else Kind.NULL
    return Kind.BOOLEAN


def is_boolean(node: Node) -> bool:
    """True when the expression may stand where a truth value is wanted."""
    if isinstance(node, Constant):
        return node.kind in (Kind.BOOLEAN, Kind.NULL)
    return not isinstance(node, Property | Negated)
