"""Each request code there is gets an answer of its own kind from both servers."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.support.local_broker import local_broker
from tests.support.local_cluster import ask, name_server
from tests.support.raw_peer import RawPeer

from pocketmq.broker.handlers.admin.refusals import RefusalsHandler
from pocketmq.protocol import refusals
from pocketmq.protocol.codes import RequestCode, ResponseCode

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "admin-protocol.md"


async def test_a_broker_answers_or_refuses_every_code(tmp_path: Path) -> None:
    async with local_broker(tmp_path) as app, RawPeer(app.port) as peer:
        routes = app.running.routes.handlers
        assert set(routes) >= set(RequestCode)
        assert set(RefusalsHandler().routes()) == set(refusals.BY_BROKER)
        for code, reason in refusals.BY_BROKER.items():
            answer = await ask(peer, code)
            assert answer.code == ResponseCode.REQUEST_CODE_NOT_SUPPORTED
            name = RequestCode(code).name
            wanted = f"request code {code} ({name}) is not supported: {reason}"
            assert (answer.remark, bytes(answer.body)) == (wanted, b"")


async def test_a_name_server_answers_or_refuses_every_code() -> None:
    async with name_server() as app, RawPeer(app.port) as peer:
        refused = refusals.by_name_server(app.answered)
        assert set(refused) | set(app.answered) >= set(RequestCode)
        assert not set(refused) & set(app.answered)
        for code, reason in refused.items():
            answer = await ask(peer, code)
            assert answer.code == ResponseCode.REQUEST_CODE_NOT_SUPPORTED
            assert (answer.remark or "").endswith(
                f"({RequestCode(code).name}) is not supported: {reason}"
            )


async def test_the_reference_page_agrees_with_the_routes(tmp_path: Path) -> None:
    page = PAGE.read_text(encoding="utf-8")
    async with local_broker(tmp_path) as app, name_server() as names:
        answered = set(app.running.routes.handlers) - set(refusals.BY_BROKER)
        for code in RequestCode:
            marks = ["✓" if code in known else "✗" for known in (answered, names.answered)]
            row = next(line for line in page.splitlines() if line.startswith(f"| {int(code)} |"))
            assert f"`{code.name}`" in row
            assert row.endswith(f"| {marks[0]} | {marks[1]} |"), row


@pytest.mark.parametrize("reason", sorted(set(refusals.BY_BROKER.values())))
def test_a_reason_is_the_end_of_a_sentence(reason: str) -> None:
    assert reason[0].islower()
    assert not reason.endswith(".")
