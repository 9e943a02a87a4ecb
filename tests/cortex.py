"""An emulated Cortex-M3 with MicroPython on it, at the end of a serial line."""

import os
import re
import subprocess
import tempfile
import time
from types import TracebackType

from firmware.toolkit.ports import Line, Port, opened
from firmware.toolkit.repl import Repl

WAIT_S = 20


class Cortex:
    """A board of QEMU; `repl` is our own raw REPL client on its pty. It ends with the `with` block."""

    def __init__(self, image: str) -> None:
        self.image = image
        self._log = tempfile.TemporaryFile("w+b")  # noqa: SIM115 (it lives as long as the board)

    def __enter__(self) -> "Cortex":
        words = ["qemu-system-arm", "-machine", "mps2-an385", "-nographic", "-monitor", "null"]
        words += ["-semihosting", "-icount", "shift=0,sleep=off", "-serial", "pty", "-kernel", self.image]
        self.process = subprocess.Popen(
            words, stdin=subprocess.DEVNULL, stdout=self._log, stderr=subprocess.STDOUT
        )
        self._opened = opened(Port(self._pty()))
        self.line: Line = self._opened.__enter__()
        self.repl = Repl(self.line, "the Cortex-M3")
        self.repl.enter()
        self.repl.run("import psram\npsram.mount(True)\n")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._opened.__exit__(None, None, None)
        self.process.kill()
        self.process.wait(10)
        self._log.close()

    def _pty(self) -> str:
        deadline = time.monotonic() + WAIT_S
        while time.monotonic() < deadline and self.process.poll() is None:
            said = os.pread(self._log.fileno(), 4096, 0).decode()
            if found := re.search(r"redirected to (/dev/\S+)", said):
                return found[1]
            time.sleep(0.02)
        said = os.pread(self._log.fileno(), 4096, 0).decode()
        raise RuntimeError(f"QEMU doesn't run: {said}")

    def restart(self) -> None:
        """Begin anew with an empty heap; the file system stays."""
        self.line.write(b"\x04")
        self.repl.enter()
        self.repl.run("import psram\npsram.mount()\n")
