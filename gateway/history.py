"""One series out of archive and journal: what console, training, reports and recomputation read."""

from collections.abc import Collection, Iterable, Sequence
from functools import lru_cache

import numpy as np

from edge.readings import Array, Readings, concat
from gateway.archive import Archive
from gateway.journal import Journal
from gateway.pack import unpack

SMALL = 16_384
"""Bytes of a packed block that is worth keeping unpacked."""

REWRITES = 5
"""How often an archive file may be replaced under a reader before that counts as a missing file."""


class History:
    """All samples ever stored, each once, in its newest revision."""

    def __init__(self, journal: Journal, archive: Archive) -> None:
        self._journal = journal
        self._archive = archive
        self._small = lru_cache(maxsize=4096)(unpack)

    def read(self, start: int, end: int, nodes: Collection[str] | None = None) -> Readings:
        """The samples with time in [start, end) ns of those nodes (None: all), by node and time."""
        for _ in range(REWRITES):
            try:
                return self._read(start, end, nodes)
            except FileNotFoundError:
                pass  # rewritten meanwhile: the manifest names its successor now
        return self._read(start, end, nodes)

    def _read(self, start: int, end: int, nodes: Collection[str] | None) -> Readings:
        with self._journal.reading():
            files = self._archive.files(start, end)
            blocks = self._journal.touching(start, end)
            fresh = [(self._unpack(block), block) for block in blocks]
        parts = [self._archive.load(name) for name in files]
        parts += [(rows, np.full(len(rows), block)) for rows, block in fresh]
        kept = newest([(_of(rows, nodes, revision)) for rows, revision in parts])[0]
        return by_name(kept.take((kept.time >= start) & (kept.time < end)))

    def blocks(self, numbers: Iterable[int], revisions: Iterable[int] = ()) -> tuple[Readings, Array]:
        """The rows of those blocks, each as the newest of `revisions` has it, and their revisions."""
        parts = [(rows, np.full(len(rows), one)) for one in numbers for rows in [self._unpack(one)]]
        names = {node for rows, _ in parts for node in rows.nodes}
        later = [(rows, np.full(len(rows), one)) for one in revisions for rows in [self._unpack(one)]]
        return newest([*parts, *(_of(rows, names, number) for rows, number in later)])

    def _unpack(self, block: int) -> Readings:
        """A block's rows; the many small blocks of a quiet network are kept unpacked, in 250 MB at most."""
        body = self._journal.body(block)
        if body is None:
            return Readings.empty()
        return self._small(body) if len(body) < SMALL else unpack(body)


def _of(rows: Readings, nodes: Collection[str] | None, revision: Array) -> tuple[Readings, Array]:
    if nodes is None:
        return rows, revision
    wanted = np.array([name in nodes for name in rows.nodes] or [False])
    mask = wanted[rows.node]
    return rows.take(mask), revision[mask]


def newest(parts: Sequence[tuple[Readings, Array]]) -> tuple[Readings, Array]:
    """Each sample (node, log, seq, row) once, in its highest revision (block id), and those revisions."""
    rows = concat([part for part, _ in parts])
    if not len(rows):
        return rows, np.zeros(0, np.int64)
    revision = np.concatenate([number for part, number in parts if len(part)])
    order = np.lexsort((revision, rows.row, rows.seq, rows.log, rows.node))
    keys = [getattr(rows, name)[order] for name in ("node", "log", "seq", "row")]
    last = np.ones(order.size, bool)
    last[:-1] = np.any([key[1:] != key[:-1] for key in keys], axis=0)
    kept = order[last]
    return rows.take(kept), revision[kept]


def by_name(rows: Readings) -> Readings:
    """The rows sorted by node name, time, log, sequence and row."""
    rank = np.argsort(np.argsort(np.array(rows.nodes, dtype=object))) if rows.nodes else np.zeros(0, np.int64)
    return rows.take(np.lexsort((rows.row, rows.seq, rows.log, rows.time, rank[rows.node])))
