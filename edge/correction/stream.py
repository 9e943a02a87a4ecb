"""Corrections in the stream: many sensors' at once, block by block, as their hourly fit means them.

A sample is corrected by its own raw values; what a term or the spread asks of the hours before is the node's
means of those whole steps (`edge.correction.memory`). The `shift` of a fit stays out: it says that the
reference's clock was late, and a sample keeps its own time.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from edge.correction.inputs import Inputs, lowest
from edge.correction.memory import Passing, Track
from edge.correction.model import BEYOND, Z90, Correction, circumstance, follow, published
from edge.correction.published import PUBLISHED
from edge.correction.term import TERMS, needed, steps
from edge.limits import WINDOW
from edge.readings import SECOND, Array, Readings

WEIGHTS = 6
"""Circumstances that the size of an error depends on."""
CLIMATE: Mapping[str, float] = {"rh": 50.0, "temp": 15.0}
"""What stands for an input [unit] that is missing and whose range no fit has said."""

Kind = tuple[str, str, tuple[str, ...], int]
"""What corrections that are worked out together have in common: quantity, kind, terms and step."""


def reach(correction: Correction) -> int:
    """How many steps back a stream needs for a correction; one for the spread where that isn't too long."""
    back = steps(correction.terms)
    near = 2 * correction.step <= WINDOW * SECOND
    return max(back, 1) if correction.spread is not None and near else back


def too_far(correction: Correction) -> bool:
    """Whether it looks further back than a stream does."""
    back = steps(correction.terms)
    return back > 0 and (back + 1) * correction.step > WINDOW * SECOND


def tracks(corrections: Iterable[Correction]) -> dict[Track, int]:
    """What a memory has to hold for them: the depth of each track."""
    depth: dict[Track, int] = {}
    for one in corrections:
        back = reach(one)
        names = {
            name for term in one.terms for name in needed(term, one.quantity) if name[-2:] in ("_a", "_b")
        }
        for name in (one.quantity, *sorted(names)) if back else ():
            depth[name, one.step] = max(depth.get((name, one.step), 0), back + 1)
    return depth


@dataclass(frozen=True, slots=True)
class Done:
    """Corrected rows: `value` and standard uncertainty `u` [unit; NaN: the correction has none], and which
    have an input `outside` the range that their fit has seen, or none."""

    value: Array
    u: Array
    outside: Array


class Stack:
    """Corrections of one kind, stacked: a row says by its `member` which one it wants."""

    def __init__(self, members: Sequence[Correction]) -> None:
        self.members = tuple(members)
        first = members[0]
        self.quantity, self.terms, self.step = first.quantity, first.terms, first.step
        self.tracks = tracks(members)
        self._weights = np.array([one.weights for one in members]).reshape(len(members), len(self.terms))
        self._intercept = np.array([one.intercept for one in members])

    @staticmethod
    def kind(one: Correction) -> Kind:
        """What a correction shares with those that it can be stacked with."""
        return one.quantity, one.kind, one.terms, one.step

    @cached_property
    def _inputs(self) -> tuple[str, ...]:
        """The columns beside the quantity's own that a value needs."""
        if self.members[0].kind in PUBLISHED:
            return ("rh",)
        return tuple(dict.fromkeys(name for term in self.terms for name in needed(term, self.quantity)))

    @cached_property
    def _asked(self) -> frozenset[str]:
        """The columns beside the quantity's own that a value, its range or its doubt looks at."""
        return frozenset((*self._inputs, *self._valid, *CLIMATE))

    @cached_property
    def _valid(self) -> Mapping[str, tuple[Array, Array]]:
        names = dict.fromkeys(name for one in self.members for name in one.valid)
        anything = (-np.inf, np.inf)
        ranges = {name: np.array([one.valid.get(name, anything) for one in self.members]) for name in names}
        return {name: (pairs[:, 0], pairs[:, 1]) for name, pairs in ranges.items()}

    @cached_property
    def _spread(self) -> tuple[Array, Array, Array]:
        """Of each member: the intercept, the weights, and the width of the middle 90 % in standard
        deviations; NaN where it has no spread."""
        nothing = np.nan, (np.nan,) * WEIGHTS, np.nan
        rows = [
            nothing if s is None else (s.intercept, s.weights, (s.upper - s.lower) / (2 * Z90))
            for s in (one.spread for one in self.members)
        ]
        return tuple(np.array(column) for column in zip(*rows, strict=True))  # type: ignore[return-value]

    def apply(self, readings: Readings, rows: Array | slice, member: Array, past: "Past") -> Done:
        """The rows, each by its member's correction."""
        floor = lowest(self.quantity)
        columns = {
            name: np.maximum(column.raw[rows], floor) if name.startswith(self.quantity) else column.raw[rows]
            for name, column in readings.columns.items()
            if name.startswith(self.quantity) or name in self._asked
        }
        outside = self._outside(columns, member.size, member)
        given = _Sample(self.quantity, readings.time[rows], self.step, columns, past)
        with np.errstate(over="ignore", invalid="ignore"):  # an absurd raw value has no corrected one: NaN
            value = np.maximum(self._value(given, member), floor)
            value = np.where(np.isfinite(value), value, np.nan)
            u = self._doubt(value, given, member) * np.where(outside, BEYOND, 1.0)
        return Done(value, u, outside)

    def _outside(self, columns: dict[str, Array], size: int, member: Array) -> Array:
        """Which rows have an input outside the range that the fit has seen, or lack one; what is lacking is
        filled with the middle of that range."""
        outside = np.zeros(size, bool)
        for name, (low, high) in self._valid.items():
            if name in columns:
                outside |= (columns[name] < low[member]) | (columns[name] > high[member])
        for name in self._inputs:
            cells = columns.get(name, np.full(size, np.nan))
            lacking = np.isnan(cells)
            outside |= lacking
            if name in CLIMATE:
                columns[name] = np.where(lacking, self._usual(name)[member], cells)
            else:
                columns[name] = cells
        return outside

    def _usual(self, name: str) -> Array:
        nothing = np.full(len(self.members), np.inf)
        low, high = self._valid.get(name, (-nothing, nothing))
        known = np.isfinite(low) & np.isfinite(high)
        return np.where(known, (np.where(known, low, 0) + np.where(known, high, 0)) / 2, CLIMATE[name])

    def _value(self, given: Inputs, member: Array) -> Array:
        kind = self.members[0].kind
        if kind in PUBLISHED:
            return published(kind, given)
        if kind == "curve":
            return self._curve(given.raw, member)
        if kind == "identity":
            return given.raw
        # Term by term, not as one product of matrices: what a row comes to mustn't depend on its block.
        value = self._intercept[member]
        for place, term in enumerate(self.terms):
            name, _, number = term.partition(":")
            value = value + self._weights[member, place] * TERMS[name].of(given, float(number or 0))
        return value

    def _curve(self, raw: Array, member: Array) -> Array:
        value = np.full(raw.size, np.nan)
        for one in np.unique(member).tolist():
            rows = member == one
            value[rows] = follow(np.array(self.members[one].knots), raw[rows])
        return value

    def _doubt(self, value: Array, given: Inputs, member: Array) -> Array:
        intercept, weights, width = self._spread
        size = intercept[member]
        for place, cells in enumerate(circumstance(value, given)):
            size = size + weights[member, place] * cells
        doubt: Array = np.exp(size) * width[member]
        return doubt


class Past:
    """What rows ask of the steps before theirs: NaN before `since` [ns], when the node stood elsewhere or
    carried another sensor."""

    def __init__(self, passing: Passing | None, rows: Array | slice, time: Array, since: Array) -> None:
        self._passing, self._rows, self._time, self._since = passing, rows, time, since

    def __call__(self, column: str, step: int, back: int) -> Array:
        """The mean of a column in the step that lies `back` before each row's."""
        if self._passing is None or not self._passing.holds(column, step, back):
            return np.full(self._time.size, np.nan)
        mean = self._passing.before(column, step, back)[self._rows]
        return np.where((self._time // step - back) * step >= self._since, mean, np.nan)


class _Sample(Inputs):
    """Inputs of samples: time counts by whole steps, as in the fit; the past is a memory's."""

    __slots__ = ("_past",)
    _past: Past

    def __init__(
        self, quantity: str, time: Array, step: int, columns: Mapping[str, Array], past: Past
    ) -> None:
        super().__init__(quantity, time // step * step, step, columns)
        object.__setattr__(self, "_past", past)

    def past(self, name: str, steps: int) -> Array:
        """The sample's own cell, or the mean of the step that lies so many before its own."""
        if not steps:
            return self.columns[name]
        found: Array = self._past(name, self.step, steps)
        return found
