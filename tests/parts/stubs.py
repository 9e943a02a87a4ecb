"""MicroPython's stubs, for one port each: what its modules have, as a type checker reads it."""

import os
import subprocess
import sys
from pathlib import Path

VERSION = "1.29.0.post1"
ADVICE = "`make parts` fetches them from PyPI"


def folder(port: str) -> Path:
    """Where a port's stubs lie: beside no other package, because they stand in place of Python's own."""
    cache = Path(os.environ.get("GONGI_CACHE") or "~/.cache/gongi").expanduser()
    return cache / f"micropython-{port}-stubs-{VERSION}"


def find(port: str) -> str | None:
    """The stubs' folder, where it is whole."""
    return str(folder(port)) if (folder(port) / "stdlib").is_dir() else None


def build(port: str) -> None:
    """Fetch them into the cache, once."""
    part = folder(port).with_name(f"stubs.{port}.{os.getpid()}")
    command = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "-q",
        "--disable-pip-version-check",
        "--target",
        str(part),
    ]
    if subprocess.run([*command, f"micropython-{port}-stubs=={VERSION}"], check=False).returncode == 0:
        part.rename(folder(port))
