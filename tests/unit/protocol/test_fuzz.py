"""The fuzz targets themselves: a short run of each, the same every time."""

from __future__ import annotations

import random

import pytest
from fuzz import pulls, sends
from fuzz.corpus import corpus
from fuzz.targets import TARGETS, Target

from pocketmq import _speedups

ROUNDS = 300


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: str(target.name))
def test_damaged_input_causes_only_the_listed_exceptions(target: Target) -> None:
    source = random.Random(target.name)
    seeds = corpus()[target.name]
    refused = 0
    for _ in range(ROUNDS):
        try:
            target.check(target.mutate(source, source.choice(seeds), seeds))
        except target.allowed:
            refused += 1
    assert refused or target.name in ("properties", "sends", "pulls")


@pytest.mark.skipif(not _speedups.has("sends"), reason="the leaf `sends` is not compiled")
def test_the_leaf_takes_the_seeds_of_sends_whole() -> None:
    for seed in sends.seeds():
        assert sends.bytes_taken(seed) == len(seed)


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: str(target.name))
def test_seeds_are_mostly_sound(target: Target) -> None:
    accepted = 0
    seeds = corpus()[target.name]
    for seed in seeds:
        try:
            target.check(seed)
            accepted += 1
        except target.allowed:
            continue
    assert accepted >= len(seeds) * 0.5


@pytest.mark.skipif(not _speedups.has("pull_lanes"), reason="the leaf `pull_lanes` is not compiled")
def test_the_leaf_answers_the_seeds_of_pulls_whole() -> None:
    for seed in pulls.seeds():
        assert pulls.bytes_taken(seed) == len(seed)
