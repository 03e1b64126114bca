"""What became of a message, told in sentences; and what a filter makes of one."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

from pocketmq.admin.explain import Finding, explain
from pocketmq.admin.explain.filters import judge
from pocketmq.console.api.messages import find_message
from pocketmq.console.desk import Desk
from pocketmq.console.endpoints import Noun
from pocketmq.console.problems import bad_request
from pocketmq.console.shapes import field_of
from pocketmq.errors import SubscriptionInvalid
from pocketmq.filtering.sql import compile_sql
from pocketmq.filtering.subscriptions import SQL92, parse_subscription
from pocketmq.message.properties import TAGS

explained = Noun("Explaining")

_EXPRESSION_CHARS_MAX = 16 * 1024
_PLACE = re.compile(r"at character (\d+): ")


@dataclass(frozen=True, slots=True)
class FindingPicture:
    """One thing that is so, with its evidence; `command` is what to type next, or empty."""

    kind: str
    text: str
    evidence: dict[str, Any]
    command: str


@dataclass(frozen=True, slots=True)
class FatePicture:
    """What became of a message in one group; the first finding says why."""

    group: str
    status: str
    findings: tuple[FindingPicture, ...]


@dataclass(frozen=True, slots=True)
class LifePicture:
    """The life of one message."""

    message_id: str
    topic: str
    findings: tuple[FindingPicture, ...]
    groups: tuple[FatePicture, ...]


@dataclass(frozen=True, slots=True)
class ExplanationPicture:
    """What was asked, and the life of each message found. `findings` are about the search."""

    asked: str
    findings: tuple[FindingPicture, ...]
    messages: tuple[LifePicture, ...]


@dataclass(frozen=True, slots=True)
class ExplainQuery:
    """Which message."""

    id: str = field_of("", "Its id.")
    key: str = field_of("", "Or a key.")
    topic: str | None = field_of(None, "Where; a key needs it.")
    group: str = field_of("", "Look at this group alone.")


@dataclass(frozen=True, slots=True)
class OneGroupQuery:
    """Which group."""

    group: str = field_of("", "Look at this group alone.")


@dataclass(frozen=True, slots=True)
class FilterForm:
    """An expression, and properties or a stored message to try it on."""

    expression: str = field_of(doc="The expression.", chars_max=_EXPRESSION_CHARS_MAX)
    type: Literal["SQL92", "TAG"] = field_of("SQL92", "Its language.")
    properties: dict[str, str] | None = field_of(None, "Properties.", chars_max=32 * 1024)
    tag: str | None = field_of(None, "A tag.")
    topic: str | None = field_of(None, "The topic of a stored message.")
    id: str | None = field_of(None, "The id of a stored message.")


@dataclass(frozen=True, slots=True)
class FilterError:
    """What is wrong with an expression; `position` counts characters from the start."""

    message: str
    position: int | None


@dataclass(frozen=True, slots=True)
class FilterValue:
    """One comparison; `value` is true, false, unknown or impossible."""

    text: str
    seen: dict[str, str | None]
    value: str


@dataclass(frozen=True, slots=True)
class FilterVerdict:
    """Whether the expression is valid and wants the message, and why."""

    valid: bool
    matches: bool | None
    why: str
    error: FilterError | None
    values: tuple[FilterValue, ...]


@explained.get("/explain")
async def explain_any(desk: Desk, query: ExplainQuery) -> ExplanationPicture:
    """The life of a message by its id, or of those of a topic that carry a key."""
    return await _explained(desk, query)


@explained.get("/messages/{topic}/{id}/explain")
async def explain_one(desk: Desk, topic: str, id: str, query: OneGroupQuery) -> ExplanationPicture:
    """The life of one message: where it is, who has consumed it, who has not, and why."""
    return await _explained(desk, ExplainQuery(id, "", topic, query.group))


@explained.post("/filters/test", viewers=True)
async def test_filter(desk: Desk, body: FilterForm) -> FilterVerdict:
    """What an expression makes of properties, or of a stored message."""
    problem = _problem(body)
    if problem is not None:
        return FilterVerdict(False, None, problem.message, problem, ())
    properties = await _properties(desk, body)
    verdict = judge(body.topic or "topic", body.expression, body.type, properties)
    return FilterVerdict(
        True,
        verdict.is_wanted,
        verdict.why,
        None,
        tuple(FilterValue(one.text, dict(one.values), one.result) for one in verdict.comparisons),
    )


async def _explained(desk: Desk, query: ExplainQuery) -> ExplanationPicture:
    told = await explain(
        desk.admin, message_id=query.id, key=query.key, topic=query.topic, group=query.group
    )
    return ExplanationPicture(
        told.asked,
        _findings(told.findings),
        tuple(
            LifePicture(
                life.message_id,
                life.topic,
                _findings(life.findings),
                tuple(
                    FatePicture(fate.group, fate.status.value, _findings(fate.findings))
                    for fate in life.groups
                ),
            )
            for life in told.messages
        ),
    )


def _findings(found: Iterable[Finding]) -> tuple[FindingPicture, ...]:
    return tuple(
        FindingPicture(one.kind, one.text, dict(one.evidence), one.command) for one in found
    )


async def _properties(desk: Desk, body: FilterForm) -> dict[str, str]:
    if body.id is not None:
        if body.topic is None:
            raise bad_request("a stored message needs topic and id", "topic")
        return (await find_message(desk, body.topic, body.id)).properties
    properties = dict(body.properties or {})
    if body.tag:
        properties[TAGS] = body.tag
    return properties


def _problem(body: FilterForm) -> FilterError | None:
    try:
        if body.type == SQL92:
            compile_sql(body.expression)
        else:
            parse_subscription(body.topic or "topic", body.expression)
    except SubscriptionInvalid as error:
        place = _PLACE.search(error.problem)
        return FilterError(error.problem, int(place[1]) - 1 if place else None)
    return None
