"""What an explanation consists of: findings, each a sentence with its evidence.

    Explanation         what was asked for
      MessageLife       one message: where it lies, and what delays or ends it
        Finding           a sentence, the figures it rests on, and what to do next
        GroupFate         one consumer group: how it stands to the message, first of all in one word
          Finding

Whoever shows it needs no more than the texts; whoever computes with it has kinds and evidence.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

Evidence = Mapping[str, str | int | bool | None]


class Status(str, Enum):
    """How a group stands to a message."""

    CONSUMED = "consumed"
    FILTERED = "filtered"
    """It passed the message over, as its subscription does not want it."""
    HANDLING = "handling"
    """A member has fetched it and not finished."""
    BEHIND = "behind"
    """Its turn has not come."""
    RETRYING = "retrying"
    """It failed, and comes again."""
    INVISIBLE = "invisible"
    """It was popped, and is neither acknowledged nor to be seen by others."""
    DEAD = "dead"
    """The group has given it up."""
    OFFLINE = "offline"
    NOT_SUBSCRIBED = "not subscribed"
    FORBIDDEN = "forbidden"
    """The group or the topic may not be read."""
    BROADCAST = "broadcast"
    """Each member keeps its own position, and the broker knows none of them."""
    NOT_YET = "not yet visible"
    """It waits for its moment or for the end of its transaction."""
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is so. `command` is what to type next, empty for nothing."""

    kind: str
    text: str
    evidence: Evidence = field(default_factory=dict)
    command: str = ""


@dataclass(frozen=True, slots=True)
class GroupFate:
    """What became of a message in one group. The first finding says why `status` is as it is."""

    group: str
    status: Status
    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True)
class MessageLife:
    """The life of one message."""

    message_id: str
    topic: str
    findings: tuple[Finding, ...]
    groups: tuple[GroupFate, ...]


@dataclass(frozen=True, slots=True)
class Explanation:
    """The answer. `findings` are about the search itself, when there is something to say."""

    asked: str
    messages: tuple[MessageLife, ...]
    findings: tuple[Finding, ...] = ()
