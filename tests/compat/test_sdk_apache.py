"""The SDK against Apache's servers, of both generations: the scenarios of tests/support.

All scenarios of a server run side by side, as they would one after the other, so that a server is
started once and delays are waited for together. Each scenario is a test of its own.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from traceback import format_exception

import pytest
from tests.compat.conftest import Apaches
from tests.support import apache
from tests.support.clients import raw
from tests.support.sdk_scenarios import SCENARIOS
from tests.support.sdk_stage import Stage

import pocketmq

SCENARIO_SECONDS_MAX = 240
WARM_UP_SECONDS_MAX = 120

Outcomes = dict[str, BaseException | None]


@pytest.fixture(scope="module", params=[apache.VERSION, apache.OLD_VERSION])
def outcomes(
    request: pytest.FixtureRequest, apaches: Apaches, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Outcomes]:
    """What became of each scenario, against one version."""
    version: str = request.param
    cluster = apaches(version)
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("POCKETMQ_OFFSETS", str(tmp_path_factory.mktemp("offsets")))
        pops = version != apache.OLD_VERSION
        yield asyncio.run(run_all(cluster.name_server, cluster.broker, pops=pops))


async def run_all(name_server: str, broker: str, *, pops: bool) -> Outcomes:
    """Run every scenario."""

    async def create(topic: str) -> None:
        await asyncio.to_thread(raw.create_topic, name_server, broker, topic)

    options = pocketmq.ProducerOptions(send_timeout_ms=30_000)
    patient = pocketmq.ClientConfig((name_server,), call_timeout_ms=30_000)
    async with pocketmq.Producer(patient, group="senders", options=options) as producer:
        stage = Stage(patient, create, producer, pops, invisible=15)
        await warm_up(stage)
        jobs = [asyncio.wait_for(job(stage), SCENARIO_SECONDS_MAX) for job in SCENARIOS]
        ended = await asyncio.gather(*jobs, return_exceptions=True)
    return {job.__name__: end for job, end in zip(SCENARIOS, ended, strict=True)}


async def warm_up(stage: Stage) -> None:
    """Return when the server takes messages; one that has just started may refuse the first."""
    deadline = asyncio.get_running_loop().time() + WARM_UP_SECONDS_MAX
    topic = await stage.topic()
    while True:
        try:
            await stage.producer.send(topic, "warm")
            return
        except pocketmq.PocketMQError:
            if asyncio.get_running_loop().time() > deadline:
                raise
            await asyncio.sleep(0.5)


@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", [scenario.__name__ for scenario in SCENARIOS])
def test_the_sdk_keeps_its_promise_on_apache(outcomes: Outcomes, name: str) -> None:
    error = outcomes[name]
    assert error is None, "".join(format_exception(error))
