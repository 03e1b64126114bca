"""Chromium without a window, and pages that watch themselves.

A `Tab` fails its test when the page wrote an error to the console, raised one, or asked any server
but its own for anything.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scripts import console_parts

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Locator, Page, Request

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
AXE_FOLDER = Path(__file__).parent.parent.parent / "build" / "axe"
DESK = {"width": 1360, "height": 860}
PHONE = {"width": 390, "height": 844}
PATIENCE_MS = 60_000


FIELDS = "input:not([type=radio]):not([type=checkbox]), textarea, select"


class Missing(Exception):
    """Something these tests need is not on this machine; the text says how to get it."""


@dataclass
class Tab:
    """One page in the browser."""

    page: Page
    url: str
    pictures: Path
    refusals: set[int] = field(default_factory=set)
    """Statuses that this test provokes; Chromium writes each to the console."""
    troubles: list[str] = field(default_factory=list)

    def go(self, address: str) -> None:
        """Show a page of the console: `topics/orders`."""
        self.page.goto(f"{self.url}#/{address}")
        self.page.locator("main h1").first.wait_for()

    def picture(self, name: str) -> None:
        """Keep a picture of what is shown."""
        self.pictures.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=self.pictures / f"{name}.png")

    def see(self, text: str) -> Locator:
        """Wait until the text is shown in the page, and return where."""
        found = self.page.locator("main").get_by_text(text).filter(visible=True).first
        found.wait_for()
        return found

    def press(self, name: str, *, exact: bool = True) -> None:
        """Press the button or follow the link with this name in the page or its dialog."""
        places = self.page.locator("dialog[open]").or_(self.page.locator("main"))
        place = places.last if self.page.locator("dialog[open]").count() else places.first
        by_role = place.get_by_role("button", name=name, exact=exact)
        by_role.or_(place.get_by_role("link", name=name, exact=exact)).first.click()

    def fill(self, label: str, value: str) -> None:
        """Fill the field with this label in the page or its dialog."""
        self.field(label).fill(value)

    def field(self, label: str) -> Locator:
        """The field with this label in the page or its dialog."""
        dialog = self.page.locator("dialog[open]")
        place = dialog if dialog.count() else self.page.locator("main")
        return place.get_by_label(label, exact=True).and_(self.page.locator(FIELDS)).first

    def choose(self, label: str, value: str) -> None:
        """Choose from a list."""
        self.field(label).select_option(value)

    def pick(self, option: str) -> None:
        """Pick one of a few that stand side by side."""
        self.page.locator("fieldset label", has_text=option).first.click()

    def tab(self, name: str) -> None:
        """Turn to a tab."""
        self.page.get_by_role("tab", name=name, exact=True).click()

    def rows(self) -> Locator:
        """The rows of the tables shown."""
        return self.page.locator("main tbody tr")

    def findings(self, axe: str) -> list[str]:
        """What axe finds serious or worse."""
        if not self.page.evaluate("'axe' in window"):
            self.page.evaluate(axe)
        found: list[dict[str, Any]] = self.page.evaluate(
            "async () => (await axe.run(document, {resultTypes: ['violations']})).violations"
        )
        return [
            f"{one['id']}: {one['help']}: {json.dumps([node['html'] for node in one['nodes']][:3])}"
            for one in found
            if one["impact"] in ("serious", "critical")
        ]

    @contextmanager
    def in_the_dark(self) -> Iterator[None]:
        """Let the system prefer dark colours while the block runs."""
        self.page.emulate_media(color_scheme="dark")
        try:
            yield
        finally:
            self.page.emulate_media(color_scheme="light")

    @contextmanager
    def on_a_phone(self) -> Iterator[None]:
        """Make the page as small as a phone while the block runs."""
        self.page.set_viewport_size(PHONE)  # type: ignore[arg-type]
        try:
            yield
        finally:
            self.page.set_viewport_size(DESK)  # type: ignore[arg-type]

    def assert_quiet(self) -> None:
        """Fail when the page had an error or asked a stranger."""
        expected = tuple(f"status of {status}" for status in self.refusals)
        left = [trouble for trouble in self.troubles if not any(one in trouble for one in expected)]
        self.troubles.clear()
        assert not left, "the page is not well:\n" + "\n".join(left)


class Visitor:
    """The browser."""

    def __init__(self, browser: Browser, pictures: Path) -> None:
        self.browser = browser
        self._pictures = pictures

    @contextmanager
    def tab(
        self, url: str, *, dark: bool = False, phone: bool = False, locale: str = "en-GB"
    ) -> Iterator[Tab]:
        """A page with a fresh profile; it is watched and has to be quiet at the end."""
        context = self.browser.new_context(
            viewport=PHONE if phone else DESK,  # type: ignore[arg-type]
            color_scheme="dark" if dark else "light",
            locale=locale,
            timezone_id="UTC",
            reduced_motion="reduce",
        )
        context.set_default_timeout(PATIENCE_MS)
        try:
            tab = Tab(context.new_page(), url, self._pictures)
            _watch(tab)
            yield tab
            tab.assert_quiet()
        finally:
            context.close()


def _watch(tab: Tab) -> None:
    def asked(request: Request) -> None:
        if not request.url.startswith((tab.url, "blob:")):
            tab.troubles.append(f"it asked {request.url}")

    tab.page.on("request", asked)
    tab.page.on("pageerror", lambda error: tab.troubles.append(f"{error}\n{error.stack}"))
    tab.page.on(
        "console",
        lambda said: (
            tab.troubles.append(f"{said.text} ({said.location.get('url', '')})")
            if said.type in ("error", "warning")
            else None
        ),
    )


@contextmanager
def chromium(pictures: Path) -> Iterator[Visitor]:
    """The browser for as long as the block runs. Raise Missing."""
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        raise Missing("these tests need playwright: pip install playwright") from None
    place = next((found for name in NAMES if (found := shutil.which(name))), None)
    if place is None:
        raise Missing("these tests need Chromium: apt install chromium")
    # Chromium's own sandbox does not run as root.
    arguments = ["--no-sandbox"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
    with ExitStack() as parts:
        play = parts.enter_context(sync_playwright())
        browser = play.chromium.launch(
            executable_path=place, args=arguments, timeout=2 * PATIENCE_MS
        )
        parts.callback(browser.close)
        yield Visitor(browser, pictures)


def axe_source() -> str:
    """The source of axe-core, fetched once. Raise Missing."""
    try:
        console_parts.fetch_all(AXE_FOLDER, (console_parts.AXE,))
    except console_parts.PartMissing as error:
        raise Missing(f"axe-core cannot be fetched: {error}") from error
    return (AXE_FOLDER / "axe.js").read_text(encoding="utf-8")
