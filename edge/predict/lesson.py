"""Rows to learn from or to judge on: a series' inputs at each of its cells, and what became true."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from edge.predict.feature import MISSING, inputs, level
from edge.predict.model import Column, Term
from edge.predict.series import Lessons, Looking, Series, ahead, pace_of
from edge.readings import Array


@dataclass(frozen=True, slots=True)
class Sight:
    """How the past is looked at: columns (the target first), terms, newest cells, seconds of a cell."""

    columns: tuple[Column, ...]
    terms: tuple[Term, ...]
    now: int
    unit_s: int


def lessons(past: Sequence[Series], sight: Sight, horizons: Sequence[int], most: int = 1 << 60) -> Lessons:
    """Every cell with a value in every series, thinned evenly to about `most`, in order of time."""
    quantity = sight.columns[0].name
    places = [one.places(quantity) for one in past]
    stride = max(-(-sum(place.size for place in places) // most), 1)
    pace = pace_of(places)
    steps = [horizon // sight.unit_s for horizon in horizons]
    parts = [
        _of(one, number, place[::stride], sight, steps, pace)
        for number, (one, place) in enumerate(zip(past, places, strict=True))
        if place.size
    ]
    if not parts:
        return _none(len(sight.terms), len(horizons))
    columns = (np.concatenate([getattr(p, name) for p in parts]) for name in Lessons.__slots__)
    rows = Lessons(*columns)
    return rows.take(np.argsort(rows.time, kind="stable"))


def _of(one: Series, number: int, place: Array, sight: Sight, steps: Sequence[int], pace: int) -> Lessons:
    view = Looking(one, sight.columns).at(place)
    later = ahead(one.columns[sight.columns[0].name], steps, pace, 86400 // sight.unit_s)
    last = level(sight.columns, sight.now, view)
    return Lessons(
        time=one.start + place,
        who=np.full(place.size, number),
        inputs=inputs(sight.columns, sight.terms, sight.now, sight.unit_s, view),
        last=np.where(last == MISSING, 0, last),
        truth=later.truth[place],
        peak=later.peak[place],
        before=later.before[place],
        whole=later.whole[place],
    )


def _none(terms: int, horizons: int) -> Lessons:
    empty = np.zeros(0, np.int64)
    ends = np.zeros((0, horizons))
    return Lessons(empty, empty, np.zeros((0, terms), np.int64), empty, ends, ends, ends, ends.astype(bool))
