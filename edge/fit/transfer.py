"""Transfer: a sensor without a reference, corrected by what other sensors beside theirs have shown.

The fleet's model is the mean of its sensors' own ridges, each by what its data support. A left-out sensor's
site never gives it a reference: proxies come from other sites, and where the whole site is left out, so do
the sensors that teach.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from edge.correction.inputs import MASSES, lowest
from edge.correction.term import served
from edge.fit.form import FEATURES, HUMID, LAGS
from edge.fit.region import Region, matched, ratio
from edge.fit.sample import Colocation
from edge.fit.shift import align
from edge.fit.solve import RIDGE, Solution, least_squares, moments
from edge.fit.travel import brought
from edge.problem import Problem
from edge.readings import Array

SUPPORT = 300.0
"""Rows after which a sensor's own ridge counts half of what it would with endless ones."""
CURVED = 3
"""Sensors that it takes to tell a curve of their kind from their individuality; fewer get straight terms."""
FEWEST = 50
MOST_SHARE = 0.5
JUDGES = 12


class NothingToTransfer(Problem):
    """No other sensor to learn from."""


@dataclass(frozen=True)
class Left:
    """A sensor left out: its corrected `value` in all rows, from `teachers` sensors with so many `terms`,
    and the `share` of the way that it is moved towards its region's course."""

    one: Colocation
    value: Array
    teachers: tuple[str, ...]
    terms: tuple[str, ...]
    share: float


def transfer(
    members: Sequence[Colocation],
    leave: str,
    proxies: str,
    progress: Callable[[str], None] = lambda _: None,
) -> Iterator[Left]:
    """Each member left out in turn: alone (`leave` is "node") or with its whole site ("site"), moved towards
    its region's "references", levelled by its "neighbours", or moved to what a "travelling" node said beside
    it, as `proxies` says; nodes that travel aren't left out."""
    if proxies == "travelling" and not any(one.visits for one in members):
        raise NothingToTransfer("no node travels", advice="the `site` of one that does changes in the table")
    aligned = [align(one) for one in members]
    region = Region.of(members)
    for one in (one for one in members if not one.visits):
        teachers = [t for t in aligned if t.node != one.node and (leave == "node" or t.site != one.site)]
        if not teachers:
            raise NothingToTransfer(
                "no sensor is left to learn from", one.node, "it takes two sensors, on two sites for `site`"
            )
        # Its own reference doesn't set its clock either: the teachers' usual shift does.
        alike = one.moved(round(float(np.median([t.shift for t in teachers]))), 0.0)
        yield _left(alike, teachers, aligned, region, leave, proxies)
        progress(one.node)


def _left(
    one: Colocation,
    teachers: Sequence[Colocation],
    aligned: Sequence[Colocation],
    region: Region,
    leave: str,
    proxies: str,
) -> Left:
    terms = _terms([*teachers, one])
    names = tuple(other.node for other in teachers)
    solutions = _solutions(teachers, terms)
    if proxies == "neighbours":
        level = matched(one, aligned if leave == "node" else teachers)
        return Left(one, _value(level, _fleet(solutions), terms), names, terms, 0.0)
    value = _value(one, _fleet(solutions), terms)
    if proxies == "travelling":
        carried = [other for other in teachers if other.visits and other.site != one.site]
        return Left(one, brought(one, value, carried, terms), names, terms, 0.0)
    share = _share(one, teachers, solutions, terms, region, leave)
    return Left(one, value + share * _course(one, value, region, {one.site}), names, terms, share)


def _terms(members: Sequence[Colocation]) -> tuple[str, ...]:
    columns = set.intersection(*(set(one.inputs.columns) for one in members))
    quantity = members[0].inputs.quantity
    wanted = FEATURES if len(members) > CURVED and quantity in MASSES else LAGS
    return tuple(term for term in wanted if served((term,), quantity, columns)) or HUMID[:1]


def _solutions(teachers: Sequence[Colocation], terms: tuple[str, ...]) -> list[tuple[float, Solution]]:
    """Each teacher's weight and its own ridge."""
    sums = [moments(one.terms(terms)[one.taught], one.reference[one.taught]) for one in teachers]
    together = least_squares(np.sum(sums, axis=0), RIDGE)
    found = [(own[0, 0] / (own[0, 0] + SUPPORT), own) for own in sums]
    return [(w, least_squares(own, RIDGE) if own[0, 0] >= FEWEST else together) for w, own in found]


def _fleet(solutions: Sequence[tuple[float, Solution]]) -> Solution:
    total = sum(weight for weight, _ in solutions)
    weights = np.sum([weight * np.array(one.weights) for weight, one in solutions], axis=0) / total
    intercept = sum(weight * one.intercept for weight, one in solutions) / total
    return Solution(tuple(weights.tolist()), float(intercept))


def _value(one: Colocation, solution: Solution, terms: tuple[str, ...]) -> Array:
    value: Array = np.maximum(solution(one.terms(terms)), lowest(one.inputs.quantity))
    return value


def _course(one: Colocation, value: Array, region: Region, without: set[str]) -> Array:
    """How far [unit] the region's references, brought to the sensor's own long-term level, are from its
    value; 0 where they don't speak. The level stays the sensor's: sites differ more than sensors do."""
    around = region.around(one.inputs.time, without)
    usual = ratio(np.where(one.suspect, np.nan, value), around, one.inputs.time, one.inputs.step)
    course: Array = np.nan_to_num(usual * around - value, nan=0.0)
    return course


def _share(
    left: Colocation,
    teachers: Sequence[Colocation],
    solutions: Sequence[tuple[float, Solution]],
    terms: tuple[str, ...],
    region: Region,
    leave: str,
) -> float:
    """How much of the way to the region's course would have served the teachers best, each corrected by the
    others as if it had no reference."""
    top = bottom = 0.0
    for place in range(0, len(teachers), max(1, len(teachers) // JUDGES)):
        one = teachers[place]
        others = [
            pair
            for pair, other in zip(solutions, teachers, strict=True)
            if other is not one and (leave == "node" or other.site != one.site)
        ]
        if not others:
            continue
        value = _value(one, _fleet(others), terms)
        course = _course(one, value, region, {one.site, left.site})
        rows = one.taught & (course != 0)
        if rows.sum() < FEWEST:
            continue
        miss, way = (cells[rows] - cells[rows].mean() for cells in (one.reference - value, course))
        top += float(miss @ way) / rows.sum()
        bottom += float(way @ way) / rows.sum()
    return float(np.clip(top / bottom, 0.0, MOST_SHARE)) if bottom else 0.0
