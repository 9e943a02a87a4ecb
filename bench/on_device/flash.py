"""Run on MicroPython: what a node writes to flash in a day, on a LittleFS over a memory that counts."""

import sys

sys.path[:0] = sys.argv[1:]

import vfs
from lib.kept import Kept
from lib.spool import Spool
from memory import COLUMNS, Random
from sim.ramflash import RamFlash

DAYS = 2
# Full after a day, so that on the second old segments go, as they do in a spool of any size.
SPOOL_BYTES = 1 << 18
# An ESP32 with 4 MB has a larger file system: here a block wears faster.
BLOCKS = 320


def hour(spool: Spool, kept: Kept, random: Random, begins: int) -> None:
    """Write an hour of samples in batches of a minute, then the facts that a node keeps hourly."""
    for minute in range(60):
        spool.begin(begins + 60 * minute, 1763778000 + begins + 60 * minute, 10, random.row())
        for _ in range(5):
            spool.add(random.row())
        spool.close()
    for fact in ("hours", "utc"):
        kept.facts = {fact: begins}
        kept.store()


def main() -> None:
    """Fill the spool for a day and count the next, in which old segments go."""
    flash = RamFlash(BLOCKS)
    vfs.VfsLfs2.mkfs(flash)
    vfs.mount(vfs.VfsLfs2(flash), "/ram")
    spool = Spool("/ram/spool", COLUMNS, SPOOL_BYTES)
    spool.start("power")
    kept, random = Kept("/ram/kept.json"), Random(3)
    for n in range(24 * DAYS):
        if n == 24 * (DAYS - 1):
            erases, programs = flash.erases, flash.programs
        hour(spool, kept, random, 3600 * n)
    print(flash.erases - erases, flash.programs - programs, BLOCKS)


main()
