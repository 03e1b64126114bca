"""Runs pytest as told, and what failed a second time: a busy machine is no reason to be red.

A test that passes at the second try is named at the end, for somebody to look into. More than a few
failures are no accident and are not tried again, nor are tests that look for rare failures:
crashes, chaos, and inputs made at random.

    python .ci/again.py [pytest's arguments]
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

FAILURES_MAX = 5
TESTS_FAILED = 1
RARE = re.compile(r"^tests/crash/|chaos|fuzz|twins|_plain_sends")
LAST_FAILED = Path(".pytest_cache/v/cache/lastfailed")
NOTES = Path(os.environ.get("TRIED_AGAIN", os.devnull))


def run(*more: str) -> int:
    """Run pytest once; return its exit code."""
    return subprocess.run([sys.executable, "-m", "pytest", *sys.argv[1:], *more]).returncode


def is_final(name: str) -> bool:
    """Whether a failure counts at the first try: of a test that seeks rare ones, or of no test."""
    return "::" not in name or RARE.search(name) is not None


def main() -> int:
    """Run, and run again what failed if that is little."""
    LAST_FAILED.unlink(missing_ok=True)
    code = run()
    if code != TESTS_FAILED or not LAST_FAILED.exists():
        return code
    failed = sorted(json.loads(LAST_FAILED.read_text(encoding="utf-8")))
    if len(failed) > FAILURES_MAX or any(map(is_final, failed)):
        return code
    print(f"\ntrying again what failed: {' '.join(failed)}", flush=True)
    code = run("--last-failed", "-n", "0", "-v")
    if code == 0:
        with NOTES.open("a", encoding="utf-8") as notes:
            notes.writelines(f"passed at the second try: {name}\n" for name in failed)
    return code


if __name__ == "__main__":
    sys.exit(main())
