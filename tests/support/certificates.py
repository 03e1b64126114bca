"""Certificates for tests of TLS."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest


def self_signed(directory: Path, *, name: str = "") -> Path:
    """Write cert.pem and key.pem into a directory, and return that.

    The certificate is for 127.0.0.1, or only for `name`.
    Skip where there is no openssl, but fail in CI.
    """
    program = shutil.which("openssl")
    if program is None:
        if os.environ.get("CI"):
            pytest.fail("the openssl program is not installed")
        pytest.skip("the openssl program is not installed")
    command = (
        f"{program} req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 "
        f"-keyout key.pem -out cert.pem -subj /CN={name or 'localhost'}"
    )
    if not name:
        command += " -addext subjectAltName=IP:127.0.0.1"
    subprocess.run(command.split(), cwd=directory, check=True, capture_output=True)
    return directory
