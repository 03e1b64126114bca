"""Assertions about messages. What they raise tells what is there instead, message by message."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from pocketmq.message.topics import dead_letter_topic
from pocketmq.testing.admission import as_bytes
from pocketmq.testing.fates import Fate
from pocketmq.testing.messages import StoredMessage, show_body

Told = Sequence[tuple[StoredMessage, Fate]]

_SHOWN_MAX = 20


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which messages an assertion is about; None: any."""

    body: object = None
    tag: str | None = None
    key: str | None = None
    count: int | None = None

    def matches(self, message: StoredMessage) -> bool:
        """Whether a message is among them."""
        return (
            self._matches_body(message)
            and (self.tag is None or message.tag == self.tag)
            and (self.key is None or self.key in message.keys)
        )

    def _matches_body(self, message: StoredMessage) -> bool:
        if self.body is None:
            return True
        if callable(self.body):
            decide: Callable[[StoredMessage], object] = self.body
            return bool(decide(message))
        if isinstance(self.body, (bytes, str)):
            return message.body == as_bytes(self.body)
        try:
            return bool(message.json() == self.body)
        except ValueError:
            return False

    def __str__(self) -> str:
        parts = []
        if self.body is not None:
            body = self.body
            shown = show_body(body) if isinstance(body, bytes) else repr(body)
            parts.append(f"body={shown}")
        if self.tag is not None:
            parts.append(f"tag={self.tag!r}")
        if self.key is not None:
            parts.append(f"key={self.key!r}")
        return f" with {', '.join(parts)}" if parts else ""


def expect_stored(
    topic: str, stored: Sequence[StoredMessage], wanted: Wanted, others: Iterable[str]
) -> list[StoredMessage]:
    """The messages of a topic that are wanted. Raise AssertionError when they are too few or many.

    `others` are the topics that hold something, for whoever has mistaken a name.
    """
    __tracebackhide__ = True
    found = [message for message in stored if wanted.matches(message)]
    if _is_enough(len(found), wanted):
        return found
    lines = [f"{_expected(wanted)} in {topic!r}, but {_so_many(len(found))}"]
    if stored:
        lines += _listed([(message, "") for message in stored])
    else:
        names = ", ".join(map(repr, others)) or "none"
        lines.append(f"  {topic!r} is empty; topics that are not: {names}")
    raise AssertionError("\n".join(lines))


def expect_consumed(topic: str, group: str, fates: Told, wanted: Wanted) -> list[StoredMessage]:
    """The wanted messages of a topic, if a group has consumed them. Raise AssertionError."""
    __tracebackhide__ = True
    told = [(message, fate) for message, fate in fates if wanted.matches(message)]
    consumed = [message for message, fate in told if fate.is_consumed]
    all_that_count = len(told) if wanted.count is None else wanted.count
    if _is_enough(len(consumed), wanted) and len(consumed) == all_that_count:
        return consumed
    if wanted.count is None and told:
        lines = [
            f"{group!r} has consumed {len(consumed)} of {len(told)} messages{wanted} of {topic!r}"
        ]
    else:
        number = "a message" if wanted.count is None else _messages(wanted.count)
        lines = [
            f"expected {group!r} to have consumed {number}{wanted} of {topic!r}, "
            f"but it has consumed {len(consumed)}"
        ]
    lines += _listed([(message, fate.words) for message, fate in told or fates])
    if not fates:
        lines.append(f"  {topic!r} is empty")
    raise AssertionError("\n".join(lines))


def expect_dead(
    group: str,
    dead: Sequence[StoredMessage],
    wanted: Wanted,
    alive: Told,
) -> list[StoredMessage]:
    """The wanted dead letters of a group. Raise AssertionError.

    `alive` are messages that failed and may still become dead letters.
    """
    __tracebackhide__ = True
    found = [message for message in dead if wanted.matches(message)]
    if _is_enough(len(found), wanted):
        return found
    lines = [
        f"{_expected(wanted)} in the dead letters of {group!r} ({dead_letter_topic(group)}), "
        f"but {_so_many(len(found))}"
    ]
    lines += _listed([(message, f"from {message.origin_topic!r}") for message in dead])
    lines += _listed([(message, fate.words) for message, fate in alive])
    if not dead and not alive:
        lines.append("  no message of the group has failed")
    raise AssertionError("\n".join(lines))


def _is_enough(found: int, wanted: Wanted) -> bool:
    return found > 0 if wanted.count is None else found == wanted.count


def _expected(wanted: Wanted) -> str:
    number = "a message" if wanted.count is None else _messages(wanted.count)
    return f"expected {number}{wanted}"


def _so_many(found: int) -> str:
    return "there is none" if not found else f"there {'is' if found == 1 else 'are'} {found}"


def _messages(number: int) -> str:
    return f"{number} message" + ("" if number == 1 else "s")


def _listed(told: Sequence[tuple[StoredMessage, str]]) -> list[str]:
    lines = [f"  {message}{'  -- ' if words else ''}{words}" for message, words in told]
    if len(lines) > _SHOWN_MAX:
        lines[_SHOWN_MAX:] = [f"  and {len(lines) - _SHOWN_MAX} more"]
    return lines
