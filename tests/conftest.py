"""What holds for every test: its event loop, and that it cleans up after itself.

POCKETMQ_TEST_LOOP is `uvloop` or `asyncio`; without it tests run on uvloop where it is installed.
A test fails when it leaves behind a task, a thread, a socket or an open file, and, with asyncio's
debug mode on, when it blocks the event loop for more than a second.
"""

from __future__ import annotations

import asyncio
import gc
import inspect
import logging
import os
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping

import hypothesis
import pytest

# How long one input may take depends on the machine and on what else it does.
hypothesis.settings.register_profile("untimed", deadline=None)
hypothesis.settings.load_profile("untimed")

# Its tests are run by other modules, and should say as much as theirs when they fail.
pytest.register_assert_rewrite("tests.support.cli_suite")

FD_DIRECTORY = "/proc/self/fd"
BLOCKED_SECONDS = 1.0
THREAD_GRACE_SECONDS = 2.0


def pytest_asyncio_loop_factories(
    config: pytest.Config, item: pytest.Item
) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Choose the event loop of async tests."""
    wanted = os.environ.get("POCKETMQ_TEST_LOOP", "")
    if wanted not in ("", "asyncio", "uvloop"):
        raise pytest.UsageError(f"POCKETMQ_TEST_LOOP={wanted}: say asyncio or uvloop")
    if wanted != "asyncio":
        try:
            import uvloop
        except ImportError:
            if wanted:
                raise
        else:
            return {"uvloop": uvloop.new_event_loop}
    return {"asyncio": asyncio.new_event_loop}


def pytest_itemcollected(item: pytest.Item) -> None:
    """Watch the tasks of every async test; the fixture comes first, so it is finished last."""
    if isinstance(item, pytest.Function) and inspect.iscoroutinefunction(item.obj):
        item.fixturenames.insert(0, "_no_leaked_tasks")


@pytest.fixture
async def _no_leaked_tasks() -> AsyncIterator[None]:
    before = asyncio.all_tasks()
    watch = _BlockedLoopWatch()
    loop = asyncio.get_running_loop()
    if loop.get_debug():
        loop.slow_callback_duration = BLOCKED_SECONDS
        logging.getLogger("asyncio").addHandler(watch)
    yield
    logging.getLogger("asyncio").removeHandler(watch)
    # A task that has just been cancelled or has returned needs a turn of the loop to be done.
    for _ in range(3):
        await asyncio.sleep(0)
    leaked = [task for task in asyncio.all_tasks() - before if task is not asyncio.current_task()]
    if leaked:
        pytest.fail("leaked tasks: " + "; ".join(map(repr, leaked)), pytrace=False)
    if watch.seen:
        pytest.fail("the event loop was blocked: " + "; ".join(watch.seen), pytrace=False)


class _BlockedLoopWatch(logging.Handler):
    """Collects what asyncio's debug mode says about slow callbacks."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        text = record.getMessage()
        if text.startswith("Executing "):
            self.seen.append(text)


@pytest.fixture(autouse=True)
def _no_leaked_resources() -> Iterator[None]:
    threads, descriptors = set(threading.enumerate()), _open_descriptors()
    yield
    leaked = [repr(thread) for thread in _wait_for_end(set(threading.enumerate()) - threads)]
    extra = _open_descriptors().items() - descriptors.items()
    if extra:
        gc.collect()
        extra = _open_descriptors().items() - descriptors.items()
    leaked += [f"descriptor {number} of {target}" for number, target in sorted(extra)]
    if leaked:
        pytest.fail("leaked: " + "; ".join(leaked), pytrace=False)


def _wait_for_end(threads: set[threading.Thread]) -> list[threading.Thread]:
    """Return the threads that do not end within the grace period."""
    deadline = time.monotonic() + THREAD_GRACE_SECONDS
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))
    return [thread for thread in threads if thread.is_alive()]


def _open_descriptors() -> dict[int, str]:
    """Return the open sockets and regular files, where the system can list them."""
    found: dict[int, str] = {}
    try:
        numbers = os.listdir(FD_DIRECTORY)
    except OSError:
        return found
    for number in numbers:
        try:
            target = os.readlink(f"{FD_DIRECTORY}/{number}")
        except OSError:
            continue  # the descriptor of the listing itself
        if target.startswith("socket:") or _is_a_tests_file(target):
            found[int(number)] = target
    return found


def _is_a_tests_file(target: str) -> bool:
    return target.startswith("/") and not target.startswith(("/dev/", "/proc/"))
