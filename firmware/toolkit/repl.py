"""The raw REPL of a board that runs MicroPython: programs in, output out, files compared and copied."""

import base64
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from hashlib import sha256

from edge.problem import Problem
from firmware.toolkit.ports import Line

PIECE = 768
"""Bytes of a file per program: 1 KiB as base64, which an ESP32's heap always holds."""

ENTER_S = 10.0
RUN_S = 20.0
PACE_BYTES, PACE_S = 128, 0.01
"""Without flow control a UART buffer of 256 bytes mustn't overflow."""

INTERRUPT, RAW, END, PASTE = b"\x03", b"\x01", b"\x04", b"\x05A\x01"
PROMPT = b"raw REPL; CTRL-B to exit\r\n>"

HELPERS = """\
import binascii, hashlib, os
def _sum(path):
    h = hashlib.sha256()
    try:
        with open(path, "rb") as f:
            while True:
                b = f.read(512)
                if not b:
                    break
                h.update(b)
    except OSError:
        return ""
    return binascii.hexlify(h.digest()).decode()
def _folder(path):
    at = path.find("/", 1)
    while at > 0:
        try:
            os.mkdir(path[:at])
        except OSError:
            pass
        at = path.find("/", at + 1)
def _put(text):
    _file.write(binascii.a2b_base64(text))
"""

Progress = Callable[[float], None]


class NoRepl(Problem):
    """Nothing on the line answers as MicroPython does."""


class DeviceError(Problem):
    """A program ended with an exception on the board; `trace` is what it said."""

    def __init__(self, trace: str, where: str = "") -> None:
        last = trace.strip().splitlines()[-1] if trace.strip() else "no word"
        super().__init__(f"the board says: {last}", where, ADVICE.get(last.partition(":")[0], ""))
        self.trace = trace


ADVICE = {
    "MemoryError": "its memory is full: erase it whole with --erase, and repeat the call",
    "OSError": "its file system may be full or damaged: erase it whole with --erase, and repeat the call",
}


@dataclass(frozen=True, slots=True)
class Running:
    """The MicroPython on a board: platform, release, its words for the machine, the chip's MAC address."""

    platform: str
    release: str
    machine: str
    mac: str
    application: str


WHO = """\
import sys, os, machine, binascii
try:
    u = os.uname()
    r, m = u[2], u[4]
except AttributeError:
    r, m = "%d.%d.%d" % tuple(sys.implementation[1][:3]), sys.implementation[2]
try:
    with open("/version") as f:
        a = f.read()
except OSError:
    a = ""
print("\\t".join((sys.platform, r, m, binascii.hexlify(machine.unique_id()).decode(), a)))
"""

# A node's watchdog outlives its program and would bite in the middle of a copy; ten minutes suffice.
CALM = """\
import machine
if hasattr(machine, "WDT"):
    machine.WDT(timeout=600000)
"""


class Repl:
    """The raw REPL on an open line; `enter` first, `leave` or a reset last."""

    def __init__(self, line: Line, where: str = "", paste: bool = True) -> None:
        self._line = line
        self._where = where
        self._rest = b""
        self._paste = paste

    def enter(self, timeout_s: float = ENTER_S) -> None:
        """Interrupt what runs and enter the raw REPL. Raises `NoRepl`."""
        deadline = time.monotonic() + timeout_s
        wait = 0.3
        while time.monotonic() < deadline:
            self._rest = b""
            self._line.write(b"\r" + INTERRUPT + INTERRUPT)
            time.sleep(0.05)
            self._line.write(b"\r" + RAW)
            if self._seen(PROMPT, min(wait, max(deadline - time.monotonic(), 0.05))):
                self._settle()
                return
            wait = min(2 * wait, 2.0)
        raise NoRepl("no MicroPython answers", self._where)

    def _settle(self) -> None:
        """Let what is still on its way arrive; the prompt may come twice."""
        while self._line.in_waiting or self._fill():
            self._fill()
        self._rest = b""

    def leave(self) -> None:
        """Go back to the friendly REPL."""
        self._line.write(b"\r\x02")

    def who(self) -> Running:
        """Ask what runs there, and tame the watchdog of a node that ran."""
        self.run(CALM)
        platform, release, machine, mac, application = self.run(WHO).rstrip("\r\n").split("\t")
        spaced = ":".join(mac[i : i + 2] for i in range(0, 12, 2))
        return Running(platform, release, machine, spaced, application)

    def run(self, program: str, timeout_s: float = RUN_S) -> str:
        """Run a program and return what it printed. Raises `DeviceError`, `NoRepl`."""
        self.begin(program)
        said = self._until(END, timeout_s)
        wrong = self._until(END, timeout_s)
        self._until(b">", timeout_s)
        if wrong:
            raise DeviceError(wrong.decode(errors="replace"), self._where)
        return said.decode(errors="replace").replace("\r\n", "\n").replace("\r", "")

    def begin(self, program: str) -> None:
        """Start a program without waiting for its end."""
        data = program.encode()
        if self._paste and self._flows(data):
            return
        for start in range(0, len(data), PACE_BYTES):
            self._line.write(data[start : start + PACE_BYTES])
            time.sleep(PACE_S)
        self._line.write(END)
        if self._take(2, RUN_S) != b"OK":
            raise NoRepl(
                "the board doesn't take programs", self._where, "plug it in again and repeat the call"
            )

    def _flows(self, data: bytes) -> bool:
        """Send a program by raw paste, whose window is the flow control; False where the device has none."""
        self._line.write(PASTE)
        answer = self._take(2, RUN_S)
        if answer != b"R\x01":
            self._paste = False
            if answer == b"ra":
                self._seen(b"\r\n>", RUN_S)
            return False
        window = room = int.from_bytes(self._take(2, RUN_S), "little")
        at = 0
        while at < len(data):
            while room == 0 or self._rest or self._line.in_waiting:
                word = self._take(1, RUN_S)
                if word != RAW:
                    self._line.write(END)  # it has had enough: what it says follows
                    return True
                room += window
            at, room = at + room, room - self._send(data[at : at + room])
        self._line.write(END)
        self._until(END, RUN_S)
        return True

    def _send(self, data: bytes) -> int:
        self._line.write(data)
        return len(data)

    def sums(self, paths: Iterable[str]) -> dict[str, str]:
        """The SHA-256 of files on the board, empty where there is none."""
        self.run(HELPERS)
        names = ["/" + path for path in paths]
        said = self.run(f"for p in {names!r}:\n    print(p, _sum(p))\n", 60)
        pairs = (line.partition(" ") for line in said.splitlines())
        return {path.removeprefix("/"): digest for path, _, digest in pairs}

    def copy(self, files: Mapping[str, bytes], progress: Progress) -> list[str]:
        """Make the board's files these, in their order; returns the paths of those that differed."""
        have = self.sums(files)
        changed = [path for path, data in files.items() if have.get(path) != sha256(data).hexdigest()]
        total = sum(len(files[path]) for path in changed) or 1
        done = 0
        for path in changed:
            for size in self._pieces("/" + path, files[path]):
                done += size
                progress(done / total)
        return changed

    def _pieces(self, path: str, data: bytes) -> Iterable[int]:
        """Write a file beside its name, compare it, let it take the name; a torn cable leaves the old one."""
        self.run(f"_folder({path!r})\n_file = open({path + '.new'!r}, 'wb')\n")
        for start in range(0, len(data), PIECE):
            piece = data[start : start + PIECE]
            self.run(f"_put({base64.b64encode(piece).decode()!r})\n")
            yield len(piece)
        said = self.run(f"_file.close()\nprint(_sum({path + '.new'!r}))\n", 60).strip()
        if said != sha256(data).hexdigest():
            raise DeviceError("OSError: what it wrote is not what was sent", f"{self._where}{path}")
        self.run(f"os.rename({path + '.new'!r}, {path!r})\n")

    def remove(self, paths: Iterable[str]) -> None:
        """Remove files that may be there."""
        names = ["/" + path for path in paths]
        self.run(
            f"import os\nfor p in {names!r}:\n    try:\n        os.remove(p)\n"
            "    except OSError:\n        pass\n"
        )

    def read(self, path: str) -> bytes:
        """A file's bytes, empty where there is none."""
        self.run(HELPERS)
        # A file left open is closed by the collector, perhaps amid another's work on the same file system.
        program = f"try:\n    with open({'/' + path!r}, 'rb') as f:\n        b = f.read()\n"
        program += "    print(binascii.b2a_base64(b).decode())\nexcept OSError:\n    pass\n"
        return base64.b64decode(self.run(program))

    def reset(self) -> None:
        """Let the board begin anew."""
        self.begin("import machine, time\ntime.sleep_ms(100)\nmachine.reset()\n")

    def _fill(self) -> bool:
        data = self._line.read(max(1, self._line.in_waiting))
        self._rest += data
        return bool(data)

    def _seen(self, mark: bytes, timeout_s: float) -> bool:
        deadline = time.monotonic() + timeout_s
        while mark not in self._rest:
            if not self._fill() and time.monotonic() > deadline:
                return False
        self._rest = self._rest.partition(mark)[2]
        return True

    def _until(self, mark: bytes, timeout_s: float) -> bytes:
        deadline = time.monotonic() + timeout_s
        while mark not in self._rest:
            if not self._fill() and time.monotonic() > deadline:
                raise NoRepl("the board fell silent", self._where, "plug it in again and repeat the call")
        found, _, self._rest = self._rest.partition(mark)
        return found

    def _take(self, n: int, timeout_s: float) -> bytes:
        deadline = time.monotonic() + timeout_s
        while len(self._rest) < n:
            if not self._fill() and time.monotonic() > deadline:
                raise NoRepl("the board fell silent", self._where, "plug it in again and repeat the call")
        found, self._rest = self._rest[:n], self._rest[n:]
        return found
