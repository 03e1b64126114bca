"""The page's modules are joined into one script, and what cannot be joined is refused by name."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from scripts import console_parts
from starlette.requests import Request

from pocketmq.console.linking import NotLinked, join_styles, link
from pocketmq.console.pages import STATIC, Pages, joined

NODE = shutil.which("node")
VIEW = """
// Comments stay.
import { n as number, text } from "./parts/small.js";
import byDefaultHere from "../vendor/whole.js";

export const twice = (n) => 2 * n;
export class Kept {}
export async function later() { return (await import("./pages/late.js")).Page; }
later().then((Page) => console.log(JSON.stringify([
  twice(number), text(), byDefaultHere(), Page, typeof Kept,
])));
"""
MODULES = {
    "js/view.js": VIEW,
    "js/parts/small.js": 'const a = 21; function text() { return "<b>"; }\nexport { a as n, text }',
    "vendor/whole.js": "var n=function(){return 7};export default function(){return n()}",
    "js/pages/late.js": 'import { twice } from "../view.js";\nexport const Page = twice(4);',
}


def sources() -> dict[str, str]:
    """The console's own files; the test is skipped where its libraries are missing."""
    if not console_parts.complete():
        pytest.skip("the console's libraries are not here: python scripts/console_parts.py")
    found = [path for kind in ("js", "css") for path in STATIC.rglob(f"*.{kind}")]
    return {path.relative_to(STATIC).as_posix(): path.read_text("utf-8") for path in found}


@pytest.mark.skipif(NODE is None, reason="Node.js is not installed")
def test_joined_modules_do_what_they_do_apart() -> None:
    ran = subprocess.run(
        [str(NODE), "-e", link(MODULES, "js/view.js")],
        capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    assert json.loads(ran.stdout) == [42, "<b>", 7, 8, "function"]


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ('import * as all from "./parts/small.js";', "another way than usual: import *"),
        ('export * from "./parts/small.js";', "another way than usual: export *"),
        ("export let count = 0;", "another way than usual: export let"),
        ('import { n } from "preact";', "another way than usual: import {"),
        ('import { n } from "./parts/gone.js";', "js/parts/gone.js is not there"),
        ('import { n } from "./view.js";', "import one another: js/view.js > js/view.js"),
    ],
)
def test_what_is_not_understood_is_refused_by_name(source: str, said: str) -> None:
    with pytest.raises(NotLinked) as refused:
        link({**MODULES, "js/view.js": source}, "js/view.js")
    assert said in str(refused.value) and "js/" in str(refused.value)


def test_a_sheet_that_refers_to_other_files_is_refused() -> None:
    assert join_styles({"a.css": "a{}", "b.css": "b{}"}, ["b.css", "a.css"]) == "b{}\na{}"
    with pytest.raises(NotLinked, match=r"b\.css refers to other files"):
        join_styles({"b.css": "b{background:url(c.png)}"}, ["b.css"])


def test_the_console_is_one_page_and_one_script() -> None:
    pages = dict(joined((STATIC / "index.html").read_text("utf-8"), sources()))
    index, script = pages["index.html"].text, next(name for name in pages if name != "index.html")
    assert re.findall(r'(?:src|href)="([^"]+)"', index) == [f"static/{script}", "static/icon.svg"]
    for path in STATIC.rglob("*.js"):
        name = path.relative_to(STATIC).as_posix()
        assert f'"{name}": () =>' in pages[script].text or name == "early.js", name


def test_the_policy_lets_run_what_is_in_the_page_and_nothing_else() -> None:
    sources()
    index = Pages().page("index.html")
    answer = index.answer(Request({"type": "http", "headers": []}))
    tag = answer.headers["ETag"].encode()
    again = index.answer(Request({"type": "http", "headers": [(b"if-none-match", tag)]}))
    assert again.status_code == 304
    assert again.headers["Content-Security-Policy"] == answer.headers["Content-Security-Policy"]
    policy = dict(
        part.split(" ", 1) for part in answer.headers["Content-Security-Policy"].split("; ")
    )
    text = bytes(answer.body).decode()
    for element, rule in (("script", "script-src"), ("style", "style-src")):
        (inside,) = re.findall(rf"<{element}>(.*?)</{element}>", text, re.S)
        digest = base64.b64encode(hashlib.sha256(inside.encode()).digest()).decode()
        assert policy[rule] == f"'self' 'sha256-{digest}'"
    assert policy["default-src"] == "'self'" and "unsafe" not in str(policy)


def test_pages_follow_files_that_change_and_survive_one_that_cannot_be_joined(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    static = tmp_path / "static"
    shutil.copytree(STATIC, static, ignore=shutil.ignore_patterns("vendor"))
    pages = Pages(static)
    assert "vendor/uplot.css is not there" in caplog.text
    assert pages.page("index.html").text == (static / "index.html").read_text("utf-8")
    (static / "boot.js").write_text("// changed")
    assert pages.page("boot.js").text == "// changed"


def test_the_early_script_knows_the_languages_there_are() -> None:
    early = (STATIC / "early.js").read_text("utf-8")
    (listed,) = re.findall(r"const spoken = (\[.*?\]);", early)
    assert sorted(json.loads(listed)) == sorted(path.stem for path in STATIC.glob("text/*.json"))
