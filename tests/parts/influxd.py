"""InfluxDB 2.7 for the tests: given, installed, in a container, or built once from its Go module."""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

VERSION = "2.7.12"
IMAGE = f"docker.io/library/influxdb:{VERSION}"
ENGINES = ("docker", "podman")
ADVICE = f"GONGI_INFLUXD=/path/to/influxd (2.x), or go, cargo and gcc: `make test` then builds {VERSION}"
BUILDERS = ("go", "cargo", "gcc")

GO_MOD = f"""\
module gongi.invalid/influxd

go 1.21

require github.com/influxdata/influxdb/v2 v{VERSION}

replace github.com/nats-io/nats-streaming-server v0.11.2 => \
github.com/influxdata/nats-streaming-server v0.11.3-0.20201112040610-c277f7560803
"""
TOOLS_GO = """\
//go:build tools

package tools

import _ "github.com/influxdata/influxdb/v2/cmd/influxd"
"""
# The Flux library denies lints that are newer than itself.
RUSTC = '#!/bin/sh\nexec "$@" --cap-lints=warn\n'


def find() -> str | None:
    """A path of influxd 2.x, or `docker` / `podman` where the official container can run."""
    return os.environ.get("GONGI_INFLUXD") or on_path() or built() or engine()


def old() -> str | None:
    """A path of influxd 1.x."""
    return os.environ.get("GONGI_INFLUXD1") or on_path("1")


def on_path(major: str = "2") -> str | None:
    """The influxd on the PATH if it is of that major version (Debian's package is 1.6)."""
    found = shutil.which("influxd")
    if found is None:
        return None
    says = subprocess.run([found, "version"], capture_output=True, text=True, timeout=30, check=False).stdout
    return found if re.search(rf"InfluxDB v?{major}\.", says) else None


def engine() -> str | None:
    """The container engine that runs here."""
    return next((name for name in ENGINES if shutil.which(name) and runs(name)), None)


def runs(name: str) -> bool:
    try:
        return subprocess.run([name, "info"], capture_output=True, timeout=20, check=False).returncode == 0
    except subprocess.TimeoutExpired:
        return False


def cache() -> Path:
    return Path(os.environ.get("GONGI_CACHE") or "~/.cache/gongi").expanduser() / f"influxd-{VERSION}"


def built() -> str | None:
    path = cache() / "influxd"
    return str(path) if path.is_file() else None


def command(influxd: str, folder: Path, port: int) -> list[str]:
    """The command that serves `folder` on 127.0.0.1:`port`."""
    if influxd not in ENGINES:
        return [influxd, *options(folder, f"127.0.0.1:{port}")]
    run = [influxd, "run", "--rm", "--name", f"gongi-influxd-{port}", "--entrypoint", "influxd"]
    run += ["--user", f"{os.getuid()}:{os.getgid()}", "-v", f"{folder}:/data", "-p", f"127.0.0.1:{port}:8086"]
    return [*run, IMAGE, *options(Path("/data"), ":8086")]


def options(folder: Path, address: str) -> list[str]:
    files = {"bolt": "influxd.bolt", "engine": "engine", "sqlite": "influxd.sqlite"}
    paths = [f"--{kind}-path={folder / name}" for kind, name in files.items()]
    return [*paths, f"--http-bind-address={address}", "--reporting-disabled", "--log-level=warn"]


def build() -> None:
    """Build influxd from its Go module into the cache, once; does nothing without a compiler."""
    if lacking := [name for name in BUILDERS if shutil.which(name) is None]:
        print(f"parts: InfluxDB can't be built without {', '.join(lacking)}", file=sys.stderr)
        return
    with tempfile.TemporaryDirectory(prefix="gongi-influxd-") as name, Progress():
        folder = Path(name)
        try:
            compile_in(folder)
        except subprocess.CalledProcessError as error:
            print(f"parts: InfluxDB's build failed: {error.cmd}\n{error.stderr[-2000:]}", file=sys.stderr)
            return
        cache().mkdir(parents=True, exist_ok=True)
        shutil.copy(folder / "influxd", cache() / f"influxd.{os.getpid()}")
        # Whole or not at all: another build may run beside this one.
        (cache() / f"influxd.{os.getpid()}").replace(cache() / "influxd")


def compile_in(folder: Path) -> None:
    """Write a small module that requires influxd (its own refuses `go install`), and build it."""
    (folder / "go.mod").write_text(GO_MOD)
    (folder / "tools.go").write_text(TOOLS_GO)
    wrapper = folder / "rustc"
    wrapper.write_text(RUSTC)
    wrapper.chmod(0o755)
    extra = {
        "GOBIN": str(folder),
        "GOFLAGS": "-mod=mod",
        "PKG_CONFIG": str(folder / "pkg-config"),  # InfluxData's own: it builds the Rust library
        "RUSTUP_TOOLCHAIN": "stable",  # the library pins a Rust of 2023
        "RUSTC_WRAPPER": str(wrapper),
    }
    package = "github.com/influxdata/influxdb/v2/cmd/influxd"
    flags = ["-tags", "sqlite_foreign_keys,sqlite_json", "-ldflags", f"-s -w -X main.version=v{VERSION}"]
    for step in (
        ["go", "install", "github.com/influxdata/pkg-config@v0.2.7"],
        ["go", "mod", "tidy"],
        ["go", "build", *flags, "-o", "influxd", package],
    ):
        subprocess.run(step, cwd=folder, env=os.environ | extra, capture_output=True, text=True, check=True)


class Progress:
    """A line every 20 s, so that a person sees that the build lives."""

    def __init__(self) -> None:
        self.done = threading.Event()
        self.thread = threading.Thread(target=self.tell, daemon=True)

    def __enter__(self) -> None:
        print(
            f"parts: building InfluxDB {VERSION} into {cache()} (once, about 4 minutes)",
            file=sys.stderr,
            flush=True,
        )
        self.thread.start()

    def __exit__(self, *error: object) -> None:
        self.done.set()
        self.thread.join()

    def tell(self) -> None:
        start = time.monotonic()
        while not self.done.wait(20):
            print(f"parts: building InfluxDB: {time.monotonic() - start:.0f} s", file=sys.stderr, flush=True)
