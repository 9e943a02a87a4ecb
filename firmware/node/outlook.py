"""The last minutes of the columns that a node's model looks at, and a forecast at each minute's end.

Only this stays in memory: the model itself is read, asked and let go.
"""

import gc
from array import array

from lib.seldom import call
from micropython import const

# A place without a mean, as `lib.predict` knows it.
_NONE = const(-1073741824)
_MINUTE_S = const(60)


def begin(node: object, path: str) -> object:
    """Return the outlook by the model of this file."""
    return Outlook(node, path)


class Outlook:
    """Minute means as a model's columns have them (`cells`, newest first, whole multiples of 2**-bits)."""

    def __init__(self, node: object, path: str) -> None:
        self.device = node.device
        self.path = path
        self.dt = node.sampler.dt
        self.unsaid = 0  # minutes for which no forecast could be made
        self.cells: list = []
        self._columns: list = []  # of each: place in the row, scale, bits; None: not measured
        self._sums: list = []
        self._minute = self._offset = 0
        try:
            self.model, depth, columns = call("node.forecast", "sight", path)
        except (ValueError, OSError, MemoryError) as error:
            self.model, depth, columns = "%s" % error, 0, ()
        measured = [name for name, _ in node.sensors.columns]
        for name, bits in columns:
            name = name if name in measured else name + "_a"
            here = name in measured
            place = measured.index(name) if here else 0
            self._columns.append((place, node.sensors.columns[place][1], bits) if here else None)
            self.cells.append(array("i", [_NONE] * (depth if here else 0)))
            self._sums.append([0, 0])

    def facts(self) -> tuple:
        """Return what `info` says of it: the model's id, or why it is none, and the minutes it failed in."""
        return (("model", self.model), ("unsaid", self.unsaid))

    def take(self, up: int, row: list) -> None:
        """Take the row of uptime `up` [s]; the last of a minute is looked ahead from."""
        if not self.cells:
            return
        second = self._second(up)
        self._turn(second // _MINUTE_S)
        for column, sums in zip(self._columns, self._sums):
            value = row[column[0]] if column else None
            if value is not None:  # in 1/1024, rounded as the gateway does it
                sums[0] += (2048 * value + column[1]) // (2 * column[1])
                sums[1] += 1
        known = self._columns[0] and row[self._columns[0][0]] is not None
        if known and (second + self.dt) // _MINUTE_S > self._minute:
            self._fold()
            self._look(up)

    def _second(self, up: int) -> int:
        """Return UTC, or the uptime as long as it is unknown; what is held moves with the clock."""
        offset = self.device.clock.offset or 0
        self._minute += (offset - self._offset + _MINUTE_S // 2) // _MINUTE_S
        self._offset = offset
        return up + offset

    def _turn(self, minute: int) -> None:
        """Begin a minute: what is held grows older by those that went by."""
        passed = minute - self._minute
        if passed <= 0:
            return
        self._fold()
        self._minute = minute
        for cells, sums in zip(self.cells, self._sums):
            for place in range(len(cells) - 1, -1, -1):
                cells[place] = cells[place - passed] if place >= passed else _NONE
            sums[:] = 0, 0

    def _fold(self) -> None:
        """Have this minute's means in the cells: halves to the even, as the gateway rounds."""
        for cells, column, (total, count) in zip(self.cells, self._columns, self._sums):
            if count:
                shift = 10 - column[2]
                total, one = (total, count << shift) if shift >= 0 else (total << -shift, count)
                mean, rest = divmod(total, one)
                cells[0] = mean + (2 * rest > one or (2 * rest == one and mean & 1))

    def _look(self, up: int) -> None:
        gc.collect()  # what is loaded now finds the heap in one piece
        try:
            call("node.forecast", "say", self, up)
        except (ValueError, OSError, MemoryError):
            self.unsaid += 1
        gc.collect()
