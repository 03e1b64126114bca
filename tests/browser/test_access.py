"""Users and rules, used as an administrator would, on two brokers that ask who somebody is."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from tests.browser.chromium import PHONE, Tab, Visitor
from tests.support.access import ROOT, access
from tests.support.console import console
from tests.support.sdk_cluster import sdk_cluster

from pocketmq.admin import Admin, Rule, Secret, User
from pocketmq.testing.loop_thread import LoopThread

WORD = "open sesame"


class Place:
    """Two brokers, and a console that asks them as a super user."""

    def __init__(self, thread: LoopThread, name_server: str, url: str) -> None:
        self.url = url
        self._thread = thread
        self._name_server = name_server

    def user(self, name: str) -> User | None:
        """A user, as brokers have it now."""

        async def find() -> User | None:
            async with Admin(self._name_server, credentials=ROOT) as admin:
                return await admin.users.find(name)

        return self._thread.run(find())

    def make(self, name: str, broker: str | None = None) -> None:
        """Create a user with a rule, maybe on one broker only."""

        async def create() -> None:
            async with Admin(self._name_server, credentials=ROOT) as admin:
                await admin.users.create(name, Secret(WORD), broker=broker)
                rule = Rule(f"Topic:{name}*", ("Pub",), "Deny", ("10.0.0.0/8",))
                await admin.acls.save(f"User:{name}", [rule], broker=broker)

        self._thread.run(create())


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    with ExitStack() as parts:
        thread = LoopThread("guarded")
        parts.callback(thread.close)
        directory: Path = tmp_path_factory.mktemp("guarded")
        leaving = asyncio.Event()
        started: asyncio.Queue[tuple[str, str]] = asyncio.Queue()

        async def serve() -> None:
            async with (
                sdk_cluster(directory, "a", "b", access=access()) as cluster,
                console(cluster.address, credentials=ROOT) as browser,
            ):
                started.put_nowait((cluster.address, browser.server.url.rstrip("/") + "/"))
                await leaving.wait()

        async def begin() -> tuple[asyncio.Task[None], tuple[str, str]]:
            serving = asyncio.ensure_future(serve())
            return serving, await started.get()

        async def end(serving: asyncio.Task[None]) -> None:
            leaving.set()
            await serving

        serving, (name_server, url) = thread.run(begin())
        parts.callback(lambda: thread.run(end(serving)))
        yield Place(thread, name_server, url)


@pytest.fixture(scope="module")
def desk(visitor: Visitor, place: Place) -> Iterator[Tab]:
    with visitor.tab(place.url) as opened:
        yield opened


@pytest.fixture
def tab(desk: Tab) -> Iterator[Tab]:
    """The administrator's one tab, which each test has to leave quiet."""
    desk.refusals.clear()
    desk.go("access")
    yield desk
    desk.assert_quiet()
    desk.go("nowhere")  # closes a dialog that a test left open


def _said(tab: Tab, text: str) -> None:
    tab.page.get_by_role("status").get_by_text(text).wait_for()


def test_a_user_is_made_changed_disabled_and_deleted(tab: Tab, place: Place) -> None:
    tab.press("New user")
    tab.fill("Name of the user", "till")
    tab.fill("Password of the user", WORD)
    tab.page.keyboard.press("Enter")
    _said(tab, "The user till is created")
    tab.page.locator("tbody tr", has_text="till").get_by_text("same everywhere").wait_for()
    made = place.user("till")
    assert made is not None
    assert (made.kind, made.password.reveal()) == ("Normal", WORD)
    tab.press("Change till")
    assert tab.field("Password of the user").input_value() == ""
    tab.choose("Type of user", "Super")
    tab.press("Save")
    tab.page.locator("tbody tr", has_text="till").get_by_text("Super").wait_for()
    tab.press("Disable till")
    tab.page.locator("tbody tr", has_text="till").get_by_text("disabled").wait_for()
    changed = place.user("till")
    assert changed is not None
    assert (changed.kind, changed.enabled, changed.password) == ("Super", False, Secret(WORD))
    tab.press("Delete till")
    tab.picture("access-delete")
    tab.page.locator("dialog").get_by_role("button", name="Delete").click()
    _said(tab, "The user till is deleted")
    tab.page.locator("tbody tr", has_text="till").wait_for(state="detached")
    assert place.user("till") is None


def test_what_would_shut_the_console_out_is_warned_of(tab: Tab) -> None:
    tab.page.locator("tbody tr", has_text="root").get_by_text("the console").wait_for()
    assert tab.page.get_by_role("button", name="Disable root").count() == 0
    tab.press("Change root")
    assert "brokers refuse it" in tab.page.locator("dialog[open]").inner_text()
    tab.page.keyboard.press("Escape")
    tab.page.locator("dialog").wait_for(state="detached")
    tab.press("Delete root")
    assert "brokers refuse it" in tab.page.locator("dialog").inner_text()


def test_a_name_that_is_taken_is_refused_in_the_dialog(tab: Tab) -> None:
    tab.refusals.add(409)
    tab.press("New user")
    tab.fill("Name of the user", "root")
    tab.fill("Password of the user", WORD)
    tab.page.locator("dialog").get_by_role("button", name="New user").click()
    alert = tab.page.locator("dialog [role=alert]")
    alert.wait_for()
    assert "root exists already" in alert.inner_text()


def test_a_rule_is_made_changed_and_deleted(tab: Tab, place: Place) -> None:
    place.make("shop")
    tab.go("access?tab=rules")
    tab.press("New rule")
    tab.fill("Whose rule", "shop")
    tab.choose("What it is about", "Group")
    tab.fill("Name of the resource", "billing*")
    tab.page.get_by_label("Sub", exact=True).check()
    tab.page.get_by_label("Get", exact=True).check()
    tab.fill("Only from these addresses", "10.0.0.0/8\n::1")
    tab.picture("access-rule")
    tab.page.locator("dialog").get_by_role("button", name="New rule").click()
    _said(tab, "The rule of shop for Group:billing* is saved")
    row = tab.page.locator("tbody tr", has_text="Group:billing*")
    row.get_by_text("Sub, Get").wait_for()
    row.get_by_text("10.0.0.0/8, ::1").wait_for()
    tab.press("Change User:shop Group:billing*")
    tab.pick("deny")
    tab.press("Save")
    row.get_by_text("deny").wait_for()
    tab.press("Delete User:shop Group:billing*")
    tab.page.locator("dialog").get_by_role("button", name="Delete").click()
    row.wait_for(state="detached")
    assert "Topic:shop*" in tab.rows().first.inner_text()


def test_what_a_broker_lacks_is_seen_and_mended(tab: Tab, place: Place) -> None:
    place.make("half", "b")
    tab.go("access?q=half")
    tab.press("Refresh")
    tab.see("lacking on a")
    tab.picture("access-lacking")
    tab.press("Make the same: half")
    tab.page.locator("dialog").get_by_role("button", name="Make the same").click()
    tab.see("same everywhere")
    mended = place.user("half")
    assert mended is not None
    assert (mended.brokers, mended.password) == (("a", "b"), Secret(WORD))
    tab.tab("Rules")
    tab.see("lacking on a")
    tab.press("Make the same: User:half")
    tab.choose("The broker that is right", "b")
    tab.page.locator("dialog").get_by_role("button", name="Make the same").click()
    tab.see("same everywhere")


def test_a_broker_is_drained_and_used_again(tab: Tab) -> None:
    tab.go("brokers")
    tab.press("Drain b")
    tab.picture("brokers-drain")
    tab.page.locator("dialog").get_by_role("button", name="Drain").click()
    _said(tab, "Producers turn away from b now")
    tab.page.locator("tbody tr", has_text="drained").get_by_role("link", name="b").wait_for()
    tab.press("Resume b")
    _said(tab, "Producers come back to b now")
    tab.page.get_by_role("button", name="Drain b").wait_for()
    assert tab.page.get_by_text("drained", exact=True).count() == 0


@pytest.mark.parametrize("name", ["users", "rules"])
def test_the_page_is_for_everybody(name: str, tab: Tab, place: Place, axe: str) -> None:
    if place.user("seen") is None:
        place.make("seen", "a")
    tab.go(f"access?tab={name}")
    tab.press("Refresh")
    tab.see("lacking on b")
    tab.picture(f"access-{name}-light")
    findings = tab.findings(axe)
    with tab.in_the_dark():
        tab.picture(f"access-{name}-dark")
        findings += tab.findings(axe)
    tab.press("New user" if name == "users" else "New rule")
    tab.page.locator("dialog[open]").wait_for()
    findings += tab.findings(axe)
    tab.page.keyboard.press("Escape")
    assert not findings, "\n".join(findings)
    with tab.on_a_phone():
        tab.picture(f"access-{name}-phone")
        width = tab.page.evaluate("document.documentElement.scrollWidth")
    assert width <= PHONE["width"], f"{width} pixels wide"


def test_the_page_is_reached_by_keys_and_speaks_chinese(visitor: Visitor, place: Place) -> None:
    with visitor.tab(place.url, locale="zh-CN") as tab:
        tab.go("overview")
        tab.page.keyboard.press("g")
        tab.page.keyboard.press("a")
        tab.page.get_by_role("heading", name="访问控制").first.wait_for()
        tab.see("身份认证")
        assert tab.page.get_by_role("tab", name="规则").count() == 1
        tab.picture("access-chinese")
