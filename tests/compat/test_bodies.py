"""Java reads the bodies that the codecs write, and they read what this machine's Java writes."""

from __future__ import annotations

import datetime as dt
import subprocess
import uuid
from collections.abc import Callable
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from tests.compat.conftest import unavailable
from tests.support.clients.cache import (
    PeerUnavailable,
    one_at_a_time,
    product,
    require_tools,
    run_build,
)
from tests.support.clients.peers import DRIVERS, JAVA_FLAGS

from pocketmq.client.codecs import (
    HessianCodec,
    JavaArray,
    JavaByte,
    JavaChar,
    JavaCodec,
    JavaEnum,
    JavaFloat,
    JavaLong,
    JavaObject,
    JavaShort,
)

CODECS: dict[str, Any] = {"java": JavaCodec(), "hessian": HessianCodec()}
MOMENT = dt.datetime(2026, 11, 21, 12, 0, 0, 5000, tzinfo=dt.timezone.utc)
BEAN = JavaObject(
    "Bodies$Bean",
    {
        "count": 5,
        "id": JavaLong(6),
        "boxed": JavaLong(7),
        "total": 1.5,
        "text": "größe",
        "items": ["a", 1],
        "data": b"\x01",
        "numbers": JavaArray("int", [1, 2]),
    },
    serial_version_uid=44,
    types={"boxed": "java.lang.Long", "items": "java.util.List"},
)
BEAN_SHOWN = (
    "Bean 5 6 7 1.5 größe ArrayList [String a, Integer 1] byte[] [Byte 1] "
    "int[] [Integer 1, Integer 2]"
)
LONG = "xyü😀" * 20_000

# What Java says of each value that Python sends.
SENT: list[tuple[Any, str]] = [
    (None, "null"),
    (True, "Boolean true"),
    (5, "Integer 5"),
    (2**40, "Long 1099511627776"),
    (JavaLong(5), "Long 5"),
    (JavaByte(-5), "Byte -5"),
    (JavaShort(300), "Short 300"),
    (JavaFloat(0.5), "Float 0.5"),
    (1.5, "Double 1.5"),
    (-300.0, "Double -300.0"),
    (12.125, "Double 12.125"),
    ("hello ✓ 😀", "String hello ✓ 😀"),
    (LONG, "String " + LONG),
    (b"\x00\xff", "byte[] [Byte 0, Byte -1]"),
    (b"\x01" * 9000, "byte[] [" + ", ".join(["Byte 1"] * 9000) + "]"),
    (MOMENT, "Date 1795262400005"),
    (MOMENT.replace(microsecond=0), "Date 1795262400000"),
    (Decimal("-12.340"), "BigDecimal -12.340"),
    (Decimal("1E+5"), "BigDecimal 1E+5"),
    (["a", 1, [2.5]], "ArrayList [String a, Integer 1, ArrayList [Double 2.5]]"),
    (list(range(20)), "ArrayList [" + ", ".join(f"Integer {n}" for n in range(20)) + "]"),
    ({"a": 1, 2: "b"}, "HashMap {Integer 2=String b, String a=Integer 1}"),
    ({"x", "y"}, "HashSet [String x, String y]"),
    (JavaEnum("Bodies$State", "PAID"), "Enum PAID"),
    (JavaArray("int", [1, 2]), "int[] [Integer 1, Integer 2]"),
    (JavaArray("java.lang.String", ["a", None]), "String[] [String a, null]"),
    (JavaArray("int[]", [JavaArray("int", [1])]), "int[][] [int[] [Integer 1]]"),
    (BEAN, BEAN_SHOWN),
    ([BEAN, BEAN], f"ArrayList [{BEAN_SHOWN}, {BEAN_SHOWN}]"),
]
SENT_AS_JAVA_ONLY: list[tuple[Any, str]] = [
    (2**70, "BigInteger 1180591620717411303424"),
    (-(2**70), "BigInteger -1180591620717411303424"),
    (JavaChar("é"), "Character é"),
    (uuid.UUID(int=5), "UUID 00000000-0000-0000-0000-000000000005"),
]
CIRCLE = (
    "Order 3 old true -1 233 -300 5 1099511627776 0.5 12.25 9 größe PAID [1, 2, 3] [a, null] "
    "pen true"
)

Run = Callable[..., list[str]]


@cache
def classes() -> Path:
    """The Java program that reads and writes bodies, and its jars. Raise PeerUnavailable."""
    require_tools("java", "javac", "mvn")
    pom, source = DRIVERS / "bodies" / "pom.xml", DRIVERS / "bodies" / "Bodies.java"

    def build(place: Path) -> None:
        copy = ["dependency:copy-dependencies", f"-DoutputDirectory={place / 'lib'}"]
        with one_at_a_time("maven"):
            run_build(["mvn", "-q", "-B", "-f", pom, *copy], pom.parent)
        options: list[str | Path] = ["-d", place / "classes", "-cp", f"{place}/lib/*"]
        run_build(["javac", "-nowarn", "-encoding", "UTF-8", *options, source], place)

    return product("java-bodies", [pom, source], "", build)


@pytest.fixture(scope="module")
def java() -> Run:
    """`java(*words, lines=())`: the lines that the Java program answers."""
    try:
        place = classes()
    except PeerUnavailable as error:
        unavailable(error)

    def run(*words: str, lines: list[str] | None = None) -> list[str]:
        classes = f"{place}/classes:{place}/lib/*"
        finished = subprocess.run(
            ["java", *JAVA_FLAGS, "-cp", classes, "Bodies", *words],
            input="\n".join(lines or []).encode(),
            stdout=subprocess.PIPE,
            timeout=60,
            check=True,
        )
        return finished.stdout.decode().split("\n")[:-1]

    return run


@pytest.mark.timeout(500)  # the first run fetches Hessian and compiles
def test_java_reads_what_python_wrote(java: Run) -> None:
    wanted = [(form, value, shown) for value, shown in SENT for form in CODECS]
    wanted += [("java", value, shown) for value, shown in SENT_AS_JAVA_ONLY]
    lines = [f"{form} {CODECS[form].encode(value).hex()}" for form, value, _ in wanted]
    assert java(lines=lines) == [shown for _, _, shown in wanted]


@pytest.mark.timeout(500)
def test_python_reads_what_java_wrote_and_java_reads_it_again(java: Run) -> None:
    samples = [line.split() for line in java("samples")]
    assert len(samples) > 90
    values = [
        (form, name, CODECS[form].decode(bytes.fromhex(data))) for form, name, data in samples
    ]
    long = {form: value for form, name, value in values if name == "long-string"}
    assert long == dict.fromkeys(CODECS, LONG)
    circles = [(form, value) for form, name, value in values if name == "circle-of-beans"]
    again = [f"{form} {CODECS[form].encode(value).hex()}" for form, value in circles]
    assert java(lines=again) == [CIRCLE, CIRCLE]
