"""The content hash of a stored batch, found when its name comes again."""

from collections.abc import Callable, Collection, Iterable
from functools import lru_cache

import msgspec
import numpy as np

from gateway.journal import Journal
from gateway.ledger import Header

Name = tuple[str, int, int]
"""(node, log, seq)."""

RECENT = 200
"""Redeliveries after a restart concern the newest blocks: these are looked through first."""


class Doubles:
    """Looks batches up in the headers of the journal's blocks, the newest first."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._header = lru_cache(maxsize=2 * RECENT)(self._decoded)

    def hashes(self, wanted: Collection[Name], start: int, end: int) -> dict[Name, int]:
        """The stored hashes of those batches; `start`, `end` [ns] bound their sample times where known."""
        found: dict[Name, int] = {}
        searches: tuple[Callable[[], Iterable[int]], ...] = (
            lambda: self._journal.heads("readings", RECENT),
            lambda: self._journal.covering(start, end),
            lambda: self._journal.heads("readings", -1),
        )
        for search in searches:
            self._look(search(), set(wanted), found)
            if len(found) == len(wanted):
                break
        return found

    def _look(self, blocks: Iterable[int], wanted: set[Name], found: dict[Name, int]) -> None:
        numbers = np.array(sorted({seq for _, _, seq in wanted}), np.int64)
        for block in blocks:
            if len(found) == len(wanted):
                return
            head = self._header(block)
            seq = head.array("seq")
            for at in np.flatnonzero(np.isin(seq, numbers)).tolist():
                name = (head.nodes[head.array("node")[at]], int(head.array("log")[at]), int(seq[at]))
                if name in wanted:
                    found.setdefault(name, int(head.array("hash")[at]))

    def _decoded(self, block: int) -> Header:
        return msgspec.msgpack.decode(self._journal.header(block), type=Header)
