"""Which official client was seen to work with which message model.

A test says which model it tries with `@pytest.mark.model("ordered")`, and which client by its
parameter `peer`, or by `@pytest.mark.model("ordered", client="go")` where it has none. What became
of it goes to `docs/reference/compatibility.json`, from which `scripts/compatibility.py` writes the
page. A run of all interop tests replaces the results, a run of some of them only theirs. A test
that was skipped leaves nothing behind, so nothing is called a pass that was not seen.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from tests.support.clients.peers import PEERS, Peer

ROOT = Path(__file__).resolve().parents[2]
RESULTS = ROOT / "docs" / "reference" / "compatibility.json"
CELL = "cell"
"""The property of a test's report that names a client, a model and the test."""

CLIENTS = {
    "java-5.3.3": "Java 5.3.3",
    "java-4.9.8": "Java 4.9.8",
    "go": "Go",
    "node": "Node",
    "cpp": "C++",
}

MODELS = {
    "normal": "Send and receive",
    "pull": "Pull consumer",
    "lite_pull": "Lite pull consumer",
    "sharing": "Consumers that share a topic",
    "query": "Query by key and id",
    "ordered": "Ordered",
    "broadcast": "Broadcast",
    "delay": "Delay levels",
    "timer": "Delivery at any time",
    "recall": "Recall of a timed message",
    "batch": "Batches",
    "whole_batch": "Batches kept whole (BatchCQ)",
    "tags": "Filter by tags",
    "sql": "Filter by SQL92",
    "transactions": "Transactions",
    "retry": "Retries",
    "dead_letters": "Dead letters",
    "request_reply": "Request and reply",
    "pop": "POP",
    "start": "Where a new group begins",
    "reset": "Offsets reset and cloned",
    "trace": "Message trace",
    "operators": "Questions to consumers and about them",
    "restart": "A restart of the broker",
}

# The clients for which the tests in `tests/compat/models` are made, and of which models. What the
# others can, and how, differs so much that `tests/compat/models/test_others_*.py` try it.
DRIVEN: dict[str, frozenset[str]] = {
    "java-5.3.3": frozenset(MODELS),
    "java-4.9.8": frozenset(MODELS) - {"timer", "recall", "whole_batch", "pop"},
    "go": frozenset(),
    "node": frozenset(),
    "cpp": frozenset(),
}

# What a client lacks, and why it cannot be tried. A client and a model in none of these, without
# a result, is shown as not run.
LACKS: dict[tuple[str, str], str] = {
    ("java-4.9.8", "timer"): "only delay levels; a time of its own came with 5.0",
    ("java-4.9.8", "recall"): "came with 5.3",
    ("java-4.9.8", "whole_batch"): "came with 5.0",
    ("java-4.9.8", "pop"): "came with 5.0",
    ("go", "operators"): "its admin client knows topics and groups only",
    ("node", "operators"): "has no admin tools",
    ("cpp", "operators"): "has no admin tools",
    ("node", "pull"): "has a push consumer only",
    ("go", "lite_pull"): "the Java client's own interface",
    ("node", "lite_pull"): "the Java client's own interface",
    ("cpp", "lite_pull"): "the Java client's own interface",
    ("go", "query"): "cannot look messages up, nor can its admin client",
    ("node", "query"): "cannot look messages up",
    ("cpp", "query"): "its C interface cannot look messages up",
    ("node", "ordered"): "sends a key to one queue, but has no orderly listener and locks no queue",
    ("go", "recall"): "knows no handle of a timed message",
    ("node", "recall"): "knows no handle of a timed message",
    ("cpp", "recall"): "knows no handle of a timed message",
    ("node", "batch"): "sends messages one by one",
    ("cpp", "batch"): "makes one message of a batch, in front of an Apache broker too",
    ("go", "whole_batch"): "does not take a batch apart that is stored whole",
    ("node", "whole_batch"): "does not take a batch apart that is stored whole",
    ("cpp", "whole_batch"): "does not take a batch apart that is stored whole",
    ("cpp", "sql"): "subscribes to tags only",
    ("node", "transactions"): "has no transactions",
    ("cpp", "transactions"): "the packaged library has no C interface for them",
    ("node", "request_reply"): "has no requests",
    ("cpp", "request_reply"): "has no requests",
    ("go", "pop"): "speaks the protocol of 4.x, which has no POP",
    ("node", "pop"): "speaks the protocol of 4.x, which has no POP",
    ("cpp", "pop"): "speaks the protocol of 3.x, which has no POP",
    ("cpp", "start"): "its C interface cannot choose; a group begins as the broker says",
    ("node", "trace"): "has no trace",
    ("cpp", "trace"): "has no trace",
}


def peers_of(model: str) -> list[Peer]:
    """The clients whose drivers can try a model, to parametrise its tests with."""
    return [peer for peer in PEERS if model in DRIVEN[peer.name]]


@dataclass
class Results:
    """What became of the tests of this run: client -> model -> test -> passed or failed."""

    is_whole: bool
    outcomes: dict[str, dict[str, dict[str, str]]] = field(default_factory=dict)

    def take(self, client: str, model: str, test: str, outcome: str) -> None:
        """Note how a stage of a test ended; one that failed stays so."""
        tests = self.outcomes.setdefault(client, {}).setdefault(model, {})
        tests[test] = outcome if tests.get(test) != "failed" else "failed"

    def save(self, path: Path = RESULTS) -> None:
        """Write the results, over those of earlier runs as far as they are about other tests."""
        if not self.outcomes:
            return
        with _locked(path):
            known: dict[str, Any] = {}
            if path.exists() and not self.is_whole:
                known = json.loads(path.read_text(encoding="utf-8"))["results"]
            for client, models in self.outcomes.items():
                for model, tests in models.items():
                    known.setdefault(client, {}).setdefault(model, {}).update(tests)
            lacks: dict[str, dict[str, str]] = {}
            for (client, model), reason in LACKS.items():
                lacks.setdefault(client, {})[model] = reason
            document = {"clients": CLIENTS, "models": MODELS, "lacks": lacks, "results": known}
            fresh = path.with_suffix(".fresh")
            fresh.write_text(_text(document), encoding="utf-8")
            os.replace(fresh, path)


class Keeper:
    """Gathers the results from the workers, in the process that started them, and saves them."""

    def __init__(self, results: Results) -> None:
        self._results = results

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take a finished stage of a test, if it speaks for a model."""
        if report.outcome == "skipped" or not (report.when == "call" or report.failed):
            return
        for name, value in report.user_properties:
            if name == CELL:
                client, model, test = str(value).split(" ", 2)
                self._results.take(client, model, test, report.outcome)

    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        """Keep the results, all of them only if the run came to its end."""
        self._results.is_whole &= exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED)
        self._results.save()


def _text(document: dict[str, Any]) -> str:
    """The same results are the same text, whatever the order the tests ran in."""
    ordered = {
        **document,
        "results": {
            client: {model: dict(sorted(tests.items())) for model, tests in sorted(models.items())}
            for client, models in sorted(document["results"].items())
        },
    }
    return json.dumps(ordered, indent=1, ensure_ascii=False) + "\n"


def cells(item: pytest.Item) -> Iterator[tuple[str, str, str]]:
    """The client and the model that a test speaks for, and what to call the test."""
    name = item.nodeid.split("/", 2)[-1]
    for mark in item.iter_markers("model"):
        callspec = getattr(item, "callspec", None)
        peer = callspec.params.get("peer") if callspec is not None else None
        client = mark.kwargs.get("client") or (peer.name if isinstance(peer, Peer) else None)
        assert client in CLIENTS, f"{item.nodeid}: the mark `model` needs a peer or a client"
        for model in mark.args:
            assert model in MODELS, f"{item.nodeid}: no model {model!r} in tests/compat/table.py"
            yield client, model, name


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Let one run at a time write the file."""
    directory = os.open(path.parent, os.O_RDONLY)
    try:
        fcntl.flock(directory, fcntl.LOCK_EX)
        yield
    finally:
        os.close(directory)
