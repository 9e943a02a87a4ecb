"""Cutting a table into the batches that its nodes would have sent: the same table, the same batches."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from itertools import pairwise

import numpy as np

from edge.network import Network, Node
from edge.problem import Problem
from edge.quantity import QUANTITIES
from edge.readings import SECOND, Array
from edge.wire import MAX_BYTES, MAX_SAMPLES
from gateway.network.of_table import step_of
from gateway.network.shape import meant
from gateway.table import Table

HINT = "gongi replay TABLE --write-network FILE writes a network file for it"


NAMED = f"name the columns by quantity: {', '.join(QUANTITIES)}"


class ReplayError(Problem):
    """A table can't be replayed as that network."""


@dataclass(frozen=True, slots=True)
class Batch:
    """One message: when its first and newest samples were taken [s UTC], how many it holds, its bytes."""

    first: int
    newest: int
    samples: int
    payload: bytes


@dataclass(frozen=True, slots=True)
class Spool:
    """All that one node of the table ever sends, batch `seq` at position `seq - 1`."""

    node: Node
    site: str
    log: str
    batches: tuple[Batch, ...]


@dataclass(frozen=True, slots=True)
class Cut:
    """A table cut up: its spools; the numeric columns left out; devices without any measured quantity; rows
    within the second of the one before, which the wire can't tell apart."""

    spools: tuple[Spool, ...]
    left_out: tuple[str, ...]
    silent: tuple[str, ...]
    same_second: int

    @property
    def samples(self) -> int:
        """How many samples all spools hold."""
        return sum(batch.samples for spool in self.spools for batch in spool.batches)

    @property
    def batches(self) -> int:
        """How many batches all spools hold."""
        return sum(len(spool.batches) for spool in self.spools)


def cut(table: Table, network: Network) -> Cut:
    """Every node's batches; raises `ReplayError` where the table has devices that the network lacks."""
    if not len(table):
        raise ReplayError("the table has no rows", table.name)
    _known(table, network)
    left_out = tuple(name for name in table.numbers if name not in QUANTITIES)
    spools: list[Spool] = []
    silent: list[Spool] = []
    same = 0
    for code in np.unique(table.device.code):
        rows = table.take(table.device.code == code)
        single = np.diff(rows.time // SECOND, prepend=-1) != 0
        spool = _spool(table, rows.take(single), network.nodes[table.device.names[code]])
        same += int((~single).sum())
        (spools if spool.batches else silent).append(spool)
    if not spools:
        found = ", ".join([*table.numbers, *table.notes.unknown]) or "none"
        raise ReplayError(f"no column with numbers of a quantity; columns: {found}", table.name, NAMED)
    return Cut(tuple(spools), left_out, tuple(spool.node.id for spool in silent), same)


def _known(table: Table, network: Network) -> None:
    there = [table.device.names[code] for code in np.unique(table.device.code)]
    strangers = [name for name in there if name not in network.nodes]
    if strangers:
        known = meant(strangers[0], sorted(network.nodes))
        listed = ", ".join(strangers[:10]) + (", …" if len(strangers) > 10 else "")
        raise ReplayError(f"not in the network file: {listed}; a node there is {known}", table.name, HINT)


def _spool(table: Table, rows: Table, node: Node) -> Spool:
    columns = {name: v for name, v in rows.numbers.items() if name in QUANTITIES and not np.isnan(v).all()}
    log = sha256(f"{table.hash} {node.id}".encode()).hexdigest()[:8]
    batches = tuple(_batches(rows.time // SECOND, columns, node, log)) if columns else ()
    return Spool(node, node.placements[-1].site, log, batches)


def _batches(seconds: Array, columns: dict[str, Array], node: Node, log: str) -> Iterator[Batch]:
    dt = step_of(seconds * SECOND) if seconds.size > 1 else min(node.sample_s, 86_400)
    most = int(np.clip(node.batch_s // dt, 1, MAX_SAMPLES))
    cells = {name: [_number(value) for value in values.tolist()] for name, values in columns.items()}
    seq = 1
    for start, end in _runs(seconds, dt, most):
        head = {"log": log, "boot": 1, "dt": dt}
        for first, last, payload in _fitting(head, seq, seconds, cells, start, end):
            yield Batch(int(seconds[first]), int(seconds[last - 1]), last - first, payload)
            seq += 1


def _runs(seconds: Array, dt: int, most: int) -> Iterator[tuple[int, int]]:
    """First and behind-last row of each run of equal steps, at most `most` rows long."""
    edges = [0, *(np.flatnonzero(np.diff(seconds) != dt) + 1).tolist(), int(seconds.size)]
    for start, end in pairwise(edges):
        yield from ((at, min(at + most, end)) for at in range(start, end, most))


def _fitting(
    head: dict[str, object],
    seq: int,
    seconds: Array,
    cells: dict[str, list[float | None]],
    start: int,
    end: int,
) -> Iterator[tuple[int, int, bytes]]:
    """The rows as one message, or as two halves where that is longer than the wire allows."""
    begun = int(seconds[start])
    order = {"log": head["log"], "seq": seq, "boot": head["boot"], "up": begun - int(seconds[0]), "t0": begun}
    body = {name: values[start:end] for name, values in cells.items()}
    payload = json.dumps({**order, "dt": head["dt"], **body}, separators=(",", ":")).encode()
    if len(payload) <= MAX_BYTES or end - start == 1:
        yield start, end, payload
        return
    middle = (start + end) // 2
    left = list(_fitting(head, seq, seconds, cells, start, middle))
    yield from left
    yield from _fitting(head, seq + len(left), seconds, cells, middle, end)


def _number(value: float) -> float | None:
    if np.isnan(value):
        return None
    return int(value) if value.is_integer() else value
