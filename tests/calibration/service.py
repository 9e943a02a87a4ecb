"""A gateway's folder filled without a broker: samples judged, calibrated and committed as the river does."""

from collections.abc import Sequence
from pathlib import Path

import msgspec
import numpy as np

from edge.readings import SECOND, Array, Clock, Column, Readings
from gateway import versions
from gateway.archive import HOUR, Archive
from gateway.block import Draft
from gateway.drafts import readings_draft
from gateway.history import History
from gateway.journal import Journal
from gateway.ledger import header
from gateway.network import load
from gateway.revision import Judge, judge_again

BEGIN = 1_767_225_600 // 3600 * 3600
"""2026-01-01 00:00 UTC [s]."""
SITE = '[[site]]\nid = "hana"\nlat = 37.5\nlon = 127.0\n[[site.room]]\nid = "1-1"\nvolume = 180\n'


def node_text(id: str, place: str = 'placement = "outdoor"', sample_s: int = 3600) -> str:
    return f"""[[node]]
id = "{id}"
sample_s = {sample_s}
batch_s = {sample_s}
placed = [{{since = 2020-01-01, site = "hana", {place}}}]
fitted = [{{since = 2020-01-01, sensors = [{{type = "pms5003", serial = "P-{id}"}},
    {{type = "scd4x", serial = "S-{id}"}}]}}]
"""


def samples(node: str, pm25: Array, dt: int, log: int = 1, begin: int = BEGIN) -> Readings:
    """One batch a sample, `dt` [s] apart."""
    size = pm25.size
    whole = np.zeros(size, np.int64)
    steady = {
        "rh": np.full(size, 50.0) + np.arange(size) % 7,
        "temp": np.full(size, 10.0) + np.arange(size) % 5,
    }
    return Readings(
        nodes=(node,), cals=("",), node=whole.astype(np.int32), log=np.full(size, log, np.uint32),
        seq=np.arange(size), row=whole.astype(np.int16), time=(begin + dt * np.arange(size)) * SECOND,
        boot=whole + 1, up=np.arange(size) * dt, dt=whole + dt, hash=np.arange(size).astype(np.uint64),
        clock=np.full(size, Clock.OWN, np.uint8), cal=whole.astype(np.int32),
        columns={name: Column.of_raw(cells) for name, cells in {"pm25": pm25, **steady}.items()},
    )  # fmt: skip


class Folder:
    """A gateway's folder under one network file."""

    def __init__(self, path: Path, network: Path) -> None:
        self.path, self.file = path, network
        self.journal = Journal(path / "journal.sqlite")
        self.history = History(self.journal, Archive(path / "archive", self.journal))
        self.enter()

    def enter(self) -> None:
        """Put the network file in force as it is, whatever it says of the past."""
        self.network = load(self.file)
        versions.enter(self.journal, self.network, self.file, 1)

    def fill(self, series: Sequence[Readings], days: int = 1) -> None:
        """Store each series in blocks of so many days."""
        for rows in series:
            judge = Judge.new()
            block = rows.time // (days * 24 * HOUR)
            for number in np.unique(block).tolist():
                part = rows.take(np.flatnonzero(block == number))
                seen, judge = judge_again(part, judge, self.network)
                head = msgspec.msgpack.encode(header(seen))
                drafts: list[Draft] = readings_draft(seen, int(seen.time[-1]), head)
                self.journal.commit(int(seen.time[-1]), drafts)

    def stored(self) -> Readings:
        return self.history.read(0, 2**62)

    def close(self) -> None:
        self.journal.close()
