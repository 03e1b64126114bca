"""How soon the console shows something worth reading: `python -m bench.first_view`.

A load is a browser context with nothing in its cache. It begins where the browser counts its own
milliseconds from, at the start of the navigation, and ends when the overview's figures are on the
screen, by the browser's own account of when it presented the frame that has them. The first paint
of anything is told besides, and what a page of one word from the same server takes, which is the
browser's own share. The browser, the console and the broker are processes of one machine.

Loads come close after one another, as when somebody opens another tab; a few more come after the
console has been left alone for so long that it has to ask the cluster anew. All is done in front of
an empty broker and of one with 1,000 topics and 500 groups.
"""

from __future__ import annotations

import argparse
import contextlib
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.browser.chromium import DESK, Missing, chromium

from bench.scrapes import GROUPS, TOPICS

if TYPE_CHECKING:
    from playwright.sync_api import Browser

NAME_SERVER, BROKER, CONSOLE = 29_876, 29_976, 28_080
FILL = (sys.executable, "-m", "bench.scrapes", "--fill")
URL = f"http://127.0.0.1:{CONSOLE}/"
FLOOR = f"{URL}healthz"
START_SECONDS = 60.0
LOADS, COLD_LOADS = 20, 4
FORGOTTEN_SECONDS = 16.0
"""Longer than the console goes on looking for those who have left."""

WATCH = """
window.firstView = new Promise((seen) => {
  const watcher = new MutationObserver(() => {
    const figures = document.querySelectorAll(".figures .figure dd");
    if (figures.length === 0) return;
    watcher.disconnect();
    figures[0].setAttribute("elementtiming", "figures");
  });
  watcher.observe(document, { childList: true, subtree: true });
  const timer = new PerformanceObserver((list) => seen(list.getEntries()[0].renderTime));
  timer.observe({ type: "element" });
});
"""
"""Runs in the page before all else, and tells when the frame with the figures was on the screen."""

PAINTED = """
() => new Promise((painted) => {
  new PerformanceObserver((list, watcher) => {
    const found = list.getEntriesByName("first-contentful-paint")[0];
    if (!found) return;
    watcher.disconnect();
    painted(found.startTime);
  }).observe({ type: "paint", buffered: true });
})
"""

READ = """
async () => {
  const view = await window.firstView;
  const entries = performance.getEntries().filter((entry) => "transferSize" in entry);
  return {
    view,
    bytes: entries.reduce((sum, entry) => sum + entry.transferSize, 0),
    requests: entries.length,
  };
}
"""


@dataclass(slots=True)
class Loads:
    """What loads of one kind took."""

    view_ms: list[float] = field(default_factory=list)
    paint_ms: list[float] = field(default_factory=list)
    bytes: list[int] = field(default_factory=list)
    requests: list[int] = field(default_factory=list)

    def add(self, seen: dict[str, Any]) -> None:
        """Take one load."""
        self.view_ms.append(seen["view"])
        self.paint_ms.append(seen["paint"])
        self.bytes.append(seen["bytes"])
        self.requests.append(seen["requests"])

    def line(self, name: str) -> str:
        """What was measured, in a line."""
        return (
            f"{name:<34} {len(self.view_ms):3} loads   "
            f"first view median {statistics.median(self.view_ms):4.0f} ms, "
            f"shortest {min(self.view_ms):4.0f}, longest {max(self.view_ms):4.0f}   "
            f"first paint {statistics.median(self.paint_ms):4.0f} ms   "
            f"{statistics.median(self.bytes) / 1000:4.0f} KB in "
            f"{statistics.median(self.requests):.0f} requests"
        )


@contextlib.contextmanager
def server() -> Iterator[None]:
    """`pocketmq up` with an empty data directory, until the console answers with figures."""
    with tempfile.TemporaryDirectory() as directory:
        command = [
            sys.executable, "-m", "pocketmq", "up", "--data", str(Path(directory, "data")),
            "--nameserver-port", str(NAME_SERVER), "--broker-port", str(BROKER),
            "--console-port", str(CONSOLE), "--log-level", "error",
        ]  # fmt: skip
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        try:
            _until_ready()
            yield
        finally:
            process.terminate()
            process.wait()


def _until_ready() -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError), urllib.request.urlopen(f"{URL}api/v1/overview"):
            return
        time.sleep(0.1)
    raise SystemExit("the console does not start")


def load(browser: Browser) -> dict[str, Any]:
    """Open the console once, with nothing in the cache."""
    context = browser.new_context(viewport=DESK)  # type: ignore[arg-type]
    try:
        page = context.new_page()
        page.add_init_script(WATCH)
        page.goto(URL)
        seen: dict[str, Any] = page.evaluate(READ)
        return {**seen, "paint": page.evaluate(PAINTED)}
    finally:
        context.close()


def floor_ms(browser: Browser, loads: int) -> float:
    """How soon the browser paints a page of one word from the same server."""
    found: list[float] = []
    for _ in range(loads):
        context = browser.new_context(viewport=DESK)  # type: ignore[arg-type]
        try:
            page = context.new_page()
            page.goto(FLOOR)
            found.append(page.evaluate(PAINTED))
        finally:
            context.close()
    return statistics.median(found)


def measure(browser: Browser, name: str, loads: int, cold_loads: int) -> None:
    """Measure in front of what runs now, and print."""
    soon, cold = Loads(), Loads()
    load(browser)  # the first of all also pays for the browser's and the server's own start
    for _ in range(loads):
        soon.add(load(browser))
    print(soon.line(name))
    for _ in range(cold_loads):
        time.sleep(FORGOTTEN_SECONDS)
        cold.add(load(browser))
    if cold_loads:
        print(cold.line(f"{name}, left alone"))


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--loads", type=int, default=LOADS)
    parser.add_argument("--cold-loads", type=int, default=COLD_LOADS)
    parser.add_argument("--only-empty", action="store_true", help="leave the full broker out")
    options = parser.parse_args()
    try:
        with server(), chromium(Path()) as visitor:
            browser = visitor.browser
            print(f"{'a page of one word':<34} {floor_ms(browser, options.loads):4.0f} ms")
            measure(browser, "an empty broker", options.loads, options.cold_loads)
            if options.only_empty:
                return
            # Playwright has a loop in this thread already.
            subprocess.run([*FILL, f"127.0.0.1:{NAME_SERVER}"], check=True)
            measure(browser, f"{TOPICS} topics, {GROUPS} groups", options.loads, options.cold_loads)
    except Missing as reason:
        raise SystemExit(str(reason)) from None


if __name__ == "__main__":
    main()
