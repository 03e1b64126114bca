"""Fixtures of the exchanges: all are made once, and each test looks at one."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import pytest
from tests.compat.exchange.handover import CASES, hand_over
from tests.compat.exchange.seen import Seen
from tests.compat.machines import Machines

HANDS = 2


@pytest.fixture(scope="module")
def exchanges(machines: Machines) -> Iterator[list[Future[Seen]]]:
    """All exchanges, two at a time: much of what they do is to wait."""
    machines.name_server("apache")
    with ThreadPoolExecutor(HANDS, thread_name_prefix="exchange") as hands:
        yield [hands.submit(hand_over, machines, *case) for case in CASES]


@pytest.fixture(params=range(len(CASES)), ids=["-".join(case) for case in CASES])
def exchange(request: pytest.FixtureRequest, exchanges: list[Future[Seen]]) -> Seen:
    """One directory, left by one broker and finished by the other."""
    case: int = request.param
    return exchanges[case].result()
