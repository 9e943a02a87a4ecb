"""The MicroPython images that nodes run: pinned by SHA-256, fetched once, checked before an erase."""

import hashlib
import os
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from edge.problem import Problem

SOURCE = "https://micropython.org/resources/firmware/"
MAGIC = 0xE9
CHIP_AT = 12
PIECE = 1 << 16
TIMEOUT_S = 30
GIVEN = "--image FILE (make: IMAGE=FILE)"

Progress = Callable[[float], None]


class BadImage(Problem):
    """An image isn't what it should be; nothing was erased."""


class NoImage(Problem):
    """The image could not be fetched."""


@dataclass(frozen=True, slots=True)
class Chip:
    """A chip that Gongi runs on: esptool's name, the byte in its images' headers, where its images begin."""

    name: str
    byte: int
    offset: int
    words: str
    """What MicroPython calls it in `os.uname().machine`."""


CHIPS = {
    chip.name: chip
    for chip in (
        Chip("ESP32", 0, 0x1000, "ESP32"),
        Chip("ESP32-S3", 9, 0x0, "ESP32S3"),
        Chip("ESP32-C3", 5, 0x0, "ESP32C3"),
    )
}


@dataclass(frozen=True, slots=True)
class Image:
    """A published image, or a file of one's own (`sha256` empty: whatever it says)."""

    chip: str
    name: str
    version: str
    date: str
    size: int = 0
    sha256: str = ""


# The sums were measured on several independent downloads; MicroPython publishes none.
IMAGES = {
    image.chip: image
    for image in (
        Image(
            "ESP32",
            "ESP32_GENERIC-20260824-v1.29.0.bin",
            "1.29.0",
            "2026-08-24",
            1_790_544,
            "e67ad6015a0a504c1fec9aa9bbf589d0432ed28e62546f4f8dd8a147f8bd95f6",
        ),
        Image(
            "ESP32-S3",
            "ESP32_GENERIC_S3-20260824-v1.29.0.bin",
            "1.29.0",
            "2026-08-24",
            1_783_296,
            "1dd9dcd27ba2d6a1cb7f7b49a063f46d3d807d68b0151161233920228285e300",
        ),
        Image(
            "ESP32-C3",
            "ESP32_GENERIC_C3-20260824-v1.29.0.bin",
            "1.29.0",
            "2026-08-24",
            1_754_736,
            "bf72ed9eb88ad3a8f49d02c3d371f9ea34c90a8a303aeb9e324d8efd4a2a655a",
        ),
    )
}


def cache() -> Path:
    """The folder of what is fetched once, outside every checkout."""
    return Path(os.environ.get("GONGI_CACHE") or "~/.cache/gongi").expanduser() / "images"


def obtain(chip: str, folder: Path, progress: Progress, source: str = SOURCE) -> Path:
    """The pinned image of a chip: from `folder`, else fetched into it. Raises `NoImage`, `BadImage`."""
    image = IMAGES[chip]
    path = folder / image.name
    if path.exists() and _sum(path) == image.sha256:
        return path
    folder.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(f".{os.getpid()}.part")
    try:
        _fetch(source + image.name, part, image, progress)
        found = _sum(part)
        if found != image.sha256:
            raise BadImage(
                f"its SHA-256 is {found[:16]}…, not {image.sha256[:16]}…",
                source + image.name,
                f"somebody changed it on the way (a school's proxy?): fetch it elsewhere and say {GIVEN}",
            )
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    return path


def _fetch(url: str, path: Path, image: Image, progress: Progress) -> None:
    request = urllib.request.Request(url, headers={"User-Agent": "gongi"})
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_S) as reply, path.open("wb") as file:
            done = 0
            while piece := reply.read(PIECE):
                done += file.write(piece)
                progress(min(done / image.size, 1.0))
    except (urllib.error.URLError, OSError) as error:
        why = getattr(error, "reason", None) or error
        advice = f"fetch {image.name} on another machine and say {GIVEN}"
        raise NoImage(f"the image can't be fetched ({why})", url, advice) from error


def _sum(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def check(path: Path, chip: str, flash_bytes: int) -> None:
    """Raise `BadImage` unless the file is an image for that chip and fits its flash."""
    head = path.read_bytes()[: CHIP_AT + 2] if path.is_file() else b""
    fits = "give the .bin file that MicroPython publishes for this chip"
    if not head:
        raise BadImage("there is no such image", str(path), fits)
    if head[0] != MAGIC or len(head) < CHIP_AT + 2:
        raise BadImage(
            f"it is no ESP32 image: it begins with 0x{head[0]:02X}, not 0x{MAGIC:02X}", str(path), fits
        )
    byte = int.from_bytes(head[CHIP_AT : CHIP_AT + 2], "little")
    if byte != CHIPS[chip].byte:
        other = next((c.name for c in CHIPS.values() if c.byte == byte), f"chip number {byte}")
        raise BadImage(f"it is for an {other}, the board has an {chip}", str(path), fits)
    if CHIPS[chip].offset + path.stat().st_size > flash_bytes:
        raise BadImage(f"it doesn't fit into {flash_bytes >> 20} MiB of flash", str(path), fits)
