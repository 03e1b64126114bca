"""The package as users get it: a wheel, in an environment of its own, away from the source tree.

The wheel is built from this tree and installed as `pip install` does it. What is used of it then
runs where there is no network but the machine itself, if Linux lets this process make such a place.
`make wheel` runs these; they are no part of `make test`, as they compile and install for half a
minute.
"""

from __future__ import annotations

import functools
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [
    pytest.mark.wheel,
    pytest.mark.timeout(300),
    pytest.mark.skipif(sys.platform == "win32", reason="sends POSIX signals"),
]
ROOT = Path(__file__).parents[2]
USE = Path(__file__).with_name("use.py")


def ran(*command: object, folder: Path, code: int = 0, **environment: str) -> str:
    """What a command says on standard output, or on standard error when it is to fail."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    done = subprocess.run(
        [str(word) for word in command],
        cwd=folder, env={**kept, **environment},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == code, f"{command}: {done.stdout}\n{done.stderr}"
    return done.stderr if code else done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built with the tools of this environment, complete or not at all."""
    folder = tmp_path_factory.mktemp("wheel")
    for stale in (ROOT / "build").glob("lib*/**/*"):
        if stale.is_file() and stale.suffix not in (".so", ".pyd"):
            stale.unlink()  # what an older build left would be packed, too
    ran(
        *(sys.executable, "-m", "pip", "wheel", ROOT, "--no-deps", "--no-build-isolation"),
        *("--quiet", "--wheel-dir", folder),
        folder=folder,
        POCKETMQ_REQUIRE_SPEEDUPS="1",
        POCKETMQ_REQUIRE_CONSOLE="1",
    )
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def python(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of a new environment with the wheel in it, and nothing else."""
    home = tmp_path_factory.mktemp("installed")
    ran(sys.executable, "-m", "venv", home, folder=home)
    python = home / "bin" / "python"
    install(python, wheel, "--no-index")
    return python


def install(python: Path, *what: object) -> None:
    """Install with pip."""
    quiet = ("--quiet", "--disable-pip-version-check")
    ran(python, "-m", "pip", "install", *quiet, *what, folder=python.parent)


@functools.cache
def apart() -> list[str]:
    """What to put before a command so that it has no network; empty where that is not allowed."""
    place = shutil.which("unshare")
    if place is None:
        return []
    command = [place, "--map-root-user", "--net"]
    tried = subprocess.run([*command, "true"], capture_output=True, check=False)
    return command if tried.returncode == 0 else []


def test_the_client_needs_nothing_else_and_the_command_says_what_servers_need(
    python: Path,
) -> None:
    folder = python.parent
    said = ran(python, "-c", "import pocketmq; print(pocketmq.Producer.__name__)", folder=folder)
    assert said.split() == ["Producer"]
    said = ran(folder / "pocketmq", "up", folder=folder, code=1)
    assert "pip install 'pocketmq[server]'" in said and said.count("\n") == 1


def test_servers_and_console_run_from_it_without_a_network(python: Path, wheel: Path) -> None:
    install(python, f"{wheel}[server]")
    told = json.loads(ran(*apart(), python, USE, folder=python.parent))
    assert ROOT not in Path(told["package"]).parents
    leaves = (ROOT / "src" / "pocketmq" / "_speedups").glob("*.pyi")
    assert told["compiled"] == sorted(path.stem for path in leaves)
    assert "received  'from a wheel'" in told["hello"]
    assert told["exit"] == 0
    index, script = told["index"], told["script"]
    assert "<style>" in index and re.search(r'src="static/console-[0-9a-f]+\.js"', index)
    for module in ("js/pages/overview.js", "vendor/uplot.js"):
        assert f'"{module}": () =>' in script
    assert told["words"]["page.overview"] and told["overview"]["brokers"][0]["up"]
    assert "ERROR" not in told["logs"] and "WARNING" not in told["logs"], told["logs"]
