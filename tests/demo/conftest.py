"""The demonstration as a process of its own, as a person starts it."""

import os
import subprocess
import sysconfig
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

GONGI = Path(sysconfig.get_path("scripts")) / "gongi"


@dataclass
class Running:
    """A started `gongi demo` with its own folder for temporary files; `family` is every child it had."""

    process: subprocess.Popen[str]
    temporary: Path
    family: set[psutil.Process]

    def look(self) -> list[str]:
        """Note who lives; the programs of all children."""
        self.family |= set(psutil.Process(self.process.pid).children(recursive=True))
        return [" ".join(child.cmdline()) for child in self.alive()]

    def alive(self) -> list[psutil.Process]:
        """The children that live."""
        return [one for one in self.family if one.is_running() and one.status() != psutil.STATUS_ZOMBIE]

    def ended(self, within_s: float) -> tuple[str, str]:
        """What it printed, once it has ended."""
        return self.process.communicate(timeout=within_s)


@dataclass
class Start:
    """Starts demonstrations."""

    temporary: Path
    running: list[Running]

    def __call__(self, *arguments: str, **environment: str) -> Running:
        process = subprocess.Popen(
            [GONGI, "demo", *arguments],
            env=os.environ | {"TMPDIR": str(self.temporary)} | environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.running.append(Running(process, self.temporary, set()))
        return self.running[-1]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    start = Start(tmp_path, [])
    yield start
    for one in start.running:
        if one.process.poll() is None:
            one.process.terminate()
            one.ended(30)
