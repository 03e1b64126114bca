"""Every page, light, dark and on a phone: it shows what it should, and everybody can use it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.browser.chromium import PHONE, Tab, Visitor
from tests.browser.stage import Stage

TEXTS = Path(__file__).parents[2] / "src" / "pocketmq" / "console" / "static" / "text"

PAGES = {
    "overview": ("overview", "Messages per second"),
    "topics": ("topics", "orders"),
    "topic": ("topics/orders", "pocketmq:0"),
    "topic-groups": ("topics/orders?tab=groups", "billing"),
    "topic-producers": ("topics/orders?tab=producers", "produces as web"),
    "topic-brokers": ("topics/orders?tab=brokers", "DefaultCluster"),
    "groups": ("groups", "billing"),
    "group": ("groups/billing", "pocketmq:3"),
    "group-members": ("groups/billing?tab=members", "PYTHON"),
    "member": ("groups/billing/clients/{one}", "pocketmq:"),
    "clients": ("clients", "consumes as billing"),
    "messages": ("messages?topic=mail", "Dear Anna"),
    "message": ("messages/mail/{json}", "4711"),
    "message-explain": ("messages/traced/{traced}?tab=explain", "audit"),
    "message-trace": ("messages/traced/{traced}?tab=trace", "Sent"),
    "message-properties": ("messages/payments/{payment}?tab=properties", "amount"),
    "explain": ("explain?topic=traced&key=traced-1", "audit"),
    "send": ("send?topic=orders", "Now"),
    "filter": ("filter", "SQL92"),
    "dead-letters": ("dead-letters", "labels"),
    "dead-letter": ("dead-letters/labels", "parcel-1"),
    "waiting": ("waiting", "Delayed by level"),
    "waiting-timer": ("waiting?tab=timer", "tomorrow"),
    "waiting-half": ("waiting?tab=half", "half-1"),
    "doctor": ("doctor", "pocketmq"),
    "offsets": ("offsets?group=billing", "Preview"),
    "brokers": ("brokers", "pocketmq"),
    "broker": ("brokers/pocketmq/0", "bootTimestamp"),
    "broker-settings": ("brokers/pocketmq/0?tab=settings", "fileReservedTime"),
    "name-servers": ("name-servers", "127.0.0.1:"),
    "access": ("access", "initAuthenticationUser"),
    "settings": ("settings", "Settings of pocketmq"),
    "nowhere": ("no/such/page", "There is no page"),
}

SAME_IN_CHINESE = (
    "orders",
    "billing",
    "audit",
    "labels",
    "amount",
    "tomorrow",
    "half-1",
    "initAuthenticationUser",
)
COLOURFUL = ("overview", "group", "message-explain", "dead-letter", "doctor", "offsets")
"""Between them these show every colour there is; what else axe looks at is the same in the dark."""


@pytest.fixture(scope="module")
def tab(visitor: Visitor, shared_stage: Stage) -> Iterator[Tab]:
    """One tab for all pages, as a person would click through them."""
    with visitor.tab(shared_stage.url) as opened:
        yield opened


@pytest.mark.parametrize("name", PAGES)
def test_a_page_shows_what_it_should_in_both_colours_and_on_a_phone(
    name: str, tab: Tab, shared_stage: Stage, axe: str
) -> None:
    address, expected = PAGES[name]
    tab.go(address.format(**shared_stage.ids))
    tab.see(expected)
    unfilled = re.findall(r"\{[a-z_]+\}", tab.page.locator("body").inner_text())
    assert not unfilled, "a text was shown without its values"
    tab.picture(f"{name}-light")
    findings = tab.findings(axe)
    with tab.in_the_dark():
        tab.picture(f"{name}-dark")
        if name in COLOURFUL:
            findings += tab.findings(axe)
    assert not findings, "\n".join(findings)
    with tab.on_a_phone():
        tab.picture(f"{name}-phone")
        width = tab.page.evaluate("document.documentElement.scrollWidth")
    assert width <= PHONE["width"], f"{width} pixels wide"
    tab.assert_quiet()


def test_every_page_speaks_chinese_and_shows_no_key_of_a_text(
    visitor: Visitor, shared_stage: Stage
) -> None:
    keys = set(json.loads((TEXTS / "zh.json").read_text(encoding="utf-8")))
    shown: set[str] = set()
    with visitor.tab(shared_stage.url, locale="zh-CN") as tab:
        for address, expected in PAGES.values():
            tab.go(address.format(**shared_stage.ids))
            if expected in SAME_IN_CHINESE:
                tab.see(expected)
            shown |= set(tab.page.locator("body").inner_text().split())
            assert tab.page.locator("html").get_attribute("lang") == "zh-CN"
        tab.picture("nowhere-chinese")
    assert not shown & {key for key in keys if "." in key}
