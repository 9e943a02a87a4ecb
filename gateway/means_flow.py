"""The making of means in the outflow's thread: what is due, a piece of history at a time."""

import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice

from edge.network import Network
from gateway.block import Block
from gateway.history import History
from gateway.journal import Journal
from gateway.means import Tally, lost
from gateway.means_due import KINDS, Due, Key, Work
from gateway.means_index import Memory, known, stretches
from gateway.means_span import HOUR

SNAPSHOT = "means"
"""The snapshot that holds what waits; the journal keeps every block behind it."""
AT_ONCE = 100
"""Blocks that are looked at before it is asked whether to stop."""
LINES = 2000

Gone = tuple[str, Mapping[str, str], int, int]
"""Points to delete: measurement, tags, first and last timestamp [ns]."""


@dataclass(frozen=True, slots=True)
class Made:
    """What a piece of work has to be written: points to delete first, and lines."""

    lines: Sequence[str] = ()
    gone: Sequence[Gone] = field(default_factory=tuple)


class Averaging:
    """Knows which means wait, and makes them; all of it happens in the thread of its caller."""

    def __init__(
        self,
        journal: Journal,
        history: History,
        network: Callable[[], Network],
        moment: Callable[[], float] = time.monotonic,
        hurry: bool = False,
    ) -> None:
        self._journal, self._history, self._network = journal, history, network
        self.due = Due(moment, hurry)
        self._doing: Work = {}
        self._making: Iterator[Made] | None = None
        self._memory = Memory(tuple(dict.fromkeys(q for one in known().values() for q in one.quantities)))

    # -- what waits -------------------------------------------------------------------------------------

    def resume(self, until: int, stopped: Callable[[], bool]) -> None:
        """Know again what waited: the snapshot's, and what the blocks since up to `until` have marked."""
        kept = self._journal.snapshot(SNAPSHOT)
        after = kept[0] if kept else 0
        if kept:
            self.due.load(kept[1])
        while after < until and not stopped():
            found = [one for one in self._journal.blocks(after, KINDS, AT_ONCE) if one.id <= until]
            for block in found:
                self.take(block)
            after = found[-1].id if found else until

    def take(self, block: Block) -> None:
        """Mark what a block changes."""
        if block.kind in KINDS:
            self.due.take(block, self._network())

    def keep(self, until: int) -> None:
        """Write down what waits, all blocks up to `until` having been taken."""
        self._journal.snap(SNAPSHOT, until, self.due.body(self._doing))

    # -- making -----------------------------------------------------------------------------------------

    def step(self, now: int | None) -> Made | None:
        """Do a piece of what is due at `now` [ns UTC]; None where nothing is.

        Who can't write what it gives calls `again`; asking for the next piece says that it is written."""
        if self._making is None:
            self._doing = self.due.next(now)
            if not self._doing or now is None:
                return None
            self._making = self._make(self._doing, now)
        made = next(self._making, None)
        if made is None:
            self._doing, self._making = {}, None
            return Made()
        return made

    def waiting(self, now: int | None) -> int:
        """How many spans have ended and lack their means."""
        return len(self._doing) + sum(key.end <= (now or 0) for key in self.due.waits)

    def again(self) -> None:
        """What was being done waits again."""
        self.due.put_back(self._doing)
        self._doing, self._making = {}, None

    def _make(self, work: Work, now: int) -> Iterator[Made]:
        tally = yield from self._tally(work)
        means = tally.means()
        measurement = next(iter(work)).measurement
        gone = lost(work, means)
        yield Made(means.lines(measurement), list(_gone(gone)))
        if measurement == "air_1h":
            self._memory.learn(work, means)
            yield from self._indices(work, gone, now)

    def _tally(self, work: Work) -> Generator[Made, None, Tally]:
        tally = Tally(work, self._network())
        for low, high, nodes in _pieces(work):
            rows = self._history.read(low, high, nodes)
            if len(rows):
                tally.add(rows)
            yield Made()
        return tally

    def _indices(self, work: Work, lost: set[tuple[Key, str]], now: int) -> Iterator[Made]:
        for one in stretches(work, lost, self._network(), now):
            nodes = sorted({node for names in one.areas.values() for node in names})
            lacking = self._memory.missing(one.zone, one.behind, nodes)
            if lacking:
                tally = yield from self._tally(lacking)
                self._memory.learn(lacking, tally.means())
            gone = [("index", {"site": site}, *span) for site, span in one.gone.items()]
            yield Made((), gone)
            lines = one.lines(self._memory)
            while some := list(islice(lines, LINES)):
                yield Made(some)
        self._memory.forget()


def _gone(lost: set[tuple[Key, str]]) -> Iterator[Gone]:
    """The points that have to go: runs of a node's spans, each from its first start to its last."""
    runs: dict[str, list[Key]] = {}
    for key, node in sorted(lost, key=lambda one: (one[0].zone, one[0].start, one[1])):
        runs.setdefault(node, []).append(key)
    for node, keys in runs.items():
        first = keys[0]
        for one, following in zip(keys, [*keys[1:], None], strict=True):
            if following is None or following.zone != one.zone or following.start != one.end:
                yield one.measurement, {"node": node}, first.start, one.start
                first = following or one


def _pieces(work: Work) -> Iterator[tuple[int, int, set[str]]]:
    """The hours of the archive in which the spans lie, and the nodes that are asked for in each."""
    spans = [(key.start, key.end, wait.nodes) for key, wait in work.items()]
    first, last = min(start for start, _, _ in spans), max(end for _, end, _ in spans)
    for low in range(first // HOUR * HOUR, last, HOUR):
        met = [(start, end, nodes) for start, end, nodes in spans if start < low + HOUR and end > low]
        if met:
            start, end = min(one[0] for one in met), max(one[1] for one in met)
            nodes = {node for _, _, names in met for node in names}
            yield max(low, start), min(low + HOUR, end), nodes
