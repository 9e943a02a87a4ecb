"""How many days beside a reference are enough."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from edge.fit.cross import Fleet
from edge.fit.form import HUMID, Form
from edge.fit.sample import Colocation
from edge.fit.score import DAY
from edge.fit.solve import Solution, least_squares, moments
from edge.readings import Array

DAYS = (1, 2, 4, 7, 14, 30, 60, 90, 180)
WINDOWS = 3
MEMBERS = 8
ENOUGH = 1.05
A_TERM = 10
"""Rows that each term of a form needs."""


@dataclass(frozen=True, slots=True)
class Lesson:
    """The RMSE [unit] over blocks left out, fitted on windows of so many `days`: the chosen form's (None: too
    few rows for it), and that of the plain line in the raw value and RH."""

    days: int
    rmse: float | None
    plain: float | None


def curve(fleet: Fleet) -> tuple[Lesson, ...]:
    """The learning curve of a form, each sensor alone, over at most 8 of them."""
    chosen = fleet.members[:: max(1, -(-len(fleet.members) // MEMBERS))]
    columns = set.intersection(*(set(one.inputs.columns) for one in chosen))
    simple = Form("plain", "linear", tuple(name for name in HUMID if name == "raw" or name in columns))
    own, plain = (_curve(chosen, form) for form in (fleet.form, simple))
    return tuple(
        Lesson(days, own[days], plain[days]) for days in DAYS if own[days] is not None or plain[days]
    )


def _curve(members: Sequence[Colocation], form: Form) -> dict[int, float | None]:
    fleet = Fleet(members, form)
    found = {days: [e for place in range(len(members)) for e in _errors(fleet, place, days)] for days in DAYS}
    return {days: float(np.sqrt(np.mean(errors))) if errors else None for days, errors in found.items()}


def enough(lessons: tuple[Lesson, ...], rmse: float) -> int | None:
    """The days after which the RMSE is within 5 % of that of all data; None: more than were tried."""
    known = ((one.days, one.rmse) for one in lessons if one.rmse is not None)
    return next((days for days, found in known if found <= ENOUGH * rmse), None)


def _errors(fleet: Fleet, place: int, days: int) -> Iterator[float]:
    """The mean squared error of each block, for windows of days that lie outside it."""
    one = fleet.members[place]
    edges, time = one.edges, one.inputs.time
    if edges[-1] - edges[0] < 2 * days * DAY:
        return
    for block in range(one.blocks):
        judged = np.flatnonzero(one.scored & (one.block == block))
        for begin in np.linspace(edges[0], edges[-1] - days * DAY, WINDOWS):
            window = (time >= begin) & (time < begin + days * DAY)
            rows = np.flatnonzero(window & one.taught & (one.block != block))
            if not judged.size or rows.size < A_TERM * (len(fleet.form.terms) + 1):
                continue
            value = fleet.value(place, _solved(fleet.form, one, rows), judged)
            yield float(np.mean((value - one.reference[judged]) ** 2))


def _solved(form: Form, one: Colocation, rows: Array) -> Solution:
    terms, truth = one.terms(form.terms)[rows], one.reference[rows]
    if form.fixed:
        return Solution((), 0.0)
    if form.solver is not None:
        return form.solver(terms, truth)
    return least_squares(moments(terms, truth), max(form.penalty, 1e-6))
