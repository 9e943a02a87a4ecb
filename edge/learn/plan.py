"""Which inputs a model has: windows that suit its unit of time, for the columns that its past has."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np

from edge.predict.feature import CLOCKS, DAILY_CLOCKS, MISSING, YEAR_S
from edge.predict.lesson import Sight
from edge.predict.model import MOST_TERMS, Column, Kind, Term
from edge.predict.series import CLEANING, HOUR_S, NEIGHBOURS, OUTDOOR, Series
from edge.readings import Array

MOST_INPUTS = 60
SIGMA_BITS = 8
"""A column's standard deviation is about this power of two of its cells."""

# Of the target before now: the edges suit a pace of five minutes, too.
_EDGES = (2, 4, *range(7, 63, 5), 77, 92, 107, 122)
_MINUTES = (*pairwise(_EDGES), (0, 31), (0, 62))
_HOURS = (*((lag, lag + 1) for lag in range(1, 24)), (0, 24), (0, 168))
_DAYS = 7
_NEAR = {NEIGHBOURS: ((0, 1), (1, 2), (3, 4)), OUTDOOR: ((0, 15), (30, 45))}


def sight(past: Sequence[Series], quantity: str, unit_s: int, horizons: Sequence[int], until: Array) -> Sight:
    """All inputs that these series could give before `until` (a cell by series), not yet scaled."""
    names = sorted(set().union(*(one.columns for one in past)) - {quantity})
    columns = tuple(_column(past, name, until) for name in (quantity, *names))
    hourly = unit_s >= HOUR_S
    terms = [Term(Kind.LEVEL, 0, 0, 1 if hourly else 2)]
    terms += [Term(Kind.DELTA, 0, *window) for window in (_HOURS if hourly else _MINUTES)]
    if hourly:
        terms += [Term(Kind.DAILY, 0, horizon // unit_s, _DAYS) for horizon in horizons]
    # Less than a year says nothing about the seasons.
    long = any(end * unit_s >= YEAR_S for end in until)
    terms += [Term(Kind.CLOCK, 0, which, 0) for which in range(len(CLOCKS) if long else DAILY_CLOCKS)]
    for place, name in enumerate(names, 1):
        terms += _others(place, name, hourly)
    return Sight(columns, tuple(terms), 1 if hourly else 2, unit_s)


def _others(place: int, name: str, hourly: bool) -> Iterator[Term]:
    if name in _NEAR:
        first, *later = _NEAR[name]
        yield Term(Kind.GAP, place, *first)
        yield from (Term(Kind.DELTA, place, *window) for window in later)
    elif name == CLEANING:
        yield Term(Kind.LEVEL, place, 0, 1)
        yield Term(Kind.TIMES, place, 0, 1)
    else:
        yield Term(Kind.LEVEL, place, 0, 1 if hourly else 7)
        yield Term(Kind.DELTA, place, *((3, 4) if hourly else (12, 17)))


def _column(past: Sequence[Series], name: str, until: Array) -> Column:
    held = [one.columns[name][:end] for one, end in zip(past, until, strict=True) if name in one.columns]
    values = np.concatenate(held)
    spread = float(np.nanstd(values)) if np.isfinite(values).any() else 0.0
    bits = round(SIGMA_BITS - np.log2(spread)) if spread > 0 else 4
    return Column(name, int(np.clip(bits, -8, 16)))


def scaled(terms: Sequence[Term], inputs: Array) -> tuple[Term, ...]:
    """Terms with the scale that gives 256 for a standard deviation of these rows; what is hardly ever there,
    or never changes, keeps a factor of 0."""
    return tuple(_scaled(term, inputs[:, place]) for place, term in enumerate(terms))


def _scaled(term: Term, column: Array) -> Term:
    known = column[column != MISSING].astype(np.float64)
    if known.size <= 0.05 * column.size or known.std() < 1e-9:
        return term
    # A factor of 11 bits: scaling is within a 2000th, and its product stays small.
    shift = int(np.clip(np.floor(np.log2(known.std() * 8)), 0, 24))
    factor = round(256 / known.std() * 2**shift)
    return replace(term, mean=round(float(known.mean())), factor=min(factor, 32767), shift=shift)


def kept(terms: Sequence[Term], inputs: Array, last: Array, truth: Array, most: int = MOST_INPUTS) -> Array:
    """The positions of the terms that are used: all that vary, and of covariates those that go most with what
    comes, if there are too many."""
    varied = [place for place, term in enumerate(terms) if term.factor]
    own = [place for place in varied if terms[place].column == 0]
    others = [place for place in varied if terms[place].column != 0]
    known = np.isfinite(truth)
    change = (truth - last)[known]
    others.sort(key=lambda place: -_goes_with(inputs[known, place], change))
    return np.array(sorted((own + others)[: min(most, MOST_TERMS)]), np.int64)


def _goes_with(column: Array, change: Array) -> float:
    there = column != MISSING
    if there.sum() < 3 or column[there].std() == 0 or change[there].std() == 0:
        return 0.0
    return abs(float(np.corrcoef(column[there], change[there])[0, 1])) * float(there.mean())
