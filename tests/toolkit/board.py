"""An emulated board on a pty: the chip's loader, and, when its flash holds MicroPython, a real MicroPython.

A pty has no DTR and RTS: a person holds BOOT once somebody has said SYNC in vain for a while; a single one is
noise to MicroPython, as it is on a real board. The loader ends when told to run what is in its flash.
MicroPython is the Unix port on a LittleFS; `hardware/` has what that lacks. It hears nothing before its file
system is its root, as a chip that starts: a Ctrl-C before would leave it with the machine's own files.
"""

import json
import os
import pty
import select
import signal
import subprocess
import sys
import termios
import threading
import tty
from contextlib import suppress
from pathlib import Path
from typing import Any

from tests.toolkit.rom import CHIPS, SYNC, Loader

LIB = Path(__file__).parent / "hardware"
FIRMWARE = Path(__file__).parents[2] / "firmware"
# Makes the pty the controlling terminal, so that Ctrl-C reaches a running program.
LAUNCH = """
import fcntl, os, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execv(sys.argv[1], sys.argv[1:])
"""
UP = b"\x06"
"""MicroPython says it when it is there."""

MIB = 1 << 20
IN_VAIN = 3
"""So often SYNC is said without an answer until the person at the bench holds BOOT."""


class Board:
    """A board that can be plugged in and pulled out; `port` is its device while it is plugged in."""

    def __init__(self, folder: Path, micropython: str, chip: str = "esp32", flash_mib: int = 4) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.files = folder / "littlefs.img"
        self.micropython = micropython
        self.chip = CHIPS[chip]
        self.flash = bytearray(b"\xff" * (flash_mib * MIB))
        self.hardware: dict[str, Any] = {"mac": "246f0a0b0c0d", "wifi": {}, "uarts": {}, "i2cs": {}}
        self.port = ""
        self.boots = 0
        self.unplug_after: int | None = None
        self.loader: Loader | None = None
        self.lives = False
        self._loading = True
        self._up = False
        self._noise = b""
        self._process: subprocess.Popen[bytes] | None = None
        self._inner = self._master = self._slave = -1
        self._thread: threading.Thread | None = None
        self._wake = os.pipe()

    def install(self, offset: int = 0x1000) -> None:
        """Let MicroPython be in the flash from the start."""
        self.flash[offset] = 0xE9
        self._loading = False

    def plug(self, link: Path | None = None) -> str:
        """Plug the board in; returns its port, or `link` to it, which stays the same over replugging."""
        self._master, self._slave = pty.openpty()
        tty.setraw(self._slave)
        self.port = os.ttyname(self._slave)
        if link is not None:
            link.unlink(missing_ok=True)
            link.symlink_to(self.port)
            self.port = str(link)
        self.lives = True
        self.loader = Loader(self.chip, self.flash, self._say, self._start, self._erased)
        self.loader.unplug_after, self.loader.unplugged = self.unplug_after, self._pulled
        self._thread = threading.Thread(target=self._run, name="board")
        self._thread.start()
        return self.port

    def unplug(self) -> None:
        """Pull the board out."""
        self.lives = False
        os.write(self._wake[1], b"x")
        if self._thread and self._thread is not threading.current_thread():
            self._thread.join(10)
        self._stop()

    def close(self) -> None:
        """Pull it out for good."""
        if self.lives or (self._thread and self._thread.is_alive()):
            self.unplug()
        for end in self._wake:
            os.close(end)

    def _erased(self) -> None:
        self.files.unlink(missing_ok=True)

    def _pulled(self) -> None:
        self.lives = False

    def _run(self) -> None:
        if not self._loading:
            self._start()
        with suppress(OSError):
            while self.lives:
                ends = [self._master, self._wake[0], *([self._inner] if self._inner >= 0 else [])]
                for end in select.select(ends, [], [], 5)[0]:
                    self._hear(end)
        os.close(self._master)
        os.close(self._slave)

    def _hear(self, end: int) -> None:
        if end == self._wake[0]:
            os.read(end, 16)
        elif end == self._inner:
            self._from_micropython()
        else:
            self._from_host(os.read(end, 1 << 16))

    def _from_host(self, data: bytes) -> None:
        assert self.loader is not None
        if not self._loading:
            self._noise = b"" if b"\x03" in data else self._noise + data
        if self._noise.count(SYNC) >= IN_VAIN:
            self._stop()
            self._loading, self._noise = True, b""
        if self._loading:
            self.loader.feed(data)
        elif self._inner >= 0 and self._up:
            os.write(self._inner, data)

    def _from_micropython(self) -> None:
        try:
            data = os.read(self._inner, 1 << 14)
        except OSError:  # it has ended: a reset
            data = b""
        self._up = self._up or UP in data
        if data:
            self._say(data.replace(UP, b""))
        elif self.lives:
            self._stop()
            self._start()

    def _say(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            view = view[os.write(self._master, view) :]

    def _start(self) -> None:
        """Boot what is in the flash."""
        offset = 0x1000 if self.chip.name == "ESP32" else 0
        if self.flash[offset] != 0xE9:
            self._say(b"invalid header: 0x%02x%02x%02x%02x\r\n" % tuple(self.flash[offset : offset + 4]))
            return
        self._loading = self._up = False
        self.boots += 1
        self._inner, slave = pty.openpty()
        modes = termios.tcgetattr(slave)
        modes[1] &= ~termios.OPOST
        modes[3] &= ~termios.ECHO  # a UART neither rewrites nor echoes; Ctrl-C still interrupts
        termios.tcsetattr(slave, termios.TCSANOW, modes)
        command = [sys.executable, "-I", "-S", "-c", LAUNCH, self.micropython, "-X", "heapsize=256k"]
        self._process = subprocess.Popen(
            [*command, "-i", str(LIB / "prelude.py"), str(LIB), str(self.files), str(FIRMWARE)],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            env=os.environ | {"GONGI_HARDWARE": json.dumps(self.hardware)},
            start_new_session=True,
        )
        os.close(slave)

    def _stop(self) -> None:
        if self._process:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait(5)
            self._process = None
        if self._inner >= 0:
            os.close(self._inner)
            self._inner = -1
