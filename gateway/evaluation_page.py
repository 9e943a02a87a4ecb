"""The page of a model's judgement: figures, forecasts against what came true, intervals, warnings."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from html import escape
from typing import Any

import numpy as np

from edge.predict.evaluate import Judged, said_as
from edge.predict.model import Model
from gateway.calibration_page import tabled
from gateway.model_page import quantity, section, unit, whole
from gateway.plot import Axis, Marks, around, plot
from gateway.words import N_, Words, words

MOST_DOTS = 3000
TRUE = (N_("Truth"), N_("Forecast"))
SHOWN = 14 * 24


def page(model: Model, judged: Judged, said: Mapping[str, Any], tables: Sequence[str], lang: str) -> str:
    """The whole page of a model judged on the last part of these tables."""
    say = words(lang)
    title = say.gettext("A forecast of {quantity}, judged", quantity=quantity(model, say))
    span = " – ".join(_day(model, int(judged.rows.time[end])) for end in (0, -1))
    return whole(
        title, f"{', '.join(tables)} · {span} · {model.id}", _sections(model, judged, said, say), say
    )


def _day(model: Model, time: int) -> str:
    return datetime.fromtimestamp(time * model.unit_s, UTC).date().isoformat()


def _sections(model: Model, judged: Judged, said: Mapping[str, Any], say: Words) -> Iterator[str]:
    yield section(say.gettext("On time that it hasn't seen"), _figures(said, say))
    yield section(say.gettext("Warnings before the limit is passed"), _warnings(said, say))
    plots = "".join(_scatter(model, judged, place, say) for place in range(len(model.values)))
    yield section(say.gettext("Forecast and truth"), f'<div class="plots">{plots}</div>')
    plots = "".join(_course(model, judged, place, say) for place in range(len(model.values)))
    yield section(say.gettext("The worst days"), f'<div class="plots">{plots}</div>')
    yield section(say.gettext("90 % intervals month by month"), _months(said, say))


def _contestants(said: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for place, one in enumerate(said["horizons"]):
        yield said["model"][:8], one
        for name, rows in said["against"].items():
            yield name, rows[place]


def _figures(said: Mapping[str, Any], say: Words) -> str:
    head = (
        say.gettext("Ahead"), say.gettext("Who"), "R²", "MAE", "RMSE", say.gettext("Skill"),
        say.gettext("Covered"), say.gettext("Top tenth"),
    )  # fmt: skip
    keys = ("r2", "mae", "rmse", "skill_persistence", "coverage", "coverage_top_tenth")
    rows = [(one["horizon"], escape(name), *_numbers(one, keys)) for name, one in _contestants(said)]
    return tabled(head, rows)


def _warnings(said: Mapping[str, Any], say: Words) -> str:
    head = (
        say.gettext("Ahead"), say.gettext("Who"), say.gettext("Right warnings"), say.gettext("Caught"), "F1",
        say.gettext("Average precision"), say.gettext("Lead time"), say.gettext("Equal error rate"),
    )  # fmt: skip
    keys = ("precision", "recall", "f1", "average_precision", "lead_time", "eer")
    rows = [
        (one["horizon"], escape(name), *_numbers(one["onset"], keys))
        for name, one in _contestants(said)
        if one["onset"]
    ]
    return tabled(head, rows)


def _numbers(one: Mapping[str, Any], keys: Sequence[str]) -> list[str]:
    found = (one.get(key) for key in keys)
    return [
        "–" if value is None else f"{value:.3f}" if abs(value) < 10 else f"{value:.1f}" for value in found
    ]


def _scatter(model: Model, judged: Judged, place: int, say: Words) -> str:
    known = np.flatnonzero(judged.rows.whole[:, place])
    some = known[:: max(known.size // MOST_DOTS, 1)]
    truth, value = judged.rows.truth[some, place], judged.value[some, place]
    _, high = around(truth, value)
    x, y = (Axis(f"{say.gettext(name)} [{unit(model)}]", 0.0, high) for name in TRUE)
    line = Marks("line", np.array([0.0, high]), np.array([0.0, high]), "rule")
    return plot(said_as(model.horizons[place]), x, y, [Marks("dots", truth, value, "cv"), line])


def _course(model: Model, judged: Judged, place: int, say: Words) -> str:
    """Around the highest truth of all: what was forecast for then, with its interval."""
    rows, steps = judged.rows, model.horizons[place] // model.unit_s
    peak = int(np.nanargmax(np.where(rows.whole[:, place], rows.truth[:, place], np.nan)))
    own = np.flatnonzero((rows.who == rows.who[peak]) & rows.whole[:, place])
    spot = int(np.searchsorted(own, peak))
    some = own[max(spot - SHOWN // 2, 0) : spot + SHOWN // 2]
    day = (rows.time[some] + steps) * model.unit_s / 86400
    day = day - np.floor(day[0])
    series = (judged.lower[some, place], judged.upper[some, place])
    _, high = around(rows.truth[some, place], *series)
    marks = [Marks("line", day, end, "rule") for end in series]
    marks += [
        Marks("line", day, rows.truth[some, place], "ref", say.gettext("Truth")),
        Marks("line", day, judged.value[some, place], "cv", say.gettext("Forecast")),
    ]
    x = Axis(say.gettext("day"), float(day.min()), float(day.max()))
    return plot(said_as(model.horizons[place]), x, Axis(unit(model), 0.0, high), marks)


def _months(said: Mapping[str, Any], say: Words) -> str:
    months = sorted({month for one in said["horizons"] for month in one["coverage_months"]})
    rows = [
        (month, *(f"{one['coverage_months'][month]:.1%}" if month in one["coverage_months"] else "–"
                  for one in said["horizons"]))
        for month in months
    ]  # fmt: skip
    return tabled((say.gettext("Month"), *(one["horizon"] for one in said["horizons"])), rows)
