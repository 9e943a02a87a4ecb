"""The board's 16 MB beside its own memory: flash for a real LittleFS that takes nothing of the heap."""

import uctypes
import vfs
from micropython import const

_AT = const(0x21000000)
_BLOCK = const(4096)
_BLOCKS = const(512)
_TIMER = const(0x40000000)


class Flash:
    """2 MB in blocks of 4 KB; what isn't erased is written over."""

    def readblocks(self, block: int, buf: bytearray, offset: int = 0) -> None:
        """Read from a block."""
        buf[:] = uctypes.bytearray_at(_AT + block * _BLOCK + offset, len(buf))

    def writeblocks(self, block: int, buf: bytearray, offset: int = 0) -> None:
        """Write to a block."""
        uctypes.bytearray_at(_AT + block * _BLOCK + offset, len(buf))[:] = buf

    def ioctl(self, op: int, arg: int) -> int:
        """Answer the file system's questions."""
        return _BLOCKS if op == 4 else _BLOCK if op == 5 else 0


def mount(fresh: bool = False) -> None:
    """Mount the file system as the root."""
    flash = Flash()
    if fresh:
        vfs.VfsLfs2.mkfs(flash)
    vfs.mount(vfs.VfsLfs2(flash), "/")


def start_timer() -> None:
    """Let the board's timer run down from 2^32 - 1, 25 million a second."""
    timer = uctypes.struct(
        _TIMER, {"control": uctypes.UINT32, "value": uctypes.UINT32 | 4, "reload": uctypes.UINT32 | 8}
    )
    timer.control = 0
    timer.reload = timer.value = 0xFFFFFFFF
    timer.control = 1


def elapsed() -> int:
    """Return the timer's ticks since its start: 40 ns each, with `-icount shift=0` 40 instructions."""
    return 0xFFFFFFFF - uctypes.struct(_TIMER, {"value": uctypes.UINT32 | 4}).value
