"""Apache RocketMQ as Maven Central has it, fetched once into a cache directory."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

APACHE_VERSION = "5.3.3"
HEAP = ("-Xms2g", "-Xmx4g", "-XX:MaxDirectMemorySize=4g", "-XX:+UseG1GC")
OPENED_MODULES = (
    "--add-exports=java.base/jdk.internal.ref=ALL-UNNAMED",
    "--add-exports=java.base/sun.nio.ch=ALL-UNNAMED",
    "--add-opens=java.base/java.nio=ALL-UNNAMED",
    "--add-opens=java.base/sun.nio.ch=ALL-UNNAMED",
    "--add-opens=java.base/java.lang=ALL-UNNAMED",
)
POM = """<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>pocketmq</groupId>
  <artifactId>apache-peer</artifactId>
  <version>1</version>
  <dependencies>
{dependencies}
  </dependencies>
</project>
"""


class ApacheUnavailable(Exception):
    """Java, Maven or the artifacts are missing; the message says what to do."""


def cache_directory() -> Path:
    """Where fetched peers and scratch data live: $POCKETMQ_CACHE, or the user's cache directory."""
    chosen = os.environ.get("POCKETMQ_CACHE")
    return Path(chosen).expanduser() if chosen else Path.home() / ".cache" / "pocketmq"


def java_version() -> str:
    """The version of the `java` on the path."""
    if shutil.which("java") is None:
        raise ApacheUnavailable(
            "no `java` here; install JDK 11 or newer, or run with --skip-apache"
        )
    said = subprocess.run(["java", "-version"], capture_output=True, text=True, check=True).stderr
    found = re.search(r'version "([^"]+)"', said)
    return found.group(1) if found else "unknown"


def fetch_libraries() -> Path:
    """The directory of Apache's jars; asks Maven for them the first time (91 MB)."""
    home = cache_directory() / f"apache-{APACHE_VERSION}"
    libraries = home / "lib"
    if libraries.is_dir():
        return libraries
    if shutil.which("mvn") is None:
        raise ApacheUnavailable("no `mvn` here; install Maven, or run with --skip-apache")
    home.mkdir(parents=True, exist_ok=True)
    pom = home / "pom.xml"
    pom.write_text(POM.format(dependencies="\n".join(map(_dependency, ("namesrv", "broker")))))
    partial = home / "lib.partial"
    shutil.rmtree(partial, ignore_errors=True)
    command = ["mvn", "-q", "-B", "-f", str(pom), "dependency:copy-dependencies"]
    done = subprocess.run(
        [*command, f"-DoutputDirectory={partial}"], capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        problem = (done.stdout + done.stderr).strip()[-2000:]
        raise ApacheUnavailable(f"Maven could not fetch Apache RocketMQ:\n{problem}")
    partial.rename(libraries)
    return libraries


def _dependency(module: str) -> str:
    return (
        "    <dependency><groupId>org.apache.rocketmq</groupId>"
        f"<artifactId>rocketmq-{module}</artifactId>"
        f"<version>{APACHE_VERSION}</version></dependency>"
    )


def java_command(home: Path, main_class: str, config: Path, options: tuple[str, ...]) -> list[str]:
    """The command line of one of Apache's servers, with `home` for its logs."""
    classpath = f"{home / 'conf'}:{fetch_libraries()}/*"
    return [
        "java",
        *options,
        f"-Duser.home={home}",
        *OPENED_MODULES,
        "-cp",
        classpath,
        main_class,
        "-c",
        str(config),
    ]
