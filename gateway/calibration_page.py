"""The page of a calibration campaign: self-contained HTML with plots, in Korean or English."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from html import escape
from typing import Any

import numpy as np

from edge.fit.fit import Campaign, Fitted
from edge.quantity import QUANTITIES
from edge.readings import Array
from gateway.campaign import said
from gateway.plot import Axis, Marks, around, plot
from gateway.words import N_, Words, words

MOST_NODES = 12
MOST_DOTS = 3000
NOTICE = N_(
    "Measured by simple monitors (간이측정기) beside reference monitors; these are not data of the national"
    " network."
)
STYLE = """
:root{--ink:#1c2430;--soft:#5b6675;--rule:#dfe3e8;--back:#fff;--raw:#c2571a;--cv:#1769aa;--ok:#1b7f4d;--no:#b3261e}
@media(prefers-color-scheme:dark){:root{--ink:#e8ecf1;--soft:#9aa6b5;--rule:#343c47;--back:#14181e;--raw:#f0924f;
--cv:#6db5ee;--ok:#63c995;--no:#f28b82}}
*{box-sizing:border-box}body{margin:0 auto;max-width:1020px;padding:24px 20px 60px;background:var(--back);
color:var(--ink);font:15px/1.5 system-ui,"Noto Sans KR","Noto Sans",sans-serif}
h1{font-size:26px;margin:0 0 4px;overflow-wrap:anywhere}h2{font-size:19px;margin:36px 0 10px}
.soft,figcaption{color:var(--soft)}
.cards{display:grid;grid-template-columns:repeat(auto-fit,minmax(200px,1fr));gap:12px;margin:20px 0}
.card{border:1px solid var(--rule);border-radius:8px;padding:12px 14px}.card b{display:block;font-size:20px}
.wide{overflow-x:auto}.why{display:inline-block;min-width:11em;white-space:normal;text-align:left}
table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}
th,td{padding:5px 9px;text-align:right;border-bottom:1px solid var(--rule);white-space:nowrap}
th:first-child,td:first-child{text-align:left}th{font-weight:600;color:var(--soft)}
.yes{color:var(--ok)}.no{color:var(--no)}tr.chosen td{font-weight:600}
.plots{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(420px,100%),1fr));gap:14px}
figure{margin:0}figcaption{font-size:14px}svg{width:100%;height:auto;display:block}
figure p{margin:0;font-size:13px}
svg text{font-size:11px;fill:var(--soft)}svg .label{font-size:12px}.grid{stroke:var(--rule)}
.line{fill:none;stroke-width:1.6}.dots{stroke-width:2.6;stroke-linecap:round;opacity:.35}
.raw{stroke:var(--raw);fill:var(--raw)}.cv{stroke:var(--cv);fill:var(--cv)}.ref{stroke:var(--ink);fill:var(--ink)}
.rule{stroke:var(--soft);stroke-dasharray:5 4}svg .line,svg .dots{fill:none}.bar{stroke:none}
.fail{stroke:var(--no);fill:var(--no)}.dots.fail{opacity:.8}.key.fail::before{background:var(--no)}
.key{margin-right:14px}.key::before{content:"";display:inline-block;width:12px;height:4px;margin-right:5px;
vertical-align:middle;background:var(--soft)}.key.raw::before{background:var(--raw)}
.key.cv::before{background:var(--cv)}.key.ref::before{background:var(--ink)}
""".replace("\n", "")


def page(campaign: Campaign, table: str, lang: str) -> str:
    """The whole page; `table` is what it is about."""
    say, report = words(lang), said(campaign)
    title = say.gettext("Calibration of {quantity}", quantity=_quantity(campaign, say))
    body = "".join(_sections(campaign, report, say))
    return (
        f'<!doctype html><html lang="{lang}"><head><meta charset="utf-8">'
        f'<meta name="viewport" content="width=device-width"><title>{escape(title)}</title>'
        f"<style>{STYLE}</style></head><body><h1>{escape(title)}</h1>"
        f'<p class="soft">{escape(table)} · {_span(campaign)}</p>{body}</body></html>\n'
    )


def _quantity(campaign: Campaign, say: Words) -> str:
    row = QUANTITIES[campaign.fleet.quantity]
    return row.ko if say.lang == "ko" else row.en


def _unit(campaign: Campaign) -> str:
    return QUANTITIES[campaign.fleet.quantity].unit


def _span(campaign: Campaign) -> str:
    begin, end = (
        datetime.fromtimestamp(time / 1e9, UTC).date().isoformat() for time in campaign.fleet.window
    )
    return f"{begin} – {end}"


def _sections(campaign: Campaign, report: dict[str, Any], say: Words) -> Iterator[str]:
    yield _cards(campaign, report, say)
    yield section(say.gettext("Each sensor, before and after"), _nodes(campaign, say))
    yield section(say.gettext("US EPA targets"), _targets(report["targets"], say))
    yield section(say.gettext("Against the reference"), _scatters(campaign, say))
    yield section(say.gettext("Day by day"), _days(campaign, say))
    yield section(say.gettext("What remains"), _remains(campaign, say))
    yield section(say.gettext("Forms tried"), _forms(report["model"], say))
    yield f'<p class="soft">{escape(say.gettext(NOTICE))}</p>'


def section(title: str, body: str) -> str:
    """A part of a page, nothing where it has no body."""
    return f"<h2>{escape(title)}</h2>{body}" if body else ""


def _cards(campaign: Campaign, report: dict[str, Any], say: Words) -> str:
    unit, coverage = _unit(campaign), report["coverage"]
    enough = campaign.enough
    days = say.ngettext("{n} day", "{n} days", enough) if enough else say.gettext("more than these")
    cards = (
        (say.gettext("Error (RMSE)"), f"{campaign.raw.rmse:.2f} → {campaign.cv.rmse:.2f} {unit}"),
        (say.gettext("R² on time left out"), f"{campaign.raw.r2:.2f} → {campaign.cv.r2:.2f}"),
        (say.gettext("90 % intervals cover"), f"{coverage['share']:.1%}"),
        (say.gettext("Enough days beside a reference"), days),
    )
    shown = (f'<div class="card">{escape(name)}<b>{escape(value)}</b></div>' for name, value in cards)
    return f'<div class="cards">{"".join(shown)}</div>'


def tabled(head: Sequence[str], rows: Sequence[Sequence[str]], chosen: int = -1) -> str:
    """Rows of HTML under their heads; the `chosen` one stands out."""
    top = "".join(f"<th>{escape(cell)}</th>" for cell in head)
    body = "".join(
        f"<tr{' class=chosen' if place == chosen else ''}>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>"
        for place, row in enumerate(rows)
    )
    return f'<div class="wide"><table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table></div>'


def _nodes(campaign: Campaign, say: Words) -> str:
    head = (
        say.gettext("Sensor"), say.gettext("Hours"), "R²", "RMSE", "R²*", "RMSE*", "NRMSE*",
        say.gettext("Bias") + "*", say.gettext("Slope") + "*", say.gettext("Covered"),
        say.gettext("Worst block"),
    )  # fmt: skip
    rows = [
        (
            escape(node.one.node), str(node.cv.n), f"{node.raw.r2:.2f}", f"{node.raw.rmse:.2f}",
            f"{node.cv.r2:.3f}", f"{node.cv.rmse:.2f}", f"{node.cv.nrmse:.2f}", f"{node.cv.bias:+.2f}",
            f"{node.cv.slope:.2f}", f"{node.coverage.share:.1%}", f"{node.coverage.worst:.0%}",
        )
        for node in campaign.nodes
    ]  # fmt: skip
    note = say.gettext("* corrected, each block of time by a model that has not seen it")
    return f'{tabled(head, rows)}<p class="soft">{escape(note)}</p>'


def _targets(targets: dict[str, Any], say: Words) -> str:
    if not targets:
        return ""
    head = (say.gettext("Sensor"), "", say.gettext("Slope"), say.gettext("Intercept"), "r²", "RMSE", "NRMSE")
    names = {"hourly": say.gettext("hourly"), "daily": say.gettext("daily")}
    rows = [
        (escape(one["node"]), name, *_verdict(one["cv"]))
        for which, name in names.items()
        for one in targets[which]
    ]
    return tabled(head, rows)


def _verdict(found: dict[str, Any]) -> Iterator[str]:
    for name, target in (
        ("slope", "slope"), ("intercept", "intercept"), ("r2", "r2"), ("rmse", "error"), ("nrmse", "error"),
    ):  # fmt: skip
        value = found[name]
        tick = '<span class="yes">✓</span>' if found["met"][target] else '<span class="no">✗</span>'
        yield f"{'–' if value is None else f'{value:.2f}'} {tick}"


def _forms(model: dict[str, Any], say: Words) -> str:
    head = (
        say.gettext("Form"), say.gettext("Tier"), "RMSE*", say.gettext("Worse than the best (MSE)"),
        say.gettext("Standard error"), say.gettext("Within"),
    )  # fmt: skip
    ticks = {True: '<span class="yes">✓</span>', False: '<span class="no">✗</span>'}
    rows = [
        (
            escape(one["form"]), str(one["tier"]), f"{one['rmse']:.3f}", f"{one['worse']:.3f}",
            f"{one['error']:.3f}", ticks[one["within"]],
        )
        for one in model["tried"]
    ]  # fmt: skip
    chosen = [one["form"] for one in model["tried"]].index(model["form"])
    return tabled(head, rows, chosen)


def _scatters(campaign: Campaign, say: Words) -> str:
    unit = _unit(campaign)
    return _grid(_scatter(node, unit, say) for node in campaign.nodes[:MOST_NODES])


def _scatter(node: Fitted, unit: str, say: Words) -> str:
    every = slice(None, None, max(1, node.rows.time.size // MOST_DOTS))
    truth, raw, value = node.rows.reference[every], node.rows.raw[every], node.rows.value[every]
    low, high = around(truth, value, np.quantile(raw, [0, 0.995]), least=5.0)
    line = np.array([max(low, 0), high])
    return plot(
        node.one.node,
        Axis(f"{say.gettext('Reference')} [{unit}]", low, high),
        Axis(f"{say.gettext('Sensor')} [{unit}]", low, high),
        [
            Marks("dots", truth, np.where(raw <= high, raw, np.nan), "raw", say.gettext("raw")),
            Marks("dots", truth, value, "cv", say.gettext("corrected")),
            Marks("line", line, line, "rule", "1 : 1"),
        ],
    )


def _days(campaign: Campaign, say: Words) -> str:
    unit = _unit(campaign)
    return _grid(_course(node, unit, say) for node in campaign.nodes[:MOST_NODES] if node.days.time.size > 1)


def _course(node: Fitted, unit: str, say: Words) -> str:
    days = node.days
    low, high = around(days.reference, days.value, days.raw, least=5.0)
    return plot(
        node.one.node,
        Axis("", float(days.time[0]), float(days.time[-1]), _date),
        Axis(f"[{unit}]", max(low, 0.0), high),
        [
            Marks("line", days.time, days.raw, "raw", say.gettext("raw")),
            Marks("line", days.time, days.value, "cv", say.gettext("corrected")),
            Marks("line", days.time, days.reference, "ref", say.gettext("Reference")),
        ],
    )


def _date(time: float) -> str:
    return datetime.fromtimestamp(time / 1e9, UTC).strftime("%Y-%m-%d")


def _remains(campaign: Campaign, say: Words) -> str:
    labels = {"rh": say.gettext("Relative humidity [%]"), "temp": say.gettext("Temperature [°C]")}
    plots = [_residual(campaign, name, label, say) for name, label in labels.items()]
    return _grid([*plots, _lessons(campaign, say), _blocks(campaign, say)])


def _residual(campaign: Campaign, name: str, label: str, say: Words) -> str:
    bands = campaign.residuals.get(name, ())
    if not bands:
        return ""
    middle = np.array([(band.low + band.high) / 2 for band in bands])
    raw, value = (np.array([getattr(band, which) for band in bands]) for which in ("raw", "value"))
    low, high = around(raw, value, np.zeros(1), least=2.0)
    left, right = around(middle)
    return plot(
        say.gettext("Mean error by {what}", what=label),
        Axis(label, left, right),
        Axis(f"[{_unit(campaign)}]", low, high),
        [
            Marks("line", np.array([left, right]), np.zeros(2), "rule"),
            Marks("beads", middle, raw, "raw", say.gettext("raw")),
            Marks("beads", middle, value, "cv", say.gettext("corrected")),
        ],
    )


def _lessons(campaign: Campaign, say: Words) -> str:
    if not campaign.lessons:
        return ""
    days = np.array([lesson.days for lesson in campaign.lessons], np.float64)
    own, plain = (_known([getattr(one, name) for one in campaign.lessons]) for name in ("rmse", "plain"))
    high = min(4 * campaign.cv.rmse, float(np.nanmax(np.concatenate((own, plain))))) * 1.05
    ends = np.array([days[0] * 0.9, days[-1] * 1.1])
    return plot(
        say.gettext("How many days are enough"),
        Axis(say.gettext("Days beside the reference"), float(ends[0]), float(ends[1]), log=True),
        Axis(f"RMSE [{_unit(campaign)}]", 0.0, high),
        [
            Marks("line", ends, np.full(2, campaign.cv.rmse), "rule", say.gettext("all days")),
            Marks("beads", days, _under(plain, high), "raw", say.gettext("plain line")),
            Marks("beads", days, _under(own, high), "cv", say.gettext("chosen form")),
        ],
    )


def _known(cells: list[float | None]) -> Array:
    return np.array([np.nan if cell is None else cell for cell in cells], np.float64)


def _under(cells: Array, high: float) -> Array:
    return np.where(cells <= high, cells, np.nan)


def _blocks(campaign: Campaign, say: Words) -> str:
    count = max(len(node.coverage.blocks) for node in campaign.nodes)
    table = np.full((len(campaign.nodes), count), np.nan)
    for place, node in enumerate(campaign.nodes):
        table[place, : len(node.coverage.blocks)] = node.coverage.blocks
    number = np.arange(1, count + 1, dtype=np.float64)
    known = np.isfinite(table)
    mean = np.where(known, table, 0).sum(axis=0) / np.maximum(known.sum(axis=0), 1)
    ends = np.array([0.4, count + 0.6])
    return plot(
        say.gettext("What 90 % intervals cover, by block of time"),
        Axis(say.gettext("Block"), float(ends[0]), float(ends[1]), whole=True),
        Axis("", 0.0, 1.0, "{:.0%}".format),
        [
            Marks("bars", number, mean, "cv", say.gettext("covered, mean of the sensors")),
            Marks("line", ends, np.full(2, 0.9), "rule", "90 %"),
        ],
    )


def _grid(plots: Iterator[str] | Sequence[str]) -> str:
    shown = "".join(plots)
    return f'<div class="plots">{shown}</div>' if shown else ""
