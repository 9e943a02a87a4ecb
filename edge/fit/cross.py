"""Blocks of time left out in turn: what a form says about time that it hasn't seen."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise

import numpy as np

from edge.correction.inputs import lowest
from edge.correction.model import follow, published
from edge.correction.published import PUBLISHED
from edge.fit.form import Form
from edge.fit.sample import Colocation
from edge.fit.solve import Solution, least_squares, moments
from edge.readings import Array

A_TERM, LEANING = 10, 30.0
"""A sensor with fewer rows a term than this takes the fleet's experience for so many rows in any case."""
FEWEST = 3
"""A sensor with fewer rows a term than this, or none, is served by the fleet alone."""


@dataclass(frozen=True, slots=True)
class Sums:
    """The moments of a fleet's members: each one's `own` by its blocks [blocks, m, m], and those of all
    `others` within the time of the same blocks, with their whole as the last [blocks + 1, m, m]."""

    own: tuple[Array, ...]
    others: tuple[Array, ...]


@dataclass(frozen=True)
class Fleet:
    """Co-locations of one kind of sensor, to be fitted with one form; `weight` is how many rows of its own
    the rest of the fleet's experience is worth to each sensor (0: each stands alone)."""

    members: Sequence[Colocation]
    form: Form
    weight: float = 0.0
    shared: dict[str, Sums] = field(default_factory=dict, repr=False)

    def weighing(self, weight: float) -> "Fleet":
        """The same fleet with another weight; the sums are worked out once for both."""
        return replace(self, weight=weight)

    @property
    def sums(self) -> Sums:
        """The members' moments, worked out once."""
        if "sums" not in self.shared:
            self.shared["sums"] = self._summed()
        return self.shared["sums"]

    def _summed(self) -> Sums:
        marks = np.unique(np.concatenate([one.edges for one in self.members]))
        parts = [self._between(one, marks) for one in self.members]
        all_parts = np.sum(parts, axis=0)
        own, others = [], []
        for one, part in zip(self.members, parts, strict=True):
            starts = np.searchsorted(marks, one.edges)
            mine, every = (_gathered(sums, starts) for sums in (part, all_parts))
            own.append(mine)
            others.append(np.concatenate((every - mine, [all_parts.sum(axis=0) - mine.sum(axis=0)])))
        return Sums(tuple(own), tuple(others))

    def _between(self, one: Colocation, marks: Array) -> Array:
        """A member's moments between each mark in time and the next."""
        rows = np.flatnonzero(one.taught)
        terms, truth = one.terms(self.form.terms)[rows], one.reference[rows]
        places = np.searchsorted(one.inputs.time[rows], marks)
        size = terms.shape[1] + 2
        parts = np.zeros((marks.size - 1, size, size))
        for k in np.flatnonzero(np.diff(places)):
            within = slice(places[k], places[k + 1])
            parts[k] = moments(terms[within], truth[within])
        return parts

    def fitted(self, place: int, without: Collection[int] = ()) -> Solution:
        """A member's solution from all but some of its blocks; the others' rows of those times are left out
        with them, because they may stand beside the same reference."""
        one, form = self.members[place], self.form
        if form.fixed:
            return Solution((), 0.0)
        if form.solver is not None:
            rows = one.taught & ~np.isin(one.block, list(without))
            if rows.sum() < FEWEST * (len(form.terms) + 1):
                rows = one.taught & (one.block != -1) if not without else rows
            return form.solver(one.terms(form.terms)[rows], one.reference[rows])
        blocks = self.sums.own[place]
        own = blocks.sum(axis=0) - blocks[list(without)].sum(axis=0)
        return least_squares(self._shrunk(place, own, without), form.penalty, form.stretch)

    def _shrunk(self, place: int, own: Array, without: Collection[int]) -> Array:
        weight = self.weight or (LEANING if own[0, 0] < A_TERM * len(self.form.terms) else 0.0)
        if not weight or len(self.members) < 2:
            return own
        blocks = self.sums.others[place]
        others = blocks[-1] - blocks[list(without)].sum(axis=0)
        count = others[0, 0]
        return own + others * (weight / count) if count >= 1 else own

    def fleet(self) -> Solution:
        """One solution for all members together, or for one that isn't among them."""
        form = self.form
        if form.fixed:
            return Solution((), 0.0)
        if form.solver is None:
            return least_squares(sum(own.sum(axis=0) for own in self.sums.own), form.penalty, form.stretch)
        terms = np.concatenate([one.terms(form.terms)[one.taught] for one in self.members])
        return form.solver(terms, np.concatenate([one.reference[one.taught] for one in self.members]))

    def without(self, place: int) -> Solution:
        """One solution for all members but one."""
        form, others = self.form, [one for at, one in enumerate(self.members) if at != place]
        if form.fixed:
            return Solution((), 0.0)
        if form.solver is None:
            return least_squares(self.sums.others[place][-1], form.penalty, form.stretch)
        terms = np.concatenate([one.terms(form.terms)[one.taught] for one in others])
        return form.solver(terms, np.concatenate([one.reference[one.taught] for one in others]))

    def value(self, place: int, solution: Solution, rows: Array) -> Array:
        """What a solution says in some rows of a member; none below what its quantity can be."""
        one, kind = self.members[place], self.form.kind
        raw = one.inputs.raw[rows]
        if kind in PUBLISHED:
            value = published(kind, one.inputs)[rows]
        elif kind == "curve":
            value = follow(np.array(solution.knots), raw)
        elif kind == "linear":
            value = solution(one.terms(self.form.terms)[rows])
        else:
            value = raw
        floored: Array = np.maximum(value, lowest(one.inputs.quantity))
        return floored

    def left_out(self, place: int, beside: Collection[int] = ()) -> Array:
        """A member's values in all rows, each block's by a solution that has seen neither it nor the blocks
        `beside`; NaN in rows that aren't scored."""
        one = self.members[place]
        value = np.full(one.reference.size, np.nan)
        for block in range(one.blocks):
            rows = np.flatnonzero(one.scored & (one.block == block))
            if rows.size and block not in beside:
                value[rows] = self.value(place, self.fitted(place, {block, *beside}), rows)
        return value


def _gathered(parts: Array, starts: Array) -> Array:
    """The sums of parts from each start to the next."""
    return np.stack([parts[first:last].sum(axis=0) for first, last in pairwise(starts)])
