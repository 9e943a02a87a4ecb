"""The page that explains a model: what it goes by, how sure it is, when it misses; self-contained HTML."""

from collections.abc import Iterator, Mapping, Sequence
from html import escape

import numpy as np

from edge.learn.explain import Explanation, Group, explained
from edge.learn.train import Report
from edge.predict.evaluate import said_as
from edge.predict.model import Kind, Model
from edge.quantity import QUANTITIES
from gateway.calibration_page import STYLE, tabled
from gateway.lesson import Grounds
from gateway.plot import Axis, Marks, around, plot
from gateway.words import N_, Words, words

MOST_CURVES = 6
COLOURS = ("cv", "raw", "ref", "cv")
KINDS: Mapping[int, str] = {
    Kind.LEVEL: N_("{name}, now"),
    Kind.DELTA: N_("{name}, the past against now"),
    Kind.GAP: N_("{name}, against here"),
    Kind.DAILY: N_("{name}, at this hour of the last days"),
    Kind.CLOCK: N_("clock and calendar"),
    Kind.TIMES: N_("{name}, times the level"),
}
NOTICE = N_(
    "Measured by simple monitors (간이측정기) or taken from the tables named above; not data of the national"
    " network. Forecasts are for reference (참고)."
)


def page(model: Model, report: Report, ground: Grounds, tables: Sequence[str], lang: str) -> str:
    """The whole page of a model that was trained on these tables."""
    say = words(lang)
    title = say.gettext("A forecast of {quantity}, explained", quantity=quantity(model, say))
    found = explained(model, ground.series, ground.cuts)
    facts = f"{', '.join(tables)} · {len(model.encode())} B · {model.id}"
    return whole(title, facts, _sections(model, report, found, say), say)


def whole(title: str, facts: str, sections: Iterator[str], say: Words) -> str:
    """A page of sections under a title."""
    return (
        f'<!doctype html><html lang="{say.lang}"><head><meta charset="utf-8">'
        f'<meta name="viewport" content="width=device-width"><title>{escape(title)}</title>'
        f"<style>{STYLE}</style></head><body><h1>{escape(title)}</h1>"
        f'<p class="soft">{escape(facts)}</p>{"".join(sections)}'
        f'<p class="soft">{escape(say.gettext(NOTICE))}</p></body></html>\n'
    )


def section(title: str, body: str, note: str = "") -> str:
    """A part of a page under its title."""
    told = f'<p class="soft">{escape(note)}</p>' if note else ""
    return f"<h2>{escape(title)}</h2>{told}{body}"


def quantity(model: Model, say: Words) -> str:
    """What the model forecasts, in words."""
    row = QUANTITIES.get(model.quantity)
    return model.quantity if row is None else row.ko if say.lang == "ko" else row.en


def unit(model: Model) -> str:
    """Its unit, empty where it is none of ours."""
    row = QUANTITIES.get(model.quantity)
    return row.unit if row else ""


def _sections(model: Model, report: Report, found: Explanation, say: Words) -> Iterator[str]:
    note = say.gettext(
        "Every figure is from time that came after what was learnt, inside the first 80 % of the tables."
    )
    yield section(say.gettext("What serves"), _verdicts(report, say), note)
    note = say.gettext("By how much the error (RMSE) grows when these inputs are shuffled among the hours.")
    yield section(say.gettext("What it goes by"), _worth(model, found, say), note)
    note = say.gettext("The mean forecast if one input had this value everywhere, all else as it was.")
    curves = "".join(_curve(model, one, say) for one in found.groups[:MOST_CURVES] if one.at.size > 1)
    yield section(say.gettext("How the forecast moves"), f'<div class="plots">{curves}</div>', note)
    yield section(say.gettext("When it misses most"), _hours(model, found, say))
    yield section(say.gettext("Candidates tried"), _candidates(report, say))


def _verdicts(report: Report, say: Words) -> str:
    head = (
        say.gettext("Ahead"), say.gettext("In force"), say.gettext("Target as"), "RMSE",
        say.gettext("It stays as it is"), say.gettext("Same hour yesterday"), "R²", say.gettext("Covered"),
        say.gettext("Onset precision"),
    )  # fmt: skip
    rows = [
        (
            said_as(v.horizon_s), escape(v.candidate), escape(v.form),
            *(_number(x) for x in (v.rmse, v.persistence_rmse, v.yesterday_rmse, v.r2, v.coverage)),
            _number(v.onset_average_precision),
        )
        for v in report.verdicts
    ]  # fmt: skip
    return tabled(head, rows)


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


def named(model: Model, one: Group, say: Words) -> str:
    """A group of inputs in words."""
    row = QUANTITIES.get(one.name)
    name = one.name if row is None else row.ko if say.lang == "ko" else row.en
    return say.gettext(KINDS[one.kind], name=name)


def _worth(model: Model, found: Explanation, say: Words) -> str:
    head = (say.gettext("Inputs"), *(said_as(horizon) for horizon in model.horizons))
    rows = [
        (escape(named(model, one, say)), *(f"{worth:+.2f} {unit(model)}" for worth in one.worth))
        for one in found.groups
    ]
    return tabled(head, rows)


def _curve(model: Model, one: Group, say: Words) -> str:
    low, high = around(one.curve)
    x = Axis(named(model, one, say), float(one.at[0]), float(one.at[-1]))
    marks = [
        Marks("beads", one.at, one.curve[:, place], COLOURS[place], said_as(horizon))
        for place, horizon in enumerate(model.horizons)
    ]
    return plot(named(model, one, say), x, Axis(unit(model), low, high), marks)


def _hours(model: Model, found: Explanation, say: Words) -> str:
    _, high = around(found.hours)
    marks = [
        Marks("beads", np.arange(24.0), found.hours[:, place], COLOURS[place], said_as(horizon))
        for place, horizon in enumerate(model.horizons)
    ]
    x = Axis(say.gettext("hour of the day"), 0.0, 23.0, whole=True)
    title = say.gettext("Error (RMSE) by hour")
    drawn = plot(title, x, Axis(unit(model), 0.0, high), marks)
    return f'<div class="plots" style="max-width:500px">{drawn}</div>'


def _candidates(report: Report, say: Words) -> str:
    names = list(report.verdicts[0].candidates or {})
    rows = [
        (escape(name), *(_number((verdict.candidates or {}).get(name)) for verdict in report.verdicts))
        for name in names
    ]
    return tabled((say.gettext("Candidate"), *(said_as(v.horizon_s) for v in report.verdicts)), rows)
