"""A model judged on time that it hasn't seen: values, intervals that adapt on the way, warnings."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np

from edge.predict import infer, score
from edge.predict.interval import STEP, TAIL, Adaptive, chance_above
from edge.predict.lesson import Sight, lessons
from edge.predict.model import Model, Role
from edge.predict.series import Lessons, Series
from edge.readings import Array

DEAR = 3.0
"""What a missed event costs beside a false warning, where a model has no threshold of its own."""


@dataclass(frozen=True, slots=True)
class Judged:
    """Rows of the time held out, in order of time, and what the model said of them [unit]: value, adaptive
    lower and upper ends, those of the model alone, and the chance (and threshold) of an onset (n × h)."""

    rows: Lessons
    value: Array
    lower: Array
    upper: Array
    fixed: Array
    last: Array
    chance: Array
    threshold: Array


def judge(model: Model, past: Sequence[Series], since: Sequence[int]) -> Judged:
    """What the model says from each series' time `since` [units since 1970] on."""
    sight = Sight(model.columns, model.terms, model.now, model.unit_s)
    rows = lessons(past, sight, model.horizons)
    rows = rows.take(np.flatnonzero(rows.time >= np.array(since, np.int64)[rows.who]))
    said = infer.forecast(model, rows.inputs, rows.last)
    grain = model.grain
    lower, upper = _adaptive(model, rows, said, len(past))
    value, limit = said.value * grain, model.limit * grain
    chance, threshold = _onset(model, said, value, lower, upper, limit)
    fixed = np.stack([said.lower, said.upper], axis=-1) * grain
    return Judged(rows, value, lower, upper, fixed, rows.last * grain, chance, threshold)


def _adaptive(model: Model, rows: Lessons, said: infer.Said, places: int) -> tuple[Array, Array]:
    """Interval ends [unit] as they were when each forecast was made: by what had come true until then."""
    held, which = Adaptive(model, places), infer.bins(model, said.value)
    value, spread = said.value * model.grain, said.spread * model.grain
    issued = np.empty((*value.shape, 2))
    for place in range(places):
        own = np.flatnonzero(rows.who == place)
        for horizon in range(value.shape[1]):
            issued[own, horizon] = _course(
                held.ends[place, horizon], held.width[horizon], rows.time[own],
                model.horizons[horizon] // model.unit_s, which[own, horizon],
                ((rows.truth - value) / spread)[own, horizon],
            )  # fmt: skip
    ends = np.maximum(value[..., None] + issued * spread[..., None], 0)
    return ends[..., 0], ends[..., 1]


def _course(ends: Array, width: Array, time: Array, step: int, which: Array, ratio: Array) -> Array:
    """One place and horizon in order of time; `ends` (3 × 2) move on the way."""
    issued, due = np.empty((time.size, 2)), 0
    for row in range(time.size):
        while time[due] + step <= time[row]:
            if np.isfinite(ratio[due]):
                ends[:, 0] -= STEP * width * ((ratio[due] < issued[due, 0]) - TAIL)
                ends[:, 1] += STEP * width * ((ratio[due] > issued[due, 1]) - TAIL)
            due += 1
        issued[row] = ends[which[row]]
    return issued


def _onset(
    model: Model, said: infer.Said, value: Array, lower: Array, upper: Array, limit: float
) -> tuple[Array, Array]:
    """The chance of an onset (n × h) and from which on to warn (h); by the interval where it has no head."""
    chance = chance_above(limit, value, lower, upper)
    threshold = np.full(len(model.values), 1 / (1 + DEAR))
    heads = [head for head in model.heads if head.role == Role.ONSET]
    for place, head in enumerate(heads):
        assert said.logit is not None
        horizon = model.horizons.index(head.horizon_s)
        chance[:, horizon] = 1 / (1 + np.exp(-np.clip(said.logit[:, place] / 256, -30, 30)))
        threshold[horizon] = 1 / (1 + np.exp(-head.marks[0] / 256))
    return chance, threshold


def report(model: Model, found: Judged, past: Sequence[Series]) -> list[dict[str, Any]]:
    """Each horizon's figures, as `gongi evaluate --json` says them."""
    return [_horizon(model, found, past, place) for place in range(len(model.values))]


def _horizon(model: Model, found: Judged, past: Sequence[Series], place: int) -> dict[str, Any]:
    known = found.rows.whole[:, place]
    truth, value = found.rows.truth[known, place], found.value[known, place]
    last, lower, upper = found.last[known], found.lower[known, place], found.upper[known, place]
    inside = (truth >= lower) & (truth <= upper)
    horizon_s = model.horizons[place]
    return {
        "horizon": said_as(horizon_s),
        "horizon_s": horizon_s,
        "n": int(known.sum()),
        **errors(truth, value, last),
        "persistence_r2": score.r2(truth, last),
        "coverage": _mean(inside),
        "coverage_fixed": _mean(
            (truth >= found.fixed[known, place, 0]) & (truth <= found.fixed[known, place, 1])
        ),
        **_worst(model, found, past, known, value, inside),
        "interval_score": score.interval_score(truth, lower, upper) if truth.size else None,
        "exceedance_brier": _brier(model, truth, value, lower, upper),
        "onset": onset(model, found, place, found.chance[:, place], float(found.threshold[place])),
    }


def errors(truth: Array, value: Array, last: Array) -> dict[str, float | None]:
    """R², MAE, RMSE and skill against persistence."""
    if not truth.size:
        return dict.fromkeys(("r2", "mae", "rmse", "skill_persistence"))
    square, stays = float(np.mean((truth - value) ** 2)), float(np.mean((truth - last) ** 2))
    return {
        "r2": score.r2(truth, value),
        "mae": float(np.mean(np.abs(truth - value))),
        "rmse": float(np.sqrt(square)),
        "skill_persistence": 1 - square / stays if stays else None,
    }


def _worst(
    model: Model, found: Judged, past: Sequence[Series], known: Array, value: Array, inside: Array
) -> dict[str, Any]:
    """Coverage in the top tenth of forecasts and in each month (of UTC) with at least 100 of them."""
    if not value.size:
        return {"coverage_top_tenth": None, "coverage_months": {}}
    second = found.rows.time[known] * model.unit_s
    days, place = np.unique(second // 86400, return_inverse=True)
    month = np.array([datetime.fromtimestamp(int(day) * 86400, UTC).strftime("%Y-%m") for day in days])[place]
    by_month = {
        str(name): _mean(inside[month == name]) for name in np.unique(month) if np.sum(month == name) >= 100
    }
    top = value >= np.quantile(value, 0.9)
    return {"coverage_top_tenth": _mean(inside[top]), "coverage_months": by_month}


def _brier(model: Model, truth: Array, value: Array, lower: Array, upper: Array) -> float | None:
    if not truth.size:
        return None
    limit = model.limit * model.grain
    chance = chance_above(limit, value, lower, upper)
    return float(np.mean((chance - (truth > limit)) ** 2))


def onset(model: Model, found: Judged, place: int, chance: Array, threshold: float) -> dict[str, Any]:
    """Warnings from a clean start: precision, recall, F1, average precision, equal error rate, and the mean
    lead time of caught events [min]."""
    limit, rows = model.limit * model.grain, found.rows
    clean = rows.whole[:, place] & (found.last <= limit)
    event, held = rows.peak[clean, place] > limit, chance[clean]
    warned = held >= threshold
    told = score.warnings_of(event, warned)
    return {
        "precision": told.precision,
        "recall": told.recall,
        "f1": told.f1,
        "average_precision": score.average_precision(event, held),
        "lead_time": _lead(model, found, np.flatnonzero(clean)[warned], place),
        "eer": score.equal_error(event, held),
        "threshold": threshold,
        "limit": limit,
        "events": int(event.sum()),
        "rows": int(clean.sum()),
    }


def _lead(model: Model, found: Judged, warned: Array, place: int) -> float | None:
    """How long before they began the caught events were first warned of [min], on average."""
    rows, step = found.rows, model.horizons[place] // model.unit_s
    limit, leads = model.limit * model.grain, []
    for who in np.unique(rows.who):
        own = np.flatnonzero(rows.who == who)
        time, high = rows.time[own], found.last[own] > limit
        begun = time[1:][high[1:] & ~high[:-1]]
        told = np.sort(rows.time[warned[rows.who[warned] == who]])
        first = np.searchsorted(told, begun - step)
        caught = first < told.size
        lead = begun[caught] - told[first[caught]]
        leads.append(lead[lead > 0])
    found_leads = np.concatenate(leads) if leads else np.zeros(0)
    return float(found_leads.mean() * model.unit_s / 60) if found_leads.size else None


def _mean(mask: Array) -> float | None:
    return float(np.mean(mask)) if mask.size else None


def said_as(seconds: int) -> str:
    """A horizon as it is asked for: 1h, 30m, 90s; an hour of rooms is 60m."""
    for size, unit in ((3600, "h"), (60, "m")):
        if seconds % size == 0:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"
