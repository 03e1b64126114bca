"""`python -m fuzz`: run the targets until time is up or a rule is broken."""

from __future__ import annotations

import argparse
import random
import sys
import time
from pathlib import Path

from fuzz.corpus import corpus
from fuzz.targets import TARGETS, Target
from pocketmq import _speedups

SLOW_SECONDS = 2.0
FAILURES = Path("fuzz-failures")


def main() -> int:
    """Parse the arguments and run; 1 when a rule was broken."""
    parser = argparse.ArgumentParser(prog="python -m fuzz", description=__doc__)
    names = [target.name for target in TARGETS]
    parser.add_argument("targets", nargs="*", metavar="target", help=f"of {', '.join(names)}")
    parser.add_argument("--seconds", type=float, default=60.0, help="how long to run in all")
    parser.add_argument("--seed", type=int, default=None, help="to repeat a run")
    arguments = parser.parse_args()
    unknown = set(arguments.targets) - set(names)
    if unknown:
        parser.error(f"no target {', '.join(sorted(unknown))}; there are {', '.join(names)}")
    seed = arguments.seed if arguments.seed is not None else random.randrange(2**32)
    chosen = [t for t in TARGETS if not arguments.targets or t.name in arguments.targets]
    print(f"seed {seed}, compiled leaves: {', '.join(_speedups.built()) or 'none'}")
    source, seeds = random.Random(seed), corpus()
    share = arguments.seconds / len(chosen)
    results = [run(target, seeds[target.name], source, share) for target in chosen]
    return 0 if all(results) else 1


def run(target: Target, seeds: list[bytes], source: random.Random, seconds: float) -> bool:
    """Damage inputs for one target; False when an input broke a rule."""
    started = time.perf_counter()
    inputs = refused = 0
    slowest = 0.0
    # What is accepted joins the pool for a while, so that damage adds up.
    pool = list(seeds)
    while (now := time.perf_counter()) - started < seconds:
        data = target.mutate(source, source.choice(pool), pool)
        inputs += 1
        try:
            target.check(data)
        except target.allowed:
            refused += 1
        except Exception as error:  # noqa: BLE001 - any other exception is the find
            return _report(target, data, f"{type(error).__name__}: {error}")
        else:
            if source.random() < 0.05:
                _keep(pool, data, len(seeds), source)
        elapsed = time.perf_counter() - now
        slowest = max(slowest, elapsed)
        if elapsed > SLOW_SECONDS:
            return _report(target, data, f"took {elapsed:.1f} s")
    print(
        f"{target.name:15} {inputs:9} inputs, {refused:9} refused, slowest {slowest * 1e3:.0f} ms"
    )
    return True


def _keep(pool: list[bytes], data: bytes, seeds: int, source: random.Random) -> None:
    if len(pool) < 4 * seeds:
        pool.append(data)
    else:
        pool[source.randrange(seeds, len(pool))] = data


def _report(target: Target, data: bytes, problem: str) -> bool:
    FAILURES.mkdir(exist_ok=True)
    path = FAILURES / f"{target.name}-{len(data)}.bin"
    path.write_bytes(data)
    print(f"{target.name}: {problem}\n  input of {len(data)} bytes saved as {path}")
    print(f"  {data[:400]!r}")
    return False


if __name__ == "__main__":
    sys.exit(main())
