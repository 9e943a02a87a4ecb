"""A spool on a real LittleFS over a memory that counts and cuts."""

import vfs
from lib.spool import Spool
from sim.ramflash import RamFlash

COLUMNS = (
    ("pm1_cf1", 10),
    ("pm25_cf1", 10),
    ("pm10_cf1", 10),
    ("pm1", 10),
    ("pm25", 10),
    ("pm10", 10),
    ("n03", 1),
    ("n05", 1),
    ("n10", 1),
    ("n25", 1),
    ("n50", 1),
    ("n100", 1),
    ("co2", 1),
    ("temp", 100),
    ("rh", 100),
)


class Random:
    """Reproducible numbers in 31 bits."""

    def __init__(self, seed: int) -> None:
        self.state = seed * 7919 + 12345

    def __call__(self, below: int) -> int:
        self.state = (self.state * 1103515 + 12345) & 0x3FFFFFFF
        return (self.state >> 8) % below

    def row(self) -> list:
        """A noisy row of a dusty room, now and then with values missing."""
        if not self(50):
            return [None] * 12 + [self(3000), -self(500), self(10000)]
        n = 2000 + self(400)
        pm = [120 + self(12), 350 + self(30), 420 + self(40)]
        return (
            pm
            + pm
            + [
                n,
                n // 3,
                n // 12,
                n // 80,
                self(8),
                self(3),
                800 + self(20),
                2150 + self(20),
                4100 + self(60),
            ]
        )


def rows(batch: object) -> list:
    """Return a batch's rows as lists of integers and None."""
    values = list(batch.values())
    return [values[i :: batch.count] for i in range(batch.count)]


def mount(flash: RamFlash, fresh: bool = False) -> None:
    try:
        unmount()
    except OSError:  # nothing was mounted
        pass
    if fresh:
        vfs.VfsLfs2.mkfs(flash)
    vfs.mount(vfs.VfsLfs2(flash), "/ram")


def unmount() -> None:
    vfs.umount("/ram")


def spool(limit: int = 65536, segment: int = 8192, columns: tuple = COLUMNS) -> Spool:
    one = Spool("/ram/spool", columns, limit, segment)
    one.start("test")
    return one


def new(limit: int = 65536, blocks: int = 40) -> tuple:
    flash = RamFlash(blocks)
    mount(flash, True)
    return flash, spool(limit)


def write(spool: Spool, batches: int, random: Random, rows: int = 6) -> dict:
    """Write batches; return their rows by sequence."""
    written = {}
    for _ in range(batches):
        seq = spool.next
        kept = [random.row() for _ in range(rows)]
        spool.begin(seq * 60, None if seq % 7 == 0 else 1763778000 + seq * 60, 10, kept[0])
        for row in kept[1:]:
            spool.add(row)
        spool.close()
        written[seq] = kept
    return written
