"""Block devices for the Unix port: a file as flash, and a memory that counts and cuts."""

import os

BLOCK = 4096


class FileFlash:
    """Flash in a file; every program goes straight to the operating system, so that it outlives a SIGKILL."""

    def __init__(self, path: str | None, size: int) -> None:
        self.blocks = size // BLOCK
        self.programs = 0
        self.erases = 0
        # Without a path: a nameless file in the machine's RAM disk, because the heap is an ESP32's.
        name = path or "/dev/shm/gongi-flash-%s" % "".join("%02x" % b for b in os.urandom(8))
        try:
            os.stat(name)
        except OSError:
            open(name, "wb").close()
        self.file = open(name, "r+b")
        if not path:
            os.unlink(name)

    def readblocks(self, block: int, buf: bytearray, offset: int = 0) -> None:
        """Read from a block."""
        self.file.seek(block * BLOCK + offset)
        n = self.file.readinto(buf)
        for i in range(n, len(buf)):
            buf[i] = 0xFF

    def writeblocks(self, block: int, buf: bytearray, offset: int | None = None) -> None:
        """Program part of a block."""
        self.programs += 1
        self.file.seek(block * BLOCK + (offset or 0))
        self.file.write(buf)

    def ioctl(self, op: int, arg: int) -> int | None:
        """Answer the file system's questions: 4 block count, 5 block size, 6 erase."""
        if op == 6:
            self.erases += 1
        return {4: self.blocks, 5: BLOCK}.get(op, 0)


class PowerCut(Exception):
    """The power was cut during this program or erase."""


class RamFlash:
    """Flash in memory, true to NOR: what is programmed was erased; the power is cut at operation `cut`."""

    def __init__(self, blocks: int, memory: list | None = None) -> None:
        self.memory = memory or [bytearray(b"\xff" * BLOCK) for _ in range(blocks)]
        self.programs = 0
        self.erases = 0
        self.cut = -1
        self.share = 128
        self.dead = False

    def after_cut(self) -> "RamFlash":
        """Return the flash as the next boot finds it; the finalisers of files of this one write into nothing."""
        other = RamFlash(0, self.memory)
        other.programs, other.erases = self.programs, self.erases
        self.dead = True
        return other

    def readblocks(self, block: int, buf: bytearray, offset: int = 0) -> None:
        """Read from a block."""
        if self.dead:
            return
        buf[:] = memoryview(self.memory[block])[offset : offset + len(buf)]

    def writeblocks(self, block: int, buf: bytearray, offset: int | None = None) -> None:
        """Program part of a block, only a share of it when the power is cut."""
        if self.dead:
            return
        self.programs += 1
        n = self._survives(len(buf))
        memory, start = self.memory[block], offset or 0
        for i in range(n):
            assert memory[start + i] == 0xFF, "programmed without an erase"
        memory[start : start + n] = memoryview(buf)[:n]
        self._die(n < len(buf))

    def ioctl(self, op: int, arg: int) -> int | None:
        """Answer the file system's questions: 4 block count, 5 block size, 6 erase."""
        if self.dead:
            return 0
        if op == 6:
            self.erases += 1
            n = self._survives(BLOCK)
            self.memory[arg][:n] = b"\xff" * n
            self._die(n < BLOCK)
        return {4: len(self.memory), 5: BLOCK}.get(op, 0)

    def _survives(self, n: int) -> int:
        if self.cut < 0:
            return n
        if not self.cut:
            return n * self.share // 256
        self.cut -= 1
        return n

    def _die(self, cut: bool) -> None:
        if cut:
            self.share = 0
            raise PowerCut
