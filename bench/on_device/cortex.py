"""Run on the emulated Cortex-M3: the node application with its drivers, from import to a full batch.

The stand-ins for time, select, socket and tls are loaded before the first look and so are left out; asyncio,
which an ESP32 has in its image too, is counted.
"""

import sys

sys.path[:0] = ["/firmware", "/firmware/boot"]

import gc
import time

import psram

START = 1763778000


def used() -> int:
    """Return what is left after a collection."""
    gc.collect()
    gc.collect()
    return gc.mem_alloc()


class Uart:
    """A PMS5003: eleven frames for each sample, as in 10 s."""

    def __init__(self, frame: bytes) -> None:
        self.frame = frame
        self.left = 11

    def read(self) -> bytes | None:
        """Return the next frame, None behind the last."""
        if not self.left:
            self.left = 11
            return None
        self.left -= 1
        return self.frame

    def write(self, data: bytes) -> None:
        """Nothing."""


class I2C:
    """An SCD4x that always has a measurement."""

    def __init__(self, ready: bytes, measured: bytes) -> None:
        self.ready = ready
        self.measured = measured

    def writeto(self, address: int, data: bytes) -> None:
        """Nothing."""

    def readfrom(self, address: int, size: int) -> bytes:
        """Return what was asked for, by its size."""
        return self.ready if size == 3 else self.measured


class Slots:
    """No update is under way."""

    facts = {"receiving": None, "trial": None, "release": 0, "tried": 0, "failed": None}
    on_trial = False
    root = running = ""


class Board:
    """What the node asks of a board."""

    chip = "cortex-m3"
    flash = ""
    wifi = led = utc = crash = None
    cause = "power"
    failures = utc_kept = 0
    slots = Slots()
    turns = {"turn": 0, "turning": None, "turned": None, "trial_s": 0, "ca": None}

    def __init__(self, buses: dict, ticks: object) -> None:
        self._buses = buses
        self.ticks = ticks

    def bus(self, kind: str, name: str, baud: int) -> object:
        """Return the bus."""
        return self._buses[kind]

    def rssi(self) -> None:
        """Without a radio."""

    supply = rssi


CONFIG = {
    "kind": "node",
    "id": "1-2-a",
    "site": "hana",
    "root": "gongi/v1",
    "brokers": [["10.0.0.1", 8883]],
    "sensors": [
        {"type": "pms5003", "serial": "P-0001", "bus": "uart1"},
        {"type": "scd4x", "serial": "S-0001", "bus": "i2c1"},
    ],
    "sample_s": 10,
    "batch_s": 600,
    "spool_bytes": 1 << 20,
}
# What a node that has nothing to mend has loaded besides; the rest is imported for its occasion alone.
COLUMNS = "pm1_cf1 pm25_cf1 pm10_cf1 pm1 pm25 pm10 n03 n05 n10 n25 n50 n100 co2 temp rh"
SELDOM = (
    "lib.turns lib.boots lib.crashes lib.trust lib.seal lib.hello lib.scan lib.info node.info lib.release "
    "lib.commands lib.drivers node.fitting node.resend lib.portal"
)
LAZY = ("lib.start", "lib.care", "lib.lamp", "lib.wifi", "slots")


class Built(Exception):
    """The node has all its parts, and its work would begin now."""


async def held(device: object, *work: object) -> None:
    """Keep the tasks as a running device does."""
    device.work = work
    raise Built


def build(frame: bytes, ready: bytes, measured: bytes) -> object:
    """Return the node, built as its `run` does it, with a clock that is set."""
    from lib.device import Device
    from lib.ticks import Ticks
    from node.app import Node

    board = Board({"uart": Uart(frame), "i2c": I2C(ready, measured)}, Ticks())
    node = Node(CONFIG, board)
    Device.run = held
    try:
        node.run().send(None)
    except Built:
        pass
    return node


def full_batch() -> int:
    """Return what 60 samples of these sensors take as the spool hands them out."""
    from lib.record import pack_row
    from lib.spool import Batch

    # Names that every node has, each value some tens away from the one before.
    columns = tuple((name, 10) for name in COLUMNS.split())
    rows = [[(31 * n + 17 * i) % 97 + 1000 for i in range(15)] for n in range(2)]
    before = used()
    batch = Batch(1, 1, 0, START, 10, columns, bytearray(60 * 15 * 3 // 2))
    for n in range(60):
        batch.take(pack_row(rows[n % 2], rows[1 - n % 2] if n else None), 0)
    return used() - before + 0 * batch.seq


def run(frame: bytes, ready: bytes, measured: bytes) -> object:
    """Print the figures, one a line; return the node."""
    base = used()
    import asyncio

    asyncio.sleep_ms, asyncio.Event, asyncio.open_connection  # noqa: B018 (loads what it loads lazily)
    print("asyncio", used() - base)
    from lib import pms5003, scd4x  # noqa: F401
    from node import app  # noqa: F401

    for name in LAZY:
        __import__(name)
    # What is loaded for its occasion alone leaves its names behind.
    for name in SELDOM.split():
        __import__(name)
        del sys.modules[name]
        package, _, leaf = name.partition(".")
        delattr(sys.modules[package], leaf)
    print("modules", used() - base)
    print("batch", full_batch())
    node = build(frame, ready, measured)
    measure(node, asyncio, base)
    return node


def measure(node: object, asyncio: object, base: int) -> None:
    """Take 60 samples into one batch, then have it on the sheet as it goes out."""
    from lib import wire

    sampler, spool, pipe = node.sampler, node.spool, node.device.client._pipe
    asyncio.run(node.sensors.start(node.device.clock.up()))
    time.sleep_ms(40000)
    asyncio.run(node.sensors.row())
    node.device.clock.offer(START)
    ticks = 0
    for n in range(60):
        gc.collect()
        psram.start_timer()
        row = asyncio.run(node.sensors.row())
        sampler._due = 40 + 10 * n
        sampler._keep(row)
        ticks += psram.elapsed()
    seq = spool.end - 1
    gc.collect()
    psram.start_timer()
    batch = spool.read(seq)
    for pipe.to in (None, len):  # counted, then passed on, as `send` does it
        pipe.total = 0
        wire.batch(pipe, spool.log, batch)
    ticks += psram.elapsed()
    print("built", used() - base)
    print("rows", batch.count, "bytes", pipe.total, "columns", len(batch.columns))
    print("instructions", ticks * 40 // 60)
