"""A memory as flash that counts and cuts, for tests."""

import errno

from sim.flash import BLOCK


class PowerCut(Exception):
    """The power was cut during this program or erase."""


class RamFlash:
    """Flash in memory, true to NOR: what is programmed was erased; the power is cut at operation `cut`.

    A cut raises PowerCut through the file system; with `quiet` this operation and all later ones fail.
    """

    def __init__(self, blocks: int, memory: list | None = None) -> None:
        self.memory = memory or [bytearray(b"\xff" * BLOCK) for _ in range(blocks)]
        self.programs = 0
        self.erases = 0
        self.cut = -1
        self.share = 128
        self.dead = False
        self.quiet = False

    @property
    def was_cut(self) -> bool:
        """Whether the power is gone."""
        return self.cut == 0 and self.share == 0

    def after_cut(self) -> "RamFlash":
        """Return the flash as the next boot finds it; finalisers of this one's files write into nothing."""
        other = RamFlash(0, self.memory)
        other.quiet = self.quiet
        other.programs, other.erases = self.programs, self.erases
        self.dead = True
        return other

    def readblocks(self, block: int, buf: bytearray, offset: int = 0) -> None:
        """Read from a block."""
        if self.dead:
            return
        buf[:] = memoryview(self.memory[block])[offset : offset + len(buf)]

    def writeblocks(self, block: int, buf: bytearray, offset: int | None = None) -> int:
        """Program part of a block, only a share of it when the power is cut."""
        if self.dead:
            return 0
        self.programs += 1
        n = self._survives(len(buf))
        memory, start = self.memory[block], offset or 0
        for i in range(n):
            assert memory[start + i] == 0xFF, "programmed without an erase"
        memory[start : start + n] = memoryview(buf)[:n]
        return self._die(n < len(buf))

    def ioctl(self, op: int, arg: int) -> int | None:
        """Answer the file system's questions: 4 block count, 5 block size, 6 erase."""
        if self.dead:
            return 0
        if op == 6:
            self.erases += 1
            n = self._survives(BLOCK)
            self.memory[arg][:n] = b"\xff" * n
            return self._die(n < BLOCK)
        return {4: len(self.memory), 5: BLOCK}.get(op, 0)

    def _survives(self, n: int) -> int:
        if self.cut < 0:
            return n
        if not self.cut:
            return n * self.share // 256
        self.cut -= 1
        return n

    def _die(self, cut: bool) -> int:
        if cut:
            self.share = 0
            if not self.quiet:
                raise PowerCut
        return -errno.EIO if cut else 0
