"""The console as a page: small, by keyboard, in both languages, with users, in trouble."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.browser.chromium import Tab, Visitor
from tests.browser.stage import Stage, console, wait_for

from pocketmq.admin import Admin
from pocketmq.console.config import ConsoleConfig
from pocketmq.console.pages import STATIC
from pocketmq.console.users import UserFile
from pocketmq.testing.local_broker import LocalBroker, broker
from pocketmq.testing.loop_thread import LoopThread

WIRE_BYTES_MAX = 300_000
TOPICS, GROUPS = 1000, 500


@pytest.fixture
def tab(visitor: Visitor, shared_stage: Stage) -> Iterator[Tab]:
    with visitor.tab(shared_stage.url) as opened:
        yield opened


@contextmanager
def another_console(name_server: str, **settings: Any) -> Iterator[str]:
    """A console of this test's own."""
    config = ConsoleConfig()
    config = replace(
        config, listen=replace(config.listen, port=0), poll_interval_ms=300, **settings
    )
    thread = LoopThread("another-console")
    try:
        with console(name_server, thread, config) as url:
            yield url
    finally:
        thread.close()


def test_the_first_view_is_small(tab: Tab) -> None:
    tab.go("overview")
    tab.page.locator(".u-over").first.wait_for()  # a chart is drawn
    sizes: list[float] = tab.page.evaluate(
        "performance.getEntries().filter((entry) => 'transferSize' in entry)"
        ".map((entry) => entry.transferSize)"
    )
    assert 1 < len(sizes) < 10
    assert sum(sizes) < WIRE_BYTES_MAX


def test_the_keyboard_reaches_pages_rows_search_and_help(tab: Tab) -> None:
    tab.go("overview")
    keys = tab.page.keyboard
    keys.press("g")
    keys.press("t")
    tab.page.get_by_role("heading", name="Topics").wait_for()
    tab.page.get_by_role("link", name="orders").wait_for()
    keys.press("j")
    first = tab.page.evaluate("document.activeElement.textContent")
    keys.press("j")
    assert tab.page.evaluate("document.activeElement.textContent") != first
    outline = tab.page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert outline == "solid"
    keys.press("/")
    keys.type("mail?")
    assert tab.page.get_by_role("searchbox", name="Find a topic").input_value() == "mail?"
    tab.page.evaluate("document.activeElement.blur()")
    keys.press("?")
    tab.page.get_by_role("dialog", name="Keyboard shortcuts").wait_for()
    tab.picture("keys-light")
    keys.press("Escape")
    tab.page.get_by_role("dialog").wait_for(state="detached")
    keys.press("Control+k")
    keys.type("billing")
    tab.page.get_by_role("option", name="billing").first.wait_for()
    keys.press("Enter")
    tab.page.get_by_role("heading", name="billing").wait_for()


def test_colours_follow_the_system_until_somebody_chooses(
    visitor: Visitor, shared_stage: Stage
) -> None:
    ground = "getComputedStyle(document.body.parentElement).backgroundColor"
    with visitor.tab(shared_stage.url, dark=True) as tab:
        tab.go("settings")
        dark = tab.page.evaluate(ground)
        tab.pick("light")
        light = tab.page.evaluate(ground)
        assert light != dark
        tab.page.reload()
        tab.see("Settings of pocketmq")
        assert tab.page.evaluate(ground) == light
        tab.pick("as the system")
        assert tab.page.evaluate(ground) == dark


def test_a_language_that_was_chosen_stays(tab: Tab) -> None:
    tab.go("topics")
    tab.page.get_by_role("button", name="中文").click()
    tab.page.get_by_role("heading", name="主题").wait_for()
    tab.page.reload()
    tab.page.get_by_role("heading", name="主题").wait_for()
    assert tab.page.get_by_role("heading", name="Topics").count() == 0


def test_the_menu_opens_on_a_phone(visitor: Visitor, shared_stage: Stage) -> None:
    with visitor.tab(shared_stage.url, phone=True) as tab:
        tab.go("overview")
        menu = tab.page.get_by_role("button", name="Pages")
        assert not tab.page.get_by_role("link", name="Groups").is_visible()
        menu.click()
        tab.page.get_by_role("link", name="Groups").wait_for()
        tab.picture("menu-phone")
        tab.page.get_by_role("link", name="Groups").click()
        tab.page.get_by_role("heading", name="Groups").wait_for()
        tab.page.get_by_role("link", name="Doctor").wait_for(state="hidden")


def test_live_figures_arrive_and_stop_while_nobody_looks(tab: Tab) -> None:
    tab.go("overview")
    tab.page.get_by_text("Live", exact=True).first.wait_for()
    figure = tab.page.get_by_role("img", name="Messages per second").first
    before = figure.get_attribute("aria-label")
    wait_for(lambda: figure.get_attribute("aria-label") != before, "new figures")
    tab.page.evaluate(
        "Object.defineProperty(document, 'hidden', { value: true, configurable: true });"
        "document.dispatchEvent(new Event('visibilitychange'))"
    )
    tab.page.get_by_text("Paused", exact=True).first.wait_for()
    assert tab.page.get_by_text("Live", exact=True).count() == 0


def test_users_log_in_and_viewers_only_look(visitor: Visitor, tmp_path: Path) -> None:
    users = tmp_path / "users.json"
    UserFile(users).add("ann", "a long password", "admin")
    UserFile(users).add("vic", "another password", "viewer")
    with broker() as local, another_console(local.address, users=users) as url:
        local.topic("orders")
        with visitor.tab(url) as tab:
            tab.refusals.add(401)
            tab.page.goto(f"{url}#/topics")
            tab.page.get_by_role("heading", name="PocketMQ console").wait_for()
            tab.picture("login-light")
            tab.fill("User", "vic")
            tab.fill("Password", "wrong password")
            tab.press("Log in")
            tab.see("That did not work")
            tab.fill("Password", "another password")
            tab.press("Log in")
            tab.page.get_by_role("heading", name="Topics").wait_for()
            tab.see("orders")
            assert tab.page.get_by_role("button", name="New topic").count() == 0
            tab.page.get_by_role("button", name="Log out").click()
            tab.fill("User", "ann")
            tab.fill("Password", "a long password")
            tab.press("Log in")
            tab.page.get_by_role("button", name="New topic").wait_for()


def test_a_broker_that_died_is_said_and_comes_back(visitor: Visitor) -> None:
    with broker() as local, another_console(local.address) as url, visitor.tab(url) as tab:
        local.topic("orders")
        tab.go("overview")
        tab.see("orders")
        with local.faults.broker_killed():
            tab.see("does not answer")
            tab.see("then start it again; its messages are kept.")
            tab.picture("away-light")
        tab.page.get_by_text("does not answer").wait_for(state="detached")
        assert tab.see("orders").is_visible()


def test_a_fresh_cluster_says_what_to_do_first(visitor: Visitor) -> None:
    with broker() as local, another_console(local.address) as url, visitor.tab(url) as tab:
        tab.go("overview")
        tab.see("No topic yet")
        tab.see("No consumer group yet")
        tab.picture("empty-light")
        for address, words in {
            "topics": "No topics yet",
            "groups": "No groups yet",
            "clients": "Nobody is connected",
            "dead-letters": "No dead letters",
            "waiting": "No message is delayed by a level",
        }.items():
            tab.go(address)
            assert tab.see(words).is_visible()


def test_missing_libraries_are_explained(visitor: Visitor, shared_stage: Stage) -> None:
    with visitor.tab(shared_stage.url) as tab:
        tab.refusals.add(404)
        tab.page.route("**/vendor/*", lambda route: route.fulfill(status=404, body=""))
        # Where they are missing, modules cannot be joined, and the page is served as it is written.
        tab.page.route(shared_stage.url, lambda route: route.fulfill(path=STATIC / "index.html"))
        tab.page.goto(shared_stage.url)
        tab.page.get_by_role("heading", name="The console is not complete").wait_for()
        assert "scripts/console_parts.py" in tab.page.locator("main").inner_text()


@pytest.fixture(scope="module")
def crowd() -> Iterator[LocalBroker]:
    """A cluster with a thousand topics and five hundred groups."""

    async def fill(address: str) -> None:
        async with Admin(address) as admin:
            for first in range(0, TOPICS, 50):
                names = [f"topic-{number:04}" for number in range(first, first + 50)]
                await asyncio.gather(*(admin.topics.create(name, queues=4) for name in names))
            for first in range(0, GROUPS, 50):
                names = [f"group-{number:03}" for number in range(first, first + 50)]
                await asyncio.gather(*(admin.groups.create(name) for name in names))

    thread = LoopThread("crowd")
    try:
        with broker() as local:
            thread.run(fill(local.address), 120)
            yield local
    finally:
        thread.close()


def test_a_thousand_topics_and_five_hundred_groups_are_paged(
    visitor: Visitor, crowd: LocalBroker
) -> None:
    with another_console(crowd.address) as url, visitor.tab(url) as tab:
        tab.go("topics")
        tab.see("1–50 of 1,000")
        assert tab.rows().count() == 50
        tab.press("Next")
        tab.see("51–100 of 1,000")
        tab.page.get_by_role("searchbox", name="Find a topic").fill("0999")
        tab.page.locator("tbody tr:only-child").wait_for()
        tab.press("topic-0999")
        tab.see("pocketmq:3")
        tab.go("groups")
        tab.see("1–50 of 500")
        started = time.monotonic()
        tab.go("groups?page=10")
        tab.see("451–500 of 500")
        assert time.monotonic() - started < 10
