"""A school of the InfluxDB tests: its network and blocks of its samples."""

from dataclasses import replace

import numpy as np

from edge.network import Actuator, Level, Network, Node, Placement
from edge.readings import SECOND, Column, Flag, Readings
from gateway.block import Draft
from gateway.pack import pack

BEGIN = 1_763_700_000
NODES = tuple(f"1-{number}-a" for number in range(1, 11))
QUANTITIES = ("pm25", "pm10", "rh", "temp")
ROWS = 6


def network(room: str = "1-1", since: int = 0) -> Network:
    """Ten nodes, all in one room from `since` [ns] on, and a purifier."""
    place = (Placement(since, "hana", room, "wall"),)
    purifier = Actuator("p-1", "purifier", "hana", "1-1", (Level(), Level(300.0)))
    return Network("gongi/v1", {}, {name: Node(name, place) for name in NODES}, {"p-1": purifier})


def samples(batches: int, first: int = 1, seed: int = 0) -> Readings:
    """Batches of six samples, calibrated and good, from ten nodes in turn; sequences from `first`."""
    random = np.random.default_rng((seed, first))
    rows = batches * ROWS
    batch, row = np.divmod(np.arange(rows), ROWS)
    seq = first + batch // len(NODES)
    return Readings(
        nodes=NODES,
        cals=("lab-2026",),
        node=(batch % len(NODES)).astype(np.int32),
        log=np.full(rows, 7, np.uint32),
        seq=seq,
        row=row.astype(np.int16),
        time=(BEGIN + seq * 60 + row * 10) * SECOND,
        boot=np.ones(rows, np.int64),
        up=seq * 60,
        dt=np.full(rows, 10),
        hash=np.zeros(rows, np.uint64),
        clock=np.ones(rows, np.uint8),
        cal=np.zeros(rows, np.int32),
        columns={name: good(np.round(random.uniform(0, 90, rows), 1)) for name in QUANTITIES},
    )


def good(raw: np.ndarray) -> Column:
    """A column that passed quality control and was calibrated."""
    flag = np.full(raw.size, Flag.GOOD, np.uint8)
    return replace(Column.of_raw(raw), value=raw * 0.87 + 1.234, u=np.full(raw.size, 2.5), flag=flag)


def draft(readings: Readings, kind: str = "readings", header: bytes = b"") -> Draft:
    """The rows as a block to commit."""
    return Draft(kind, pack(readings), header)
