"""`import pocketmq`: cheap, complete, and content with the standard library."""

from __future__ import annotations

import subprocess
import sys

import pytest

import pocketmq

HEAVY = ("asyncio", "ssl", "json", "logging", "dataclasses")
OPTIONAL = ("uvloop", "msgspec", "click", "rich", "lz4", "zstandard", "opentelemetry")


def run(script: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=15
    )
    return done.stdout.strip()


def test_importing_the_package_loads_next_to_nothing() -> None:
    loaded = run("import sys, pocketmq; print(*(m for m in sys.modules if 'pocketmq' in m))")
    assert set(loaded.split()) == {"pocketmq", "pocketmq.lazy"}
    for name in HEAVY:
        assert run(f"import sys, pocketmq; print({name!r} in sys.modules)") == "False", name


def test_the_client_needs_no_other_package_and_no_server() -> None:
    loaded = run(
        "import sys, pocketmq\n"
        "for name in pocketmq.__all__: getattr(pocketmq, name)\n"
        "print(*sys.modules)"
    ).split()
    assert not {name.partition(".")[0] for name in loaded} & set(OPTIONAL)
    assert not [name for name in loaded if name.startswith(("pocketmq.broker", "pocketmq.cli."))]


def test_a_producer_loads_no_part_of_a_server() -> None:
    loaded = run("import sys, pocketmq; pocketmq.Producer; print(*sys.modules)").split()
    for name in ("net.server", "net.tls", "net.proxy_protocol", "settings.resolving", "store"):
        assert f"pocketmq.{name}" not in loaded


@pytest.mark.parametrize("name", pocketmq.__all__)
def test_every_public_name_is_there_and_documented(name: str) -> None:
    value = getattr(pocketmq, name)
    assert name in dir(pocketmq)
    assert name.startswith("__") or value.__doc__


def test_a_name_that_is_not_there_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'Prodcuer'"):
        _ = pocketmq.Prodcuer  # type: ignore[attr-defined]
