"""MicroPython on an emulated Cortex-M3: Debian's source package, built once for QEMU's mps2-an385."""

import os
import shutil
import subprocess
import sys
import tempfile
from hashlib import sha256
from pathlib import Path

PACKAGES = ("qemu-system-arm", "gcc-arm-none-eabi", "libnewlib-arm-none-eabi", "dpkg-dev", "gcc", "make")
PROGRAMS = ("qemu-system-arm", "arm-none-eabi-gcc", "dpkg-source", "apt-get", "gcc", "make")
ADVICE = f"on Debian: apt install {' '.join(PACKAGES)}; `make parts` then builds it (about a minute)"
PARTS = Path(__file__).parent / "cortex_m3"
KEYS = "/usr/share/keyrings/debian-archive-keyring.gpg"
SOURCE = f"deb-src [signed-by={KEYS}] http://deb.debian.org/debian trixie main\n"
# The tests themselves need more than a device has; who wants a device's heap takes the rest away first.
HEAP_BYTES = 2 << 20


def image() -> Path:
    """Where the built firmware lies: a new place whenever what is built into it changes."""
    cache = Path(os.environ.get("GONGI_CACHE") or "~/.cache/gongi").expanduser()
    files = sorted(path for path in PARTS.rglob("*") if path.suffix in (".py", ".c", ".mk"))
    state = sha256(SOURCE.encode() + str(HEAP_BYTES).encode() + b"".join(path.read_bytes() for path in files))
    return cache / f"cortex-m3-{state.hexdigest()[:12]}" / "firmware.elf"


def find() -> str | None:
    """The built firmware, where QEMU can run it."""
    return str(image()) if image().is_file() and shutil.which("qemu-system-arm") else None


def build() -> None:
    """Build it into the cache, once; does nothing without its programs."""
    if lacking := [name for name in PROGRAMS if shutil.which(name) is None]:
        print(f"parts: the Cortex-M3 can't be built without {', '.join(lacking)}", file=sys.stderr)
        return
    print(
        f"parts: building MicroPython for a Cortex-M3 into {image().parent} (once, about a minute)",
        file=sys.stderr,
    )
    with tempfile.TemporaryDirectory(prefix="gongi-cortex-") as name:
        try:
            built = compile_in(Path(name))
        except subprocess.CalledProcessError as error:
            print(
                f"parts: the Cortex-M3's build failed: {error.cmd}\n{error.stderr[-2000:]}", file=sys.stderr
            )
            return
        image().parent.mkdir(parents=True, exist_ok=True)
        # Whole or not at all: another build may run beside this one.
        part = image().with_name(f"firmware.{os.getpid()}")
        shutil.copy(built, part)
        part.replace(image())


def compile_in(folder: Path) -> Path:
    """Fetch the source by apt, with lists of its own, and compile it; returns the firmware."""
    fetch(folder)
    source = next(path for path in folder.glob("micropython-*") if path.is_dir())
    run(["make", "-j2", "-C", "mpy-cross"], source)
    given = [
        f"FROZEN_MANIFEST={PARTS / 'manifest.py'}",
        f"USER_C_MODULES={PARTS}",
        "MICROPY_VFS_LFS2=1",
        f"MICROPY_HEAP_SIZE={HEAP_BYTES}",
        "BUILD=build",
    ]
    run(["make", "-j2", "-C", "ports/qemu", *given], source)
    return source / "ports" / "qemu" / "build" / "firmware.elf"


def fetch(folder: Path) -> None:
    """Unpack Debian's source package in `folder`, its signature checked by apt."""
    (folder / "lists" / "partial").mkdir(parents=True)
    (folder / "sources").write_text(SOURCE)
    own = {"sourcelist": folder / "sources", "sourceparts": "/dev/null"}
    options = [f"-oDir::Etc::{name}={path}" for name, path in own.items()]
    options += [f"-oDir::State::Lists={folder / 'lists'}", "-oAPT::Sandbox::User="]
    run(["apt-get", "-q", *options, "update"], folder)
    run(["apt-get", "-q", *options, "source", "micropython"], folder)


def run(command: list[str], folder: Path) -> None:
    subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
