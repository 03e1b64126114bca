"""Retry policies of groups: which delay a retry gets."""

from __future__ import annotations

from typing import Any

import pytest

from pocketmq.broker.rules.retry_policy import own_delay_ms


@pytest.mark.parametrize(
    "policy",
    [
        None,
        {},
        "EXPONENTIAL",
        {"type": "CUSTOMIZED"},
        {"type": "EXPONENTIAL"},
        {"type": "CUSTOMIZED", "customizedRetryPolicy": {"next": []}},
        {"type": "CUSTOMIZED", "customizedRetryPolicy": {"next": ["soon"]}},
        {"type": "CUSTOMIZED", "customizedRetryPolicy": {"next": [-1]}},
        {"type": "EXPONENTIAL", "exponentialRetryPolicy": {"initial": True}},
    ],
)
def test_without_a_readable_policy_the_levels_count(policy: Any) -> None:
    assert own_delay_ms(policy, 0) is None


def test_exponential_delays_double_up_to_the_longest() -> None:
    policy = {"type": "EXPONENTIAL", "exponentialRetryPolicy": {}}
    assert [own_delay_ms(policy, n) for n in (-1, 0, 1, 2, 10, 11, 10**6)] == [
        5000,
        5000,
        10_000,
        20_000,
        5_120_000,
        7_200_000,
        7_200_000,
    ]
    own = {"initial": 100, "max": 1000, "multiplier": 3}
    policy = {"type": "EXPONENTIAL", "exponentialRetryPolicy": own}
    assert [own_delay_ms(policy, n) for n in range(4)] == [100, 300, 900, 1000]


def test_a_customized_list_is_read_like_the_levels() -> None:
    policy = {"type": "CUSTOMIZED", "customizedRetryPolicy": {"next": [1, 2, 3, 4, 5]}}
    assert [own_delay_ms(policy, n) for n in range(4)] == [3, 4, 5, 5]
    policy = {"type": "CUSTOMIZED", "customizedRetryPolicy": {"next": [7]}}
    assert own_delay_ms(policy, 0) == 7
