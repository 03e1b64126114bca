"""The pytest plugin as its users have it: whole runs of pytest in a project of their own."""

from __future__ import annotations

from importlib.metadata import entry_points

import pytest

from pocketmq.testing import broker

pytest_plugins = ("pytester",)
pytestmark = pytest.mark.timeout(180)  # each is a run of pytest

ASYNC = """
    [pytest]
    asyncio_mode = auto
    asyncio_default_fixture_loop_scope = function
"""
QUIET = ("-p", "no:cacheprovider", "-W", "error")


@pytest.fixture
def run(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """A project whose pytest finds the plugin by its entry point, as any project's does.

    The servers are loaded here, so that not every run within this process loads them anew.
    """
    with broker():
        pass
    monkeypatch.delenv("PYTEST_ADDOPTS", raising=False)
    pytester.makeini(ASYNC)
    return pytester


def test_pytest_finds_the_plugin() -> None:
    (found,) = entry_points(group="pytest11", name="pocketmq")
    assert found.value == "pocketmq.testing.plugin", "run `make setup` again"


def test_plain_and_async_tests_get_a_broker_each(run: pytest.Pytester) -> None:
    run.makepyfile(
        """
        seen = set()

        def test_plain(rocketmq):
            seen.add(rocketmq.address)
            rocketmq.send("orders", "pizza")
            rocketmq.settle()
            rocketmq.assert_sent("orders", "pizza", count=1)

        async def test_async(rocketmq):
            assert rocketmq.address not in seen
            await rocketmq.settle()
            assert rocketmq.messages("orders") == []
        """
    )
    run.runpytest(*QUIET).assert_outcomes(passed=2)


def test_unittest_classes_and_doctests_get_one_too(run: pytest.Pytester) -> None:
    run.makepyfile(
        '''
        """
        >>> from pocketmq.testing import broker
        >>> with broker() as mq:
        ...     _ = mq.send("orders", "pizza")
        ...     [message.text for message in mq.messages("orders")]
        ['pizza']
        """
        import unittest
        from pocketmq.testing import broker

        class OrderTest(unittest.TestCase):
            def setUp(self):
                opened = broker()
                self.mq = opened.__enter__()
                self.addCleanup(opened.__exit__, None, None, None)

            def test_order(self):
                self.mq.send("orders", "pizza")
                self.mq.assert_sent("orders", count=1)
        '''
    )
    run.runpytest(*QUIET, "--doctest-modules").assert_outcomes(passed=2)


def test_a_failure_shows_the_test_and_the_explanation_alone(run: pytest.Pytester) -> None:
    run.makepyfile(
        """
        def test_billing(rocketmq):
            rocketmq.send("orders", {"id": 42}, tag="new")
            rocketmq.settle()
            rocketmq.assert_consumed("orders", by="billing")
        """
    )
    result = run.runpytest(*QUIET)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "E       AssertionError: 'billing' has consumed 0 of 1 messages of 'orders'",
            "E         queue 0 offset 0  tag=new  b'{\"id\": 42}'  -- not consumed: no consumer of "
            "'billing' is connected",
        ]
    )
    result.stdout.no_fnmatch_line("*pocketmq/testing*")


def test_what_does_not_settle_is_named(run: pytest.Pytester) -> None:
    run.makepyfile(
        """
        import asyncio
        import pytest
        from tests.cluster.test_testing_broker import At
        from tests.support.local_broker import Peer

        async def test_stuck(rocketmq):
            rocketmq.send("orders", "pizza")
            peer = Peer(At(rocketmq), "till-1")
            await peer.heartbeat("orders", group="billing")
            try:
                await rocketmq.settle(timeout=0.1)
            finally:
                await peer.close()
        """
    )
    result = run.runpytest(*QUIET)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "E * still in flight after 0.1 s:",
            "E *   'billing' has yet to fetch 1 message of 'orders' queue 0",
        ]
    )


def test_a_forgotten_await_is_a_warning(run: pytest.Pytester) -> None:
    run.makepyfile(
        """
        async def test_hasty(rocketmq):
            rocketmq.settle()
        """
    )
    result = run.runpytest_subprocess("-p", "no:cacheprovider")
    result.assert_outcomes(passed=1, warnings=1)
    result.stdout.fnmatch_lines(["*rocketmq.settle() was never awaited*"])


def test_tests_share_a_broker_and_see_only_what_is_their_own(run: pytest.Pytester) -> None:
    run.makepyfile(
        """
        import pytest

        @pytest.fixture(scope="session")
        def app(rocketmq_session):
            rocketmq_session.send("started", "once")
            return rocketmq_session.address

        addresses, topics = set(), set()

        @pytest.mark.parametrize("number", range(3))
        def test_shared(app, rocketmq_session, number):
            addresses.add(app)
            topics.add(rocketmq_session.topic("orders"))
            topics.add(rocketmq_session.own_name("billing"))
            assert rocketmq_session.messages("invoices") == []
            rocketmq_session.send("invoices", f"for {number}")
            rocketmq_session.assert_sent("invoices", f"for {number}", count=1)
            rocketmq_session.faults.refuse("send")
            rocketmq_session.clock.freeze()

        def test_afterwards(rocketmq_session):
            assert len(addresses) == 1
            assert len(topics) == 6
            rocketmq_session.send("invoices", "accepted")
            before = rocketmq_session.clock.now_ms
            while rocketmq_session.clock.now_ms == before:
                pass
        """
    )
    run.runpytest(*QUIET).assert_outcomes(passed=4)


def test_each_process_of_xdist_has_its_own(run: pytest.Pytester) -> None:
    run.makepyfile(
        """
        import os, pathlib, pytest

        @pytest.mark.parametrize("number", range(4))
        def test_shared(rocketmq_session, rocketmq, number):
            rocketmq.send("orders", "pizza")
            rocketmq_session.send("orders", "pizza")
            rocketmq.assert_sent("orders", count=1)
            rocketmq_session.assert_sent("orders", count=1)
            worker = os.environ["PYTEST_XDIST_WORKER"]
            pathlib.Path(worker + ".address").write_text(rocketmq_session.address)
        """
    )
    result = run.runpytest_subprocess(*QUIET, "-n", "2", "--dist", "each", timeout=60)
    result.assert_outcomes(passed=8)
    addresses = {path.read_text() for path in run.path.glob("*.address")}
    assert len(addresses) == 2


def test_settings_come_from_the_configuration_and_from_marks(run: pytest.Pytester) -> None:
    run.makeini(ASYNC + "    rocketmq_settings =\n        autoCreateTopicEnable = false\n")
    run.makepyfile(
        """
        import pytest
        from pocketmq.errors import Refused

        def test_configured(rocketmq):
            with pytest.raises(Refused, match="does not exist"):
                rocketmq.send("orders", "pizza")

        @pytest.mark.rocketmq(autoCreateTopicEnable=True)
        class TestMarked:
            def test_marked(self, rocketmq):
                rocketmq.send("orders", "pizza")

            @pytest.mark.rocketmq({"broker.topics.auto_create": False})
            def test_the_nearest_mark_counts(self, rocketmq):
                with pytest.raises(Refused, match="does not exist"):
                    rocketmq.send("orders", "pizza")

        @pytest.mark.rocketmq("true")
        def test_wrongly_marked(rocketmq):
            pass
        """
    )
    result = run.runpytest(*QUIET, "--strict-markers", "--strict-config")
    result.assert_outcomes(passed=3, errors=1)
    result.stdout.fnmatch_lines(["*the mark rocketmq takes settings by name, or one dict of them*"])


def test_a_setting_without_a_value_is_an_error(run: pytest.Pytester) -> None:
    run.makeini(ASYNC + "    rocketmq_settings =\n        autoCreateTopicEnable\n")
    run.makepyfile("def test_configured(rocketmq): pass")
    result = run.runpytest(*QUIET)
    assert result.ret != 0
    result.stdout.fnmatch_lines(["*'autoCreateTopicEnable' is not of the form*"])
