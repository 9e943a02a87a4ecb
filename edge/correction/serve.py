"""Which of a network's setups a fitted model corrects, and the rows of a block by it."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from edge.assign import Setup
from edge.correction.inputs import lowest
from edge.correction.memory import Passing
from edge.correction.model import Correction
from edge.correction.stream import Kind, Past, Stack
from edge.readings import Array, Column, Flag, Readings
from edge.verdict import Test

BEYOND = np.uint32(Test.BEYOND)
"""An input lies outside the range that the calibration's fit has seen, or is missing."""


def modelled(setups: Sequence[Setup]) -> Mapping[str, "Modelled"]:
    """What models correct in these setups, by quantity."""
    quantities = {
        quantity
        for setup in setups
        for quantity, entry in setup.calibrations.items()
        if entry.correction is not None
    }
    return {quantity: Modelled(setups, quantity) for quantity in sorted(quantities)}


class Modelled:
    """The setups of a network in which a fitted model corrects one quantity."""

    def __init__(self, setups: Sequence[Setup], quantity: str) -> None:
        kinds: dict[Kind, tuple[int, dict[str, tuple[int, Correction]]]] = {}
        self._stack = np.full(len(setups), -1)
        self._member = np.zeros(len(setups), np.int64)
        # gain, offset and u of the entry, and since when the sensor has stood there
        self._entry = np.tile(np.array([1.0, 0.0, 0.0]), (len(setups), 1)).T
        self._since = np.zeros(len(setups), np.int64)
        for code, setup in enumerate(setups):
            entry = setup.calibrations.get(quantity)
            if entry is None or entry.correction is None:
                continue
            self._stack[code], alike = kinds.setdefault(Stack.kind(entry.correction), (len(kinds), {}))
            one = alike.setdefault(entry.correction.id, (len(alike), entry.correction))
            self._member[code] = one[0]
            self._entry[:, code] = entry.gain, entry.offset, entry.u
            self._since[code] = setup.stood
        self.quantity = quantity
        self.stacks = [Stack([one for _, one in alike.values()]) for _, alike in kinds.values()]

    @property
    def corrections(self) -> Iterator[Correction]:
        """All of its models."""
        return (one for stack in self.stacks for one in stack.members)

    def over(self, column: Column, readings: Readings, codes: Array, passing: Passing | None) -> Column:
        """The column with the rows that a model corrects."""
        for number, stack in enumerate(self.stacks):
            mine = (self._stack[codes] == number) & ~np.isnan(column.raw)
            if mine.any():
                rows = slice(None) if mine.all() else np.flatnonzero(mine)
                column = self._over(column, stack, readings, rows, codes, passing)
        return column

    def _over(
        self,
        column: Column,
        stack: Stack,
        readings: Readings,
        rows: Array | slice,
        codes: Array,
        passing: Passing | None,
    ) -> Column:
        code = codes[rows]
        # A row that stands nowhere isn't among those that pass the memory.
        place = rows if codes.all() else np.cumsum(codes != 0)[rows] - 1
        past = Past(passing, place, readings.time[rows], self._since[code])
        done = stack.apply(readings, rows, self._member[code], past)
        gain, offset, own = self._entry[:, code]
        changed = column.map(np.copy)
        floor = lowest(self.quantity)
        changed.value[rows] = np.maximum(gain * done.value + offset, floor)
        known = np.isfinite(done.u)
        doubt = np.where(
            known, np.hypot(gain * np.where(known, done.u, 0), own), np.where(own > 0, own, column.u[rows])
        )
        changed.u[rows] = np.where(np.isnan(done.value), np.nan, doubt)
        if not done.outside.any():
            return changed
        beyond = np.arange(codes.size)[rows][done.outside]
        changed.tests[beyond] |= BEYOND
        changed.flag[beyond] = np.where(column.flag[beyond] == Flag.GOOD, Flag.SUSPECT, column.flag[beyond])
        return changed
