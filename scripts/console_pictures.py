"""Take the console's pictures for the documentation, from a real cluster with traffic in it.

    python scripts/console_pictures.py

It needs what the browser tests need: playwright and Chromium. The pictures in `docs/pictures/` are
kept small, so that a page with some of them opens at once.
"""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))  # the stage of the browser tests is no installed package

from tests.browser.chromium import Missing, Tab, chromium  # noqa: E402
from tests.browser.stage import stage, traffic  # noqa: E402

PICTURES = ROOT / "docs" / "pictures"
BYTES_MAX = 150_000
CHARTED_SECONDS = 40
"""How long a line the charts show when the picture is taken."""


def main() -> int:
    """Take them all."""
    try:
        with (
            chromium(PICTURES) as visitor,
            stage() as built,
            traffic(built, 40),
            visitor.tab(built.url) as tab,
        ):
            _overview(tab)
            tab.go(f"messages/traced/{built.ids['traced']}?tab=explain")
            tab.see("What each group did with it")
            tab.picture("console-explain")
            tab.go("dead-letters/labels")
            tab.see("parcel-0")
            with tab.in_the_dark():
                tab.picture("console-dead-letters")
            tab.go("groups/billing")
            tab.see("pocketmq:3")
            with tab.on_a_phone():
                tab.picture("console-phone")
    except Missing as reason:
        print(reason, file=sys.stderr)
        return 1
    return _check_sizes()


def _overview(tab: Tab) -> None:
    tab.go("overview")
    tab.page.wait_for_timeout(CHARTED_SECONDS * 1000)
    tab.picture("console-overview")


def _check_sizes() -> int:
    large = [path.name for path in PICTURES.glob("*.png") if path.stat().st_size > BYTES_MAX]
    for name in large:
        print(f"{name} is larger than {BYTES_MAX} bytes", file=sys.stderr)
    return 1 if large else 0


if __name__ == "__main__":
    sys.exit(main())
