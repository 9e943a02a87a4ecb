"""The archive: an hour of sample time becomes a Parquet file, entered in the journal's manifest."""

import hashlib
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from edge.readings import SECOND, UNTIMED, Array, Readings
from gateway.journal import Journal
from gateway.pack import from_table, to_batch

HOUR = 3600 * SECOND

SiteOf = Callable[[str, int], str]
"""The site where a node stood at a time [ns]."""


def hours(readings: Readings) -> tuple[int, ...]:
    """The hours (since 1970) in which the timed rows lie."""
    return tuple(np.unique(readings.time[readings.timed()] // HOUR).tolist())


class Archive:
    """The Parquet files under `folder`; a file that isn't in the manifest doesn't exist."""

    def __init__(self, folder: Path, journal: Journal) -> None:
        self._folder = folder
        self._journal = journal

    def files(self, start: int, end: int) -> list[str]:
        """Names of the files with sample times in [start, end) ns."""
        return self._journal.files(start // HOUR, -(-end // HOUR))

    def load(self, name: str) -> tuple[Readings, Array]:
        """A file's rows, and the revision (block id) of each."""
        # Half the time of `read_table`, which builds a data set around each of these small files.
        file = pq.ParquetFile(pa.BufferReader((self._folder / name).read_bytes()))
        table = file.read(use_threads=False)
        return from_table(table), np.asarray(table.column("block"))

    def write(self, hour: int, rows: Readings, revision: Array, site_of: SiteOf) -> tuple[str, str]:
        """Write an hour's file, sorted by site, node and time; its name and SHA-256."""
        sites = np.array([site_of(node, hour * HOUR) for node in rows.nodes] or [""], dtype=object)[rows.node]
        names = np.array(rows.nodes or ("",), dtype=object)[rows.node]
        order = np.lexsort((rows.row, rows.seq, rows.log, rows.time, names, sites))
        table = pa.Table.from_batches([to_batch(rows.take(order))])
        table = table.append_column("block", pa.array(revision[order]))
        table = table.append_column("site", pa.array(sites[order], pa.string()).dictionary_encode())
        stamp = str(np.datetime_as_string(np.datetime64(hour if hour >= 0 else -hour - 1, "h"), unit="h"))
        folder = stamp[:7] if hour >= 0 else "untimed"
        name = f"{folder}/{stamp}.{int(revision.max(initial=0))}.parquet"
        return name, self._durable(name, table)

    def _durable(self, name: str, table: pa.Table) -> str:
        path = self._folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_suffix(".tmp")
        pq.write_table(table, draft, compression="zstd")
        with draft.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
            os.fsync(file.fileno())
        draft.replace(path)
        _sync(path.parent)
        return digest

    def sweep(self) -> int:
        """Remove files that the manifest doesn't name (a crash left them, or a rewrite replaced them)."""
        known = set(self._journal.files(-(1 << 40), 1 << 40))
        stray = [
            p
            for p in self._folder.rglob("*.*")
            if str(p.relative_to(self._folder)) not in known and p.is_file()
        ]
        for path in stray:
            path.unlink()
        return len(stray)


def _sync(folder: Path) -> None:
    number = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)


def in_hour(rows: Readings, hour: int) -> Array:
    """Mask of the rows whose sample time lies in that hour since 1970."""
    return np.asarray((rows.time != UNTIMED) & (rows.time // HOUR == hour))
