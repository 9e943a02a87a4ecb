"""Fixed recipes that a compact model is measured against on the same rows: LightGBM and a ridge of lags."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np

from edge.predict.evaluate import Judged, errors, onset, said_as
from edge.predict.feature import local
from edge.predict.model import Model
from edge.predict.series import Series, ahead, pace_of
from edge.readings import Array

LAGS = 24
MEANS = (3, 6, 12, 24)
STOP = 0.9
"""Rounds are chosen on the last tenth of the rows to learn from: 72 to 80 % of the whole."""


@dataclass(frozen=True, slots=True)
class Ground:
    """Rows of all series by the recipe's own features (n × p), with time, series, newest value and truths."""

    x: Array
    time: Array
    who: Array
    last: Array
    truth: Array
    peak: Array
    whole: Array
    clock: Array


def against(
    name: str, model: Model, past: Sequence[Series], cuts: Sequence[int], found: Judged
) -> list[dict[str, Any]]:
    """A rival's figures by horizon; `found` are the rows that the model was judged on."""
    ground = _ground(model, past)
    cut = np.array(cuts, np.int64)[ground.who]
    return [_judged(name, model, ground, cut, place, found) for place in range(len(model.values))]


def _judged(name: str, model: Model, ground: Ground, cut: Array, place: int, found: Judged) -> dict[str, Any]:
    step = model.horizons[place] // model.unit_s
    taught = np.flatnonzero(ground.whole[:, place] & (ground.time + step < cut))
    taught = taught[np.argsort(ground.time[taught], kind="stable")]
    rows = _same(ground, found)
    x = _timed(ground, step, model.unit_s)
    value = RIVALS[name](x[taught], ground.truth[taught, place], ground.last[taught])(
        x[rows], ground.last[rows]
    )
    known = found.rows.whole[:, place]
    truth = found.rows.truth[known, place]
    clean = taught[ground.last[taught] <= model.limit * model.grain]
    event = ground.peak[clean, place] > model.limit * model.grain
    warned: dict[str, Any] | None = None
    if name == "lightgbm" and event.sum() >= 20:
        chance, threshold = _classified(x[clean], event, x[rows])
        warned = onset(model, found, place, chance, threshold)
    horizon = model.horizons[place]
    figures = errors(truth, value[known], found.last[known])
    width = _constant(ground, taught, place, x)
    return {
        "horizon": said_as(horizon), "horizon_s": horizon, **figures, "onset": warned,
        "interval_score_constant": _constant_score(truth, value[known], width),
    }  # fmt: skip


def _constant(ground: Ground, taught: Array, place: int, x: Array) -> tuple[float, float]:
    """Ends of a constant width, from residuals of the last tenth of what was learnt from."""
    cut = int(STOP * taught.size)
    early, late = taught[:cut], taught[cut:]
    fitted = RIVALS["ridge"](x[early], ground.truth[early, place], ground.last[early])
    rest = ground.truth[late, place] - fitted(x[late], ground.last[late])
    low, high = np.quantile(rest, (0.05, 0.95))
    return float(low), float(high)


def _constant_score(truth: Array, value: Array, width: tuple[float, float]) -> float | None:
    from edge.predict.score import interval_score

    return interval_score(truth, np.maximum(value + width[0], 0), value + width[1]) if truth.size else None


def _ground(model: Model, past: Sequence[Series]) -> Ground:
    quantity = model.quantity
    places = [one.places(quantity) for one in past]
    pace = pace_of(places)
    names = sorted(set().union(*(one.columns for one in past)) - {quantity, "neighbours"})
    steps = [horizon // model.unit_s for horizon in model.horizons]
    parts = []
    for number, (one, place) in enumerate(zip(past, places, strict=True)):
        later = ahead(one.columns[quantity], steps, pace, 86400 // model.unit_s)
        x = _features(one, quantity, names, pace)[place]
        second = local(ZoneInfo(one.tz), (one.start + place) * model.unit_s)
        parts.append((x, one.start + place, np.full(place.size, number), one.columns[quantity][place],
                      later.truth[place], later.peak[place], later.whole[place], second))  # fmt: skip
    return Ground(*(np.concatenate(column) for column in zip(*parts, strict=True)))


def _features(one: Series, quantity: str, names: Sequence[str], pace: int) -> Array:
    value = one.columns[quantity]
    lags = [_back(value, lag * pace) for lag in range(LAGS)]
    table = np.stack(lags, axis=1)
    with np.errstate(all="ignore"):
        known = np.isfinite(table)
        held = np.where(known, table, 0.0)
        means = [held[:, :size].sum(1) / known[:, :size].sum(1) for size in MEANS]
        six = held[:, :6].sum(1) / known[:, :6].sum(1)
        spread = np.sqrt(
            np.where(known, (table - six[:, None]) ** 2, 0.0)[:, :6].sum(1) / known[:, :6].sum(1)
        )
    columns = [*lags, *means, spread, lags[0] - lags[1], lags[0] - lags[3]]
    none = np.full(value.size, np.nan)
    for name in names:
        own = one.columns.get(name, none)
        columns += [own, own - _back(own, 3 * pace)]
    return np.stack(columns, axis=1)


def _back(value: Array, cells: int) -> Array:
    moved = np.full(value.size, np.nan)
    moved[cells:] = value[: value.size - cells] if cells else value
    return moved


def _timed(ground: Ground, step: int, unit_s: int) -> Array:
    weekday = (ground.clock // 86400 + 3) % 7
    hour = (ground.clock + step * unit_s) % 86400 / 3600
    return np.hstack([ground.x, weekday[:, None], hour[:, None]])


def _same(ground: Ground, found: Judged) -> Array:
    """The ground's rows that the model was judged on, in its order."""
    key = ground.who.astype(np.int64) * (1 << 40) + ground.time
    wanted = found.rows.who.astype(np.int64) * (1 << 40) + found.rows.time
    order = np.argsort(key)
    return order[np.searchsorted(key[order], wanted)]


_Fitted = Callable[[Array, Array], Array]


def _lightgbm(x: Array, truth: Array, last: Array) -> _Fitted:
    """600 trees at .04, 31 leaves, stopped early, then refitted with 1.1 times the rounds."""
    import lightgbm

    cut = int(STOP * len(x))
    first = lightgbm.LGBMRegressor(n_estimators=600, **_TREES)
    stop: list[Any] = [lightgbm.early_stopping(50, verbose=False)]
    first.fit(x[:cut], truth[:cut], eval_set=[(x[cut:], truth[cut:])], callbacks=stop)
    rounds = max(round(1.1 * (first.best_iteration_ or 600)), 1)
    whole = lightgbm.LGBMRegressor(n_estimators=rounds, **_TREES).fit(x, truth)
    return lambda rows, now: np.asarray(whole.predict(rows))


def _classified(x: Array, event: Array, rows: Array) -> tuple[Array, float]:
    """The same recipe for an event: its chance, and the threshold of the best F1 on the last tenth."""
    import lightgbm

    cut = int(STOP * len(x))
    first = lightgbm.LGBMClassifier(n_estimators=600, **_TREES)
    stop: list[Any] = [lightgbm.early_stopping(50, verbose=False)]
    first.fit(x[:cut], event[:cut], eval_set=[(x[cut:], event[cut:])], callbacks=stop)
    threshold = _best_f1(event[cut:], np.asarray(first.predict_proba(x[cut:]))[:, 1])
    rounds = max(round(1.1 * (first.best_iteration_ or 600)), 1)
    whole = lightgbm.LGBMClassifier(n_estimators=rounds, **_TREES).fit(x, event)
    return np.asarray(whole.predict_proba(rows))[:, 1], threshold


def _best_f1(event: Array, chance: Array) -> float:
    order = np.argsort(-chance, kind="stable")
    hits = np.cumsum(event[order])
    f1 = 2 * hits / (np.arange(1, hits.size + 1) + max(event.sum(), 1))
    return float(chance[order][int(np.argmax(f1))])


def _ridge(x: Array, truth: Array, last: Array) -> _Fitted:
    """A ridge of 24 lags and the target's hour, on the change from now."""
    from sklearn.linear_model import Ridge

    def rows(one: Array, now: Array) -> Any:
        lags = one[:, 1:LAGS] - now[:, None]
        angle = one[:, -1:] * (2 * np.pi / 24)
        return np.nan_to_num(np.hstack([now[:, None], lags, np.sin(angle), np.cos(angle)]))

    fitted = Ridge(alpha=1.0).fit(rows(x, last), truth - last)
    return lambda one, now: np.asarray(np.maximum(now + fitted.predict(rows(one, now)), 0))


_TREES: Mapping[str, Any] = {
    "learning_rate": 0.04, "num_leaves": 31, "min_child_samples": 50, "subsample": 0.8, "subsample_freq": 1,
    "colsample_bytree": 0.7, "reg_lambda": 5.0, "random_state": 0, "n_jobs": 1, "verbose": -1,
    "deterministic": True, "force_row_wise": True,
}  # fmt: skip
RIVALS: Mapping[str, Callable[[Array, Array, Array], _Fitted]] = {"lightgbm": _lightgbm, "ridge": _ridge}
