"""What nodes live through, and what of it reaches the gateway: strategies and the truth beside them."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import numpy as np
from hypothesis import strategies as st

from edge.check import evaluate
from edge.network import Network
from edge.readings import SECOND, UNTIMED, Readings, concat
from edge.wire import decode

START = 1_763_600_000
"""2025-11-20 00:53:20 UTC [s]: the first boot's first second."""
DT = 600
VALUES = (10, 12.5, 400, -1, 0, 998, None)


@dataclass(frozen=True, slots=True)
class Batch:
    """A batch as its node made it; `begun` is the UTC second at which its boot began by the clock of then,
    `t0` what it says (None: its boot had no clock then), `true` whether that is possible."""

    node: str
    log: int
    seq: int
    boot: int
    up: int
    t0: int | None
    true: bool
    begun: int
    values: tuple[float | None, ...]

    @property
    def name(self) -> tuple[str, int, int]:
        """(node, log, seq)."""
        return self.node, self.log, self.seq

    @property
    def message(self) -> tuple[str, bytes]:
        """Topic below the site, and payload."""
        head = {"log": f"{self.log:08x}", "seq": self.seq, "boot": self.boot, "up": self.up, "t0": self.t0}
        return f"{self.node}/obs", json.dumps({**head, "dt": DT, "pm25": self.values}).encode()

    def clocked(self) -> "Batch":
        """The same sent again once its boot has a clock."""
        return replace(self, t0=self.begun + self.up, true=True)


@dataclass(frozen=True, slots=True)
class Life:
    """One node's batches in the order in which it made them."""

    batches: tuple[Batch, ...]


@st.composite
def lives(draw: st.DrawFn, node: str) -> Life:
    """A node switched on a few times: power cuts before its clock is set, erased flash, wrong times."""
    batches: list[Batch] = []
    second, log, seq = START + draw(st.integers(0, 3)) * 7, 1, 0
    for boot in range(1, draw(st.integers(1, 4)) + 1):
        if boot > 1 and draw(st.integers(0, 3)) == 0:
            log, seq = log + 1, 0
        count = draw(st.integers(1, 4))
        clock = draw(st.sampled_from((0, 0, 1, 2, None)))
        up = draw(st.integers(0, 50))
        for number in range(count):
            seq += 1
            values = tuple(draw(st.lists(st.sampled_from(VALUES), min_size=1, max_size=8)))
            # A clock that is set anew moves its boot's begin by a second.
            begun = second + draw(st.sampled_from((0, 0, 0, 1)))
            t0, true = (None, True) if clock is None or number < clock else (begun + up, True)
            if draw(st.integers(0, 9)) == 0:
                t0, true = draw(st.sampled_from((1234, 946_684_900, 4_000_000_000))), False
            batches.append(Batch(node, log, seq, boot, up, t0, true, begun, values))
            up += len(values) * DT + draw(st.sampled_from((0, 0, 3 * 3600)))
        second += up + draw(st.integers(60, 7200))
    return Life(tuple(batches))


def deliveries(lived: Iterable[Life]) -> st.SearchStrategy[list[Batch]]:
    """Everything in any order, some of it twice, some of the doubles with the time that they lacked."""
    batches = [batch for life in lived for batch in life.batches]
    again = st.lists(st.sampled_from(batches), max_size=4)
    told = [batch.clocked() for batch in batches if batch.t0 is None]
    clocked = st.lists(st.sampled_from(told), max_size=2) if told else st.just([])
    return st.tuples(again, clocked).flatmap(lambda more: st.permutations([*batches, *more[0], *more[1]]))


def truth(delivered: Iterable[Batch], network: Network) -> Readings:
    """Each sample once, at the time that its batch brought or else its boot's lowest sequence with a clock
    tells, flagged by one pass over the sorted rows."""
    delivered = list(delivered)
    told = sorted((b for b in delivered if b.t0 is not None and b.true), key=lambda b: -b.seq)
    known = {(b.node, b.log, b.boot): b.begun for b in told}
    first = {batch.name: batch for batch in reversed(delivered)}
    rows = concat([_rows(batch, known) for batch in first.values()])
    timed = rows.take(rows.timed())
    return concat([evaluate(timed.take(timed.order()), network), evaluate(rows.take(~rows.timed()), network)])


def _rows(batch: Batch, known: Mapping[tuple[str, int, int], int]) -> Readings:
    topic, payload = batch.message
    rows = decode([batch.node], [topic], [payload], None).readings
    own = batch.t0 is not None and batch.true
    begun = batch.begun if own else known.get((batch.node, batch.log, batch.boot))
    if begun is None:
        return replace(rows, time=np.full(len(rows), UNTIMED))
    return replace(rows, time=(begun + batch.up + rows.row.astype(np.int64) * DT) * SECOND)
