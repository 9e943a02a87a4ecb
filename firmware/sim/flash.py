"""A file as flash, for the Unix port."""

import os

import vfs

BLOCK = 4096


class FileFlash:
    """Flash in a file; every program goes straight to the operating system, so that it outlives a SIGKILL."""

    def __init__(self, path: str | None, size: int) -> None:
        self.blocks = size // BLOCK
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
        self.file.seek(block * BLOCK + (offset or 0))
        self.file.write(buf)

    def ioctl(self, op: int, arg: int) -> int | None:
        """Answer the file system's questions: 4 block count, 5 block size; an erase is nothing here."""
        return {4: self.blocks, 5: BLOCK}.get(op, 0)


def mount(sim: dict, path: str) -> None:
    """Mount the flash that a configuration's `sim` names, formatted where it is new."""
    device: object = FileFlash(sim.get("flash"), sim.get("flash_bytes", 1310720))
    try:
        vfs.mount(vfs.VfsLfs2(device), path)  # type: ignore[abstract]  # the stub asks for what C has
    except OSError:  # nothing there yet
        vfs.VfsLfs2.mkfs(device)
        vfs.mount(vfs.VfsLfs2(device), path)  # type: ignore[abstract]  # the stub asks for what C has
