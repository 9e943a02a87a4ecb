"""Blocks of time left out in turn: what a form says about time that it hasn't seen."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from edge.correction.model import follow
from edge.correction.published import PUBLISHED
from edge.fit.form import Form
from edge.fit.sample import Colocation
from edge.fit.solve import Solution, least_squares, moments
from edge.readings import Array

TINY = 1e-9
"""The penalty of plain least squares: none, but two terms that are one don't break it."""
FEWEST = 3
"""A sensor with fewer rows a term than this, or none, is served by the fleet alone."""


@dataclass(frozen=True)
class Fleet:
    """Co-locations of one kind of sensor, to be fitted with one form; `weight` is how many rows of its own
    the rest of the fleet's experience is worth to each sensor (0: each stands alone)."""

    members: Sequence[Colocation]
    form: Form
    weight: float = 0.0

    @cached_property
    def _own(self) -> list[Array]:
        """Each member's moments by block [blocks, terms + 2, terms + 2]."""
        return [
            np.stack([self._sums(one, one.taught & (one.block == k)) for k in range(one.blocks)])
            for one in self.members
        ]

    @cached_property
    def _others(self) -> list[Array]:
        """The moments of all other members within the time of each member's blocks, and after them in all."""
        whole = [own.sum(axis=0) for own in self._own]
        return [self._around(place, whole) for place in range(len(self.members))]

    def _around(self, place: int, whole: list[Array]) -> Array:
        edges = self.members[place].edges
        parts = np.zeros((edges.size, *whole[place].shape))
        for other, one in enumerate(self.members):
            if other == place:
                continue
            parts[-1] += whole[other]
            time = one.inputs.time
            for k in range(edges.size - 1):
                within = slice(*np.searchsorted(time, edges[k : k + 2]))
                parts[k] += self._sums(one, np.flatnonzero(one.taught[within]) + within.start)
        return parts

    def _sums(self, one: Colocation, rows: Array) -> Array:
        return moments(one.terms(self.form.terms)[rows], one.reference[rows])

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
        own = self._own[place].sum(axis=0) - self._own[place][list(without)].sum(axis=0)
        return least_squares(self._shrunk(place, own, without), form.penalty or TINY, form.stretch)

    def _shrunk(self, place: int, own: Array, without: Collection[int]) -> Array:
        if not self.weight or len(self.members) < 2:
            return own
        others = self._others[place][-1] - self._others[place][list(without)].sum(axis=0)
        count = others[0, 0]
        return own + others * (self.weight / count) if count >= 1 else own

    def fleet(self) -> Solution:
        """One solution for all members together, or for one that isn't among them."""
        form = self.form
        if form.fixed:
            return Solution((), 0.0)
        if form.solver is None:
            return least_squares(
                sum(own.sum(axis=0) for own in self._own), form.penalty or TINY, form.stretch
            )
        terms = np.concatenate([one.terms(form.terms)[one.taught] for one in self.members])
        return form.solver(terms, np.concatenate([one.reference[one.taught] for one in self.members]))

    def sums_without(self, place: int) -> Array:
        """The moments of all members but one."""
        others: Array = self._others[place][-1]
        return others

    def value(self, place: int, solution: Solution, rows: Array) -> Array:
        """What a solution says in some rows of a member; masses are at least 0."""
        one, kind = self.members[place], self.form.kind
        raw = one.inputs.raw[rows]
        if kind in PUBLISHED:
            value = PUBLISHED[kind](raw, one.inputs.columns["rh"][rows])
        elif kind == "curve":
            value = follow(np.array(solution.knots), raw)
        elif kind == "linear":
            value = solution(one.terms(self.form.terms)[rows])
        else:
            value = raw
        floored: Array = np.maximum(value, 0.0)
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
