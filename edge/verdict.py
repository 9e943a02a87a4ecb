"""What quality control says: a flag, and which tests spoke."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import IntFlag

import numpy as np

from edge.readings import Array, Flag


class Test(IntFlag):
    """The tests, and the reasons why none was made (`docs/quality.md`)."""

    __test__ = False  # pytest, this is not yours

    RANGE = 1
    RATE = 1 << 1
    FLAT = 1 << 2
    SPIKE = 1 << 3
    CHANNELS = 1 << 4
    COUNTS = 1 << 5
    WARMING = 1 << 6
    HUMID = 1 << 7
    LATE = 1 << 8
    UNTIMED = 1 << 9
    NOWHERE = 1 << 10
    STAGE_FAILED = 1 << 11
    CLOCK = 1 << 12
    NEIGHBOUR = 1 << 13
    REFERENCE = 1 << 14
    BEYOND = 1 << 15


HOURLY = Test.NEIGHBOUR | Test.REFERENCE
"""The tests of whole hours, in which other devices have a say; they aren't given sample by sample."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """`flag` and `tests` of quantities by rows, of which `lines` and `rows` (None: all) are in question."""

    flag: Array
    tests: Array
    lines: Array | None = None
    rows: Array | None = None

    @classmethod
    def good(cls, quantities: int, rows: int) -> "Verdict":
        """No test has spoken."""
        shape = quantities, rows
        return cls(np.full(shape, Flag.GOOD, np.uint8), np.zeros(shape, np.uint32))

    def about(self, lines: Array, rows: Array | None = None) -> "Verdict":
        """The same, narrowed to some quantities and rows."""
        return replace(self, lines=lines, rows=rows)

    def mark(self, found: Array, flag: Flag, test: Test) -> None:
        """Note a test's finding; a worse flag stays."""
        if not found.any():
            return
        line, row = np.nonzero(found)
        line = line if self.lines is None else self.lines[line]
        row = row if self.rows is None else self.rows[row]
        self.flag[line, row] = np.maximum(self.flag[line, row], flag)
        self.tests[line, row] |= np.uint32(test)

    def rows_of(self, lines: Sequence[int], found: Array, flag: Flag, test: Test) -> None:
        """Note a finding about whole rows in each of these quantities."""
        if lines and found.any():
            self.about(np.array(lines)).mark(np.broadcast_to(found, (len(lines), found.size)), flag, test)
