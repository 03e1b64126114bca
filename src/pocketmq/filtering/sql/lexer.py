"""Tokens of the SQL92 filter language, read one at a time.

Apache RocketMQ reads no further than it must: what follows a complete expression is ignored, even
when it is no token at all. So the text is not split beforehand.
"""

from __future__ import annotations

import re
from enum import Enum
from typing import Final, NamedTuple

from pocketmq.errors import SubscriptionInvalid


class TokenKind(Enum):
    """What a token is. Keywords and signs are told apart by their text."""

    WORD = "word"
    NAME = "name"
    TEXT = "text"
    INTEGER = "integer"
    REAL = "real"
    SIGN = "sign"
    END = "end"


class Token(NamedTuple):
    """One token. `text` of a keyword is in upper case; `position` counts characters from 0."""

    kind: TokenKind
    text: str
    position: int


KEYWORDS: Final = frozenset(
    [
        *("NOT", "AND", "OR", "BETWEEN", "IN", "TRUE", "FALSE"),
        *("NULL", "IS", "CONTAINS", "STARTSWITH", "ENDSWITH"),
    ]
)

_SKIPPED: Final = re.compile(
    r"(?:[ \t\n\r\f]+|--[^\n\r]*(?:\r\n|\n|\r)|/\*[^*]*\*(?:\*|[^*/][^*]*\*)*/)*"
)
_TOKEN: Final = re.compile(
    r"(?P<real>[0-9]+\.[0-9]*(?:[eE][+-]?[0-9]+)?|\.[0-9]+(?:[eE][+-]?[0-9]+)?"
    r"|[0-9]+[eE][+-]?[0-9]+)"
    r"|(?P<integer>0|[1-9][0-9]*[lL]?)"
    r"|(?P<text>'(?:''|[^'])*')"
    r"|(?P<name>[a-zA-Z_$][a-zA-Z0-9_$]*)"
    r"|(?P<sign><>|<=|>=|[=<>(),+-])"
)


def invalid(expression: str, position: int, problem: str) -> SubscriptionInvalid:
    """The error for a problem at a position, counted from 1 as people do."""
    return SubscriptionInvalid(expression, f"at character {position + 1}: {problem}")


class Lexer:
    """Hands out the tokens of one expression."""

    def __init__(self, expression: str) -> None:
        self.expression = expression
        self._position = 0
        self._ahead: list[Token] = []

    def peek(self, distance: int = 0) -> Token:
        """A token that is still to come. Raise SubscriptionInvalid when it is none."""
        while len(self._ahead) <= distance:
            self._ahead.append(self._read())
        return self._ahead[distance]

    def take(self) -> Token:
        """The next token. Raise SubscriptionInvalid when it is none."""
        token = self.peek()
        self._ahead.pop(0)
        return token

    def _read(self) -> Token:
        skipped = _SKIPPED.match(self.expression, self._position)
        assert skipped is not None, "nothing is skipped where nothing can be"
        at = skipped.end()
        self._position = at
        if at >= len(self.expression):
            return Token(TokenKind.END, "", at)
        found = _TOKEN.match(self.expression, at)
        if found is None or found.lastgroup is None:
            raise invalid(self.expression, at, self._problem(at))
        self._position = found.end()
        text = found.group()
        kind = TokenKind(found.lastgroup)
        if kind is TokenKind.NAME and text.upper() in KEYWORDS:
            return Token(TokenKind.WORD, text.upper(), at)
        if kind is TokenKind.TEXT:
            text = text[1:-1].replace("''", "'")
        return Token(kind, text, at)

    def _problem(self, at: int) -> str:
        character = self.expression[at]
        if character == "'":
            return "a text begins that has no closing quote"
        if character == "!":
            return "'!' means nothing here; write <> for not equal"
        return f"{character!r} means nothing here"
