"""The pytest plugin: fixtures `rocketmq` and `rocketmq_session`, and the mark `rocketmq`.

    rocketmq            a broker of the test's own, fresh and gone afterwards
    rocketmq_session    one broker for the whole run, in which each test sees only what is its own

    @pytest.mark.rocketmq(enablePropertyFilter=True)     settings for the test's own broker

pytest loads this module at each start of each user's run, so it imports nothing but pytest; the
servers are loaded by the first test that wants them.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pocketmq.testing.local_broker import LocalBroker

_SHARED = pytest.StashKey["LocalBroker"]()
_SUFFIX = pytest.StashKey[str]()
_NUMBER = pytest.StashKey[int]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declare the setting `rocketmq_settings`."""
    parser.addini(
        "rocketmq_settings",
        "Settings of the brokers that the fixtures rocketmq and rocketmq_session start, one "
        "`name = value` a line, by RocketMQ's names or PocketMQ's.",
        type="linelist",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Declare the mark."""
    config.addinivalue_line(
        "markers",
        "rocketmq(**settings): settings of the broker that the fixture rocketmq starts, by "
        "RocketMQ's names or PocketMQ's (a dict as the only argument allows names with dots).",
    )


@pytest.fixture
def rocketmq(request: pytest.FixtureRequest) -> Iterator[LocalBroker]:
    """A RocketMQ name server and broker of this test's own; clients use `rocketmq.address`."""
    with _unexamined_imports():
        from pocketmq.testing.local_broker import broker

    settings = _configured(request.config)
    for mark in reversed(list(request.node.iter_markers("rocketmq"))):
        settings.update(_marked(mark))
    with broker(settings) as opened:
        yield opened


@pytest.fixture(scope="session")
def rocketmq_session(request: pytest.FixtureRequest) -> Iterator[LocalBroker]:
    """A RocketMQ name server and broker for the whole run, or for each process of pytest-xdist.

    A test sees only messages stored since it began. `topic()` and `own_name()` give it names that
    no other test has; faults end with the test.
    """
    with _unexamined_imports():
        from pocketmq.testing.local_broker import broker

    stash = request.config.stash
    with broker(_configured(request.config)) as opened:
        stash[_SHARED] = opened
        opened.begin_test(stash.get(_SUFFIX, ""))
        try:
            yield opened
        finally:
            del stash[_SHARED]


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Let a test see only what is its own in the shared broker, where that is there already."""
    stash = item.config.stash
    number = stash[_NUMBER] = stash.get(_NUMBER, 0) + 1
    stash[_SUFFIX] = f"-{number}"
    shared = stash.get(_SHARED, None)
    if shared is not None:
        shared.begin_test(stash[_SUFFIX])


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown(item: pytest.Item) -> None:
    """Set right what the test disturbed in the shared broker."""
    shared = item.config.stash.get(_SHARED, None)
    if shared is not None:
        shared.end_test()


@contextmanager
def _unexamined_imports() -> Iterator[None]:
    """Import without pytest looking for assertions to rewrite.

    It would in all modules of a package that brings a plugin, and that nearly doubles the time the
    first broker takes. A pytest whose finder is called otherwise just takes that time.
    """
    finders = [one for one in sys.meta_path if type(one).__name__ == "AssertionRewritingHook"]
    for finder in finders:
        sys.meta_path.remove(finder)
    try:
        yield
    finally:
        sys.meta_path[:0] = finders


def _configured(config: pytest.Config) -> dict[str, object]:
    settings: dict[str, object] = {}
    for line in config.getini("rocketmq_settings"):
        name, separator, value = line.partition("=")
        if not separator:
            raise pytest.UsageError(f"rocketmq_settings: {line!r} is not of the form name = value")
        settings[name.strip()] = value.strip()
    return settings


def _marked(mark: pytest.Mark) -> Mapping[str, object]:
    if len(mark.args) > 1 or not all(isinstance(one, Mapping) for one in mark.args):
        raise pytest.UsageError("the mark rocketmq takes settings by name, or one dict of them")
    return {**(mark.args[0] if mark.args else {}), **mark.kwargs}
