"""A calibration campaign worked out: the form chosen, each sensor's correction, and how far to trust it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from edge.correction.model import Correction, Spread, circumstances
from edge.fit.choose import Trial, choose, honest, trials
from edge.fit.form import candidates
from edge.fit.learn import Lesson, curve, enough
from edge.fit.region import one_site_each
from edge.fit.sample import Colocation, valid
from edge.fit.score import DAY, Agreement, Score, agreement, daily, score
from edge.fit.shift import align
from edge.fit.solve import Solution
from edge.fit.spread import Coverage, judge, spread
from edge.readings import Array

BANDS = 8
UNKNOWN = 2.0
"""How much wider the fleet's interval is than that of the one sensor that it was learnt from."""


@dataclass(frozen=True, slots=True)
class Series:
    """A node's scored rows: `time` [ns], raw and left-out corrected value, reference [unit]; `step` [ns]."""

    time: Array
    step: int
    raw: Array
    value: Array
    reference: Array


@dataclass(frozen=True, slots=True)
class Band:
    """Rows whose RH or temperature lies in [`low`, `high`): mean of value − reference [unit], before and
    after."""

    low: float
    high: float
    n: int
    raw: float
    value: float


@dataclass(frozen=True)
class Fitted:
    """One node: its series by hour and by local day, scores, correction and coverage."""

    one: Colocation
    rows: Series
    days: Series
    raw: Score
    cv: Score
    nested: Score
    correction: Correction
    coverage: Coverage


@dataclass(frozen=True)
class Campaign:
    """All of it: `tried` forms and the `chosen` one, nodes, the whole fleet's scores and its correction for
    sensors without a reference of their own, learning curve, residuals, agreement of units by site."""

    tried: tuple[Trial, ...]
    chosen: Trial
    nodes: tuple[Fitted, ...]
    raw: Score
    cv: Score
    nested: Score
    fleet: Correction
    lessons: tuple[Lesson, ...]
    enough: int | None
    residuals: dict[str, tuple[Band, ...]]
    units: dict[str, tuple[Agreement, Agreement]]


def fit(
    found: Sequence[Colocation], data: str = "", progress: Callable[[str], None] = lambda _: None
) -> Campaign:
    """Align, try the forms, choose, and judge; `data` is the hash of the table. Raises `NothingToFit`."""
    members = [align(one) for one in one_site_each(found)]
    columns = set.intersection(*(set(one.inputs.columns) for one in members)) if members else set()
    quantity = members[0].inputs.quantity if members else ""
    tried = trials(members, candidates(quantity, columns), progress)
    chosen = choose(tried)
    nested = honest(tried)
    judged = [judge(chosen.fleet, place, chosen.values) for place in range(len(members))]
    nodes = tuple(
        _fitted(chosen, place, nested[place], made, coverage, data)
        for place, (made, coverage) in enumerate(judged)
    )
    cv = _whole([node.rows.value for node in nodes], nodes)
    lessons = curve(chosen.fleet)
    return Campaign(
        tried=tuple(tried),
        chosen=chosen,
        nodes=nodes,
        raw=_whole([node.rows.raw for node in nodes], nodes),
        cv=cv,
        nested=_whole([value[one.scored] for value, one in zip(nested, members, strict=True)], nodes),
        fleet=_of_fleet(chosen, judged[0][0], data),
        lessons=lessons,
        enough=enough(lessons, cv.rmse),
        residuals={name: _bands(nodes, name) for name in ("rh", "temp") if name in columns},
        units=_units(nodes),
    )


def _whole(values: list[Array], nodes: Sequence[Fitted]) -> Score:
    return score(np.concatenate(values), np.concatenate([node.rows.reference for node in nodes]))


def _fitted(trial: Trial, place: int, nested: Array, made: Spread, coverage: Coverage, data: str) -> Fitted:
    one = trial.fleet.members[place]
    rows = one.scored
    time, step = one.inputs.time[rows], one.inputs.step
    raw, value, truth = one.inputs.raw[rows], trial.values[place][rows], one.reference[rows]
    days = daily(time, step, one.offset[rows], raw, value, truth)
    correction = _correction(trial, one, trial.fleet.fitted(place), made)
    return Fitted(
        one=one,
        rows=Series(time, step, raw, value, truth),
        days=Series(days[0], DAY, *days[1:]),
        raw=score(raw, truth),
        cv=score(value, truth),
        nested=score(nested[rows], truth),
        correction=correction.named(one.node, _window(one), data),
        coverage=coverage,
    )


def _window(one: Colocation) -> tuple[int, int]:
    time = one.inputs.time[one.taught]
    return (int(time[0]), int(time[-1])) if time.size else (0, 0)


def _correction(trial: Trial, one: Colocation, solution: Solution, made: Spread | None) -> Correction:
    form, linear = trial.form, trial.form.kind == "linear"
    return Correction(
        form=form.name,
        quantity=one.inputs.quantity,
        kind=form.kind,
        valid=valid([one]),
        terms=form.terms if linear else (),
        weights=solution.weights if linear else (),
        intercept=solution.intercept,
        knots=solution.knots,
        shift=one.shift,
        spread=made,
        step=one.inputs.step,
    )


def _of_fleet(trial: Trial, made: Spread, data: str) -> Correction:
    """The fleet's correction, for a sensor that it hasn't seen: its spread is that of members left out."""
    fleet = trial.fleet
    base = _correction(trial, fleet.members[0], fleet.fleet(), made)
    windows = [_window(one) for one in fleet.members]
    window = min(begin for begin, _ in windows), max(end for _, end in windows)
    own = _stranger_spread(trial) or replace(made, lower=made.lower * UNKNOWN, upper=made.upper * UNKNOWN)
    whole = replace(base, spread=own, valid=valid(fleet.members), shift=0)
    return whole.named("", window, data)


def _stranger_spread(trial: Trial) -> Spread | None:
    fleet = trial.fleet
    if len(fleet.members) < 2:
        return None
    parts = []
    for place, one in enumerate(fleet.members):
        rows = np.flatnonzero(one.scored)
        value = fleet.value(place, fleet.without(place), rows)
        full = np.full(one.reference.size, np.nan)
        full[rows] = value
        around = circumstances(full, one.inputs)[rows]
        parts.append((value, one.reference[rows] - value, around, np.full(rows.size, place)))
    return spread(*(np.concatenate(column) for column in zip(*parts, strict=True)))


def _bands(nodes: Sequence[Fitted], name: str) -> tuple[Band, ...]:
    """The mean residuals in eight bands of equal count."""
    cells = np.concatenate([node.one.inputs.columns[name][node.one.scored] for node in nodes])
    truth = np.concatenate([node.rows.reference for node in nodes])
    raw = np.concatenate([node.rows.raw for node in nodes]) - truth
    value = np.concatenate([node.rows.value for node in nodes]) - truth
    edges = np.unique(np.quantile(cells, np.linspace(0, 1, BANDS + 1)))
    found = []
    for low, high in pairwise(edges):
        rows = (cells >= low) & ((cells < high) | (high == edges[-1]))
        if rows.any():
            means = float(raw[rows].mean()), float(value[rows].mean())
            found.append(Band(float(low), float(high), int(rows.sum()), *means))
    return tuple(found)


def _units(nodes: Sequence[Fitted]) -> dict[str, tuple[Agreement, Agreement]]:
    """How the units of each site agree, before and after."""
    found = {}
    for site in sorted({node.one.site for node in nodes}):
        here = [node for node in nodes if node.one.site == site]
        raw = agreement({node.one.node: (node.rows.time, node.rows.raw) for node in here})
        value = agreement({node.one.node: (node.rows.time, node.rows.value) for node in here})
        if raw and value:
            found[site] = raw, value
    return found
