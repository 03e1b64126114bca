"""The fuzz targets themselves: a short run of each, the same every time."""

from __future__ import annotations

import random

import pytest
from fuzz import pulls, sends
from fuzz.corpus import corpus
from fuzz.targets import TARGETS, Target

from pocketmq import _speedups
from pocketmq.protocol import framing

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
    assert refused or target.name in ("properties", "sends", "usual-sends", "pulls")


@pytest.mark.skipif(not _speedups.has("sends"), reason="the leaf `sends` is not compiled")
def test_the_leaf_takes_the_seeds_of_sends_whole() -> None:
    for seed in sends.seeds():
        assert sends.bytes_taken(seed) == len(seed)


def test_usual_sends_take_the_seeds_with_a_json_header() -> None:
    plain = [seed for seed in sends.seeds()[:8] if b'"code":310' in seed]
    assert len(plain) == 2
    for seed in plain:
        assert sends.usual_bytes_taken(seed) == len(seed)
        assert sends.usual_bytes_taken(seed + seed[:-1]) == len(seed)


def test_a_hostile_list_of_properties_is_refused_in_no_time() -> None:
    """Were there two ways to match a property, this would take longer than the universe is old."""
    command = framing.frame_to_command(
        sends.seeds()[0], framing.untyped(framing.parse_frames(sends.seeds()[0])[0][0])
    )
    for name in ("KEYS", "UNIQ_KEY", "WAIT", "own"):
        command.fields["i"] = f"{name}\x01true\x02" * 500 + "odd"
        assert sends.usual_bytes_taken(framing.encode_frame(command)) == 0


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
