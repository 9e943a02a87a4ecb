"""esptool as a program: who is on the line, erase, write, run. It is never imported (it is GPL)."""

import os
import re
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from edge.problem import Problem
from firmware.toolkit.images import CHIPS
from firmware.toolkit.ports import Line

BAUD = 460800
LOST = b"Lost connection"
SILENCE_S = 150.0
"""An erase of 16 MiB may say nothing for so long [s]."""

Progress = Callable[[float], None]


class LoaderFailed(Problem):
    """esptool ended with an error."""


class WrongBoard(Problem):
    """The board is none that the pinned images run on; nothing was erased."""


@dataclass(frozen=True, slots=True)
class Found:
    """The chip on a line, as its loader tells it."""

    chip: str
    model: str
    features: str
    mac: str
    flash_bytes: int


# What esptool says, what it means, what to do; the first that matches counts.
FAULTS: tuple[tuple[str, str, str], ...] = (
    (
        r"Wrong boot mode detected",
        "the board started its program instead of its loader",
        "hold BOOT (IO0), press and release EN (RST), let go of BOOT, then repeat the call",
    ),
    (
        r"serial TX path seems to be down",
        "the board hears nothing: the line from computer to board is cut",
        "try another cable; free GPIO3 (RX) of whatever is wired to it",
    ),
    (
        r"Failed to connect",
        "no loader answers",
        "hold BOOT (IO0), press and release EN (RST), let go of BOOT, then repeat the call; "
        "unplug what is wired to GPIO0, 2, 12 and 15 (they choose how the board starts)",
    ),
    (
        r"port is busy or doesn't exist|[Cc]ould not open",
        "the port can't be opened",
        "close every other program that uses it, plug the board in again",
    ),
    (
        r"Invalid head of packet|serial noise|[Cc]hecksum error|Packet content transfer stopped",
        "the line is noisy",
        "take a shorter cable, or a USB socket of the computer itself; --baud 115200 is slower and safer",
    ),
    (
        r"MD5 of file does not match",
        "what was written is not what the flash holds",
        "repeat the call; if it happens again, the flash of this board is worn: put it aside",
    ),
    (
        r"No more data to read|returned no data|[Ww]rite timeout|Input/output error|device disconnected"
        r"|ClearCommError|No such device|Device not configured|could not be opened|WriteFile failed"
        r"|originates from pySerial|Lost connection",
        "the board was unplugged, or its cable is loose",
        "plug it in again and repeat the call: it goes on where it stopped",
    ),
    (r"No module named esptool", "esptool is missing", "pip install esptool"),
)

# What a pinned image can't run on: what the chip says of itself, what is wrong, what to do.
UNSUITED: tuple[tuple[str, str], ...] = (
    (r"ESP32-D2WD", "its chip is an ESP32-D2WD with 2 MiB of flash inside"),
    (r"^ESP32-(PICO-V3-02|D0WDR2-V3).*", "its chip has SPIRAM inside"),
    (r"ESP32-S3.*PSRAM (8|16)MB", "its chip has octal SPIRAM inside"),
)
OWN_BUILD = (
    "take another board, or give the MicroPython build made for this one: --image FILE (make: IMAGE=FILE)"
)
LEAST_FLASH = 4 << 20


@dataclass(frozen=True, slots=True)
class Loader:
    """The loader on one port; `lines`: DTR and RTS start it, else a person has."""

    port: str
    lines: bool = True
    baud: int = BAUD

    def identify(self) -> Found:
        """Ask the chip who it is. Raises `LoaderFailed`."""
        return parse(self._run(["flash-id"], lambda share: None))

    def erase(self) -> None:
        """Erase the whole flash."""
        self._run(["erase-flash"], lambda share: None)

    def write(self, image: Path, offset: int, progress: Progress) -> None:
        """Write an image, compressed, and verify it by its MD5 on the chip."""
        self._run(["--baud", str(self.baud), "write-flash", hex(offset), str(image)], progress)

    def start(self) -> None:
        """Run what is in the flash."""
        if self.lines:
            self._run(["--after", "hard-reset", "--no-stub", "chip-id"], lambda share: None)
        else:
            self._run(["--no-stub", "run"], lambda share: None)

    def _run(self, arguments: Sequence[str], progress: Progress) -> str:
        before = "default-reset" if self.lines else "no-reset"
        head = ["--port", self.port, "--before", before]
        after = [] if "--after" in arguments else ["--after", "no-reset"]
        return run([sys.executable, "-m", "esptool", *head, *after, *arguments], self.port, progress)


def run(command: Sequence[str], where: str, progress: Progress) -> str:
    """Run esptool, tell its progress as a share of 1, return what it said. Raises `LoaderFailed`."""
    extra = {"PYTHONUTF8": "1", "NO_COLOR": "1", "TERM": "dumb", "COLUMNS": "200"}
    process = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=os.environ | extra,
    )
    assert process.stdout is not None, "its output is a pipe"
    said = bytearray()
    with process, _Patience(process) as patience:
        while piece := os.read(process.stdout.fileno(), 4096):
            patience.heard()
            said += piece
            if LOST in said:  # esptool would hope for 7 s; a repeated call costs less
                process.kill()
            shares = re.findall(rb"(\d+(?:\.\d+)?) ?%", said[-400:])
            if shares:
                progress(min(float(shares[-1]) / 100, 1.0))
    text = said.decode(errors="replace")
    if process.returncode:
        raise failure(text, where)
    return text


class _Patience:
    """Ends a process that has been silent for too long."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process
        self._timer = self._new()

    def __enter__(self) -> "_Patience":
        self._timer.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._timer.cancel()

    def heard(self) -> None:
        self._timer.cancel()
        self._timer = self._new()
        self._timer.start()

    def _new(self) -> threading.Timer:
        timer = threading.Timer(SILENCE_S, self._process.kill)
        timer.daemon = True
        return timer


def failure(said: str, where: str) -> LoaderFailed:
    """The sentence for what esptool said last."""
    for pattern, what, advice in FAULTS:
        if re.search(pattern, said):
            return LoaderFailed(what, where, advice)
    last = [line for line in said.splitlines() if line.strip()]
    error = next((line for line in reversed(last) if "rror" in line), last[-1] if last else "no word")
    return LoaderFailed(
        f"esptool failed: {error.strip()}", where, "plug the board in again and repeat the call"
    )


_FIELDS = {
    "model": r"Chip type: +(.+)",
    "features": r"Features: +(.+)",
    "mac": r"MAC: +([0-9a-fA-F:]{17})",
    "size": r"Detected flash size: +(\d+)([KMG])B",
}


def parse(said: str) -> Found:
    """Read what `esptool flash-id` says. Raises `LoaderFailed`."""
    found = {name: re.search(pattern, said) for name, pattern in _FIELDS.items()}
    size = found.pop("size")
    texts = {name: match[1].strip() for name, match in found.items() if match}
    if len(texts) < len(found):
        raise LoaderFailed("esptool did not say what chip it found", advice="pip install --upgrade esptool")
    detected = re.search(r"Detecting chip type[.\s]*([A-Za-z0-9-]+)", said)
    unit = {"K": 10, "M": 20, "G": 30}
    return Found(
        chip=detected[1] if detected else texts["model"].partition(" ")[0],
        model=texts["model"],
        features=texts["features"],
        mac=texts["mac"].lower(),
        flash_bytes=int(size[1]) << unit[size[2]] if size else 0,
    )


SYNC = b"\xc0\x00\x08\x24\x00\x00\x00\x00\x00\x07\x07\x12\x20" + b"\x55" * 32 + b"\xc0"


def loader_answers(line: Line) -> bool:
    """Whether a chip waits in its loader; MicroPython's REPL takes the question for noise."""
    line.read(line.in_waiting)
    line.write(SYNC)
    return b"\xc0\x01\x08" in line.read(64)


def suited(found: Found, where: str, own_image: bool) -> None:
    """Raise `WrongBoard` where the pinned image doesn't run on this board, or no image of ours."""
    if found.chip not in CHIPS:
        known = ", ".join(CHIPS)
        raise WrongBoard(f"its chip is an {found.chip}; Gongi runs on {known}", where, "take another board")
    if own_image:
        return
    told = f"{found.model}, {found.features}"
    for pattern, what in UNSUITED:
        if re.search(pattern, told):
            raise WrongBoard(what, where, OWN_BUILD)
    if found.flash_bytes < LEAST_FLASH:
        raise WrongBoard(
            f"it has {found.flash_bytes / (1 << 20):g} MiB of flash, 4 are needed", where, OWN_BUILD
        )
