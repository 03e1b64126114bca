"""Reads SQL92 filter expressions: precisely those that Apache RocketMQ takes.

    or          and (OR and)*
    and         equality (AND equality)*
    equality    comparison (= comparison | <> comparison | IS [NOT] NULL)*
    comparison  unary (< unary | [NOT] BETWEEN unary AND unary | [NOT] IN ('a', 'b') | ...)*
    unary       + unary | - unary | NOT unary | literal | name | ( or )

NOT binds closer than any comparison, and what follows a complete expression is ignored.
"""

from __future__ import annotations

from typing import Final

from pocketmq.filtering.sql.lexer import Lexer, Token, TokenKind, invalid
from pocketmq.filtering.sql.tree import (
    NUMBERS,
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
    is_boolean,
)

DEPTH_MAX: Final = 60
"""Expressions nested deeper are refused; Apache's parser overflows its stack at some depth."""

_LONG_MAX: Final = 2**63 - 1
_INTEGER_MAX: Final = 2**31 - 1
_HOLDS: Final = ("CONTAINS", "STARTSWITH", "ENDSWITH")
_NEGATABLE: Final = (*_HOLDS, "BETWEEN", "IN")
_ORDER_SIGNS: Final = ("<", "<=", ">", ">=")


def parse(expression: str) -> Node:
    """The tree of an expression that yields a truth value. Raise SubscriptionInvalid."""
    return _Parser(expression).whole()


class _Parser:
    def __init__(self, expression: str) -> None:
        self._lexer = Lexer(expression)
        self._expression = expression
        self._depth = 0

    def whole(self) -> Node:
        return self._as_truth(self._either(), 0)

    # -- levels -----------------------------------------------------------------------------

    def _either(self) -> Node:
        at = self._lexer.peek().position
        left = self._both()
        if not self._at_word("OR"):
            return left
        parts = [self._as_truth(left, at)]
        while self._at_word("OR"):
            self._lexer.take()
            at = self._lexer.peek().position
            parts.append(self._as_truth(self._both(), at))
        return AnyOf(tuple(parts))

    def _both(self) -> Node:
        at = self._lexer.peek().position
        left = self._equality()
        if not self._at_word("AND"):
            return left
        parts = [self._as_truth(left, at)]
        while self._at_word("AND"):
            self._lexer.take()
            at = self._lexer.peek().position
            parts.append(self._as_truth(self._equality(), at))
        return AllOf(tuple(parts))

    def _equality(self) -> Node:
        left = self._comparison()
        links = 0
        while True:
            token = self._lexer.peek()
            if token.kind is TokenKind.SIGN and token.text in ("=", "<>"):
                self._lexer.take()
                equal = self._equal(left, self._comparison(), token)
                left = equal if token.text == "=" else Not(equal)
            elif self._at_word("IS"):
                self._lexer.take()
                negated = self._at_word("NOT")
                if negated:
                    self._lexer.take()
                self._expect_word("NULL")
                left = Not(IsNull(left)) if negated else IsNull(left)
            else:
                return left
            links += 1
            if links > DEPTH_MAX:
                raise invalid(self._expression, token.position, "too many comparisons in a row")

    def _comparison(self) -> Node:
        left = self._unary()
        links = 0
        while True:
            token = self._lexer.peek()
            negated = self._at_word("NOT")
            if token.kind is TokenKind.SIGN and token.text in _ORDER_SIGNS:
                self._lexer.take()
                left = self._ordered(token, left, self._unary())
            elif negated or self._at_word(*_NEGATABLE):
                if negated:
                    self._lexer.take()
                left = self._named_comparison(left, negated)
            else:
                return left
            links += 1
            if links > DEPTH_MAX:
                raise invalid(self._expression, token.position, "too many comparisons in a row")

    def _named_comparison(self, left: Node, negated: bool) -> Node:
        word = self._lexer.take()
        if word.kind is not TokenKind.WORD or word.text not in _NEGATABLE:
            raise self._unexpected(word, "BETWEEN, IN, CONTAINS, STARTSWITH or ENDSWITH")
        if word.text in _HOLDS:
            return Holds(word.text, left, self._text(), negated)
        if word.text == "IN":
            return self._among(word, left, negated)
        low = self._unary()
        self._expect_word("AND")
        high = self._unary()
        if negated:
            below = self._ordered(word, left, low, "<")
            return AnyOf((below, self._ordered(word, left, high, ">")))
        self._check_range(word, low, high)
        from_low = self._ordered(word, left, low, ">=")
        return AllOf((from_low, self._ordered(word, left, high, "<=")))

    def _among(self, word: Token, left: Node, negated: bool) -> Node:
        self._expect_sign("(")
        choices = [self._text()]
        while self._at_sign(","):
            self._lexer.take()
            choices.append(self._text())
        self._expect_sign(")")
        if not isinstance(left, Property):
            raise invalid(self._expression, word.position, "IN needs a property on its left")
        return Among(left, frozenset(choices), negated)

    def _unary(self) -> Node:
        self._depth += 1
        token = self._lexer.peek()
        if self._depth > DEPTH_MAX:
            problem = f"it is nested deeper than {DEPTH_MAX} levels"
            raise invalid(self._expression, token.position, problem)
        try:
            if self._at_sign("+"):
                self._lexer.take()
                return self._unary()
            if self._at_sign("-"):
                self._lexer.take()
                return Negated(self._unary())
            if self._at_word("NOT"):
                self._lexer.take()
                at = self._lexer.peek().position
                return Not(self._as_truth(self._unary(), at))
            return self._primary()
        finally:
            self._depth -= 1

    def _primary(self) -> Node:
        token = self._lexer.take()
        kind, text = token.kind, token.text
        if kind is TokenKind.NAME:
            return Property(text)
        if kind is TokenKind.TEXT:
            return Constant(text, Kind.STRING)
        if kind is TokenKind.INTEGER:
            return self._integer(token)
        if kind is TokenKind.REAL:
            return self._real(token)
        if kind is TokenKind.WORD and text in ("TRUE", "FALSE"):
            return Constant(text == "TRUE", Kind.BOOLEAN)
        if kind is TokenKind.WORD and text == "NULL":
            return Constant(None, Kind.NULL)
        if kind is TokenKind.SIGN and text == "(":
            inner = self._either()
            self._expect_sign(")")
            return inner
        raise self._unexpected(token, "a property, a constant or (")

    # -- leaves -----------------------------------------------------------------------------

    def _integer(self, token: Token) -> Node:
        digits = token.text.rstrip("lL")
        value = int(digits) if len(digits) < 20 else _LONG_MAX + 1
        if value > _LONG_MAX:
            raise invalid(self._expression, token.position, f"the number is above {_LONG_MAX}")
        return Constant(value, Kind.INTEGER if value <= _INTEGER_MAX else Kind.LONG)

    def _real(self, token: Token) -> Node:
        value = float(token.text)
        if value == 0:
            problem = f"{token.text[:20]} is too small for a fraction; write 0, or a larger one"
            raise invalid(self._expression, token.position, problem)
        if value == float("inf"):
            raise invalid(self._expression, token.position, "the number is too large")
        return Constant(value, Kind.DOUBLE)

    def _text(self) -> str:
        token = self._lexer.take()
        if token.kind is not TokenKind.TEXT:
            raise self._unexpected(token, "a text in single quotes")
        return token.text

    # -- checks -----------------------------------------------------------------------------

    def _as_truth(self, node: Node, at: int) -> Node:
        if isinstance(node, Property):
            return AsBoolean(node)
        if not is_boolean(node):
            raise invalid(self._expression, at, "this is neither true nor false")
        return node

    def _equal(self, left: Node, right: Node, sign: Token) -> Node:
        sides = (left, right)
        if any(isinstance(side, Constant) and side.kind is Kind.NULL for side in sides):
            problem = f"NULL cannot be compared by {sign.text}; write IS NULL or IS NOT NULL"
            raise invalid(self._expression, sign.position, problem)
        if (
            isinstance(left, Constant)
            and isinstance(right, Constant)
            and left.kind is Kind.BOOLEAN
            and right.kind is not Kind.BOOLEAN
        ):
            raise invalid(
                self._expression, sign.position, "a truth value is compared with another constant"
            )
        return Equal(left, right)

    def _ordered(self, token: Token, left: Node, right: Node, sign: str = "") -> Node:
        for side in (left, right):
            is_number = not isinstance(side, Constant) or side.kind in NUMBERS
            if not is_number or (not isinstance(side, Constant) and is_boolean(side)):
                problem = f"{token.text} compares numbers only, not texts or truth values"
                raise invalid(self._expression, token.position, problem)
        return Ordered(sign or token.text, left, right)

    def _check_range(self, word: Token, low: Node, high: Node) -> None:
        if not isinstance(low, Constant) or not isinstance(high, Constant):
            return
        numbers = isinstance(low.value, int | float) and isinstance(high.value, int | float)
        if numbers and low.value > high.value:  # type: ignore[operator]
            problem = f"BETWEEN {low.value} AND {high.value} holds nothing: the first is larger"
            raise invalid(self._expression, word.position, problem)

    # -- tokens -----------------------------------------------------------------------------

    def _at_word(self, *words: str) -> bool:
        token = self._lexer.peek()
        return token.kind is TokenKind.WORD and token.text in words

    def _at_sign(self, sign: str) -> bool:
        token = self._lexer.peek()
        return token.kind is TokenKind.SIGN and token.text == sign

    def _expect_word(self, word: str) -> None:
        if not self._at_word(word):
            raise self._unexpected(self._lexer.peek(), word)
        self._lexer.take()

    def _expect_sign(self, sign: str) -> None:
        if not self._at_sign(sign):
            raise self._unexpected(self._lexer.peek(), sign)
        self._lexer.take()

    def _unexpected(self, token: Token, wanted: str) -> Exception:
        found = repr(token.text[:40]) if token.kind is not TokenKind.END else "the end"
        return invalid(self._expression, token.position, f"found {found} instead of {wanted}")
