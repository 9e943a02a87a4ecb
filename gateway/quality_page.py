"""The page of a table's quality control: each series with what was found in it; self-contained HTML."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from html import escape

import numpy as np

from edge.quantity import QUANTITIES
from edge.readings import Array, Flag, Readings
from gateway.calibration_page import STYLE, section, tabled
from gateway.plot import Axis, Marks, around, plot
from gateway.quality import Finding, Health, health
from gateway.words import TESTS, Words, words

MOST_PLOTS = 60
MOST_POINTS = 1500
MOST_FINDINGS = 400
DAY = 86_400e9


def page(readings: Readings, found: Sequence[Finding], title: str, lang: str) -> str:
    """The whole page; `title` is the table's name."""
    say = words(lang)
    head = say.gettext("Quality of {table}", table=title)
    body = "".join(_sections(readings, found, say))
    return (
        f'<!doctype html><html lang="{lang}"><head><meta charset="utf-8">'
        f'<meta name="viewport" content="width=device-width"><title>{escape(head)}</title>'
        f"<style>{STYLE}</style></head><body><h1>{escape(head)}</h1>"
        f'<p class="soft">{_span(readings)}</p>{body}</body></html>\n'
    )


def _sections(readings: Readings, found: Sequence[Finding], say: Words) -> Iterator[str]:
    fares = sorted(health(readings), key=lambda one: (-one.broken, -(one.suspect + one.fail), one.node))
    ill = [one for one in fares if one.broken or one.suspect or one.fail]
    good = say.ngettext(
        "{n} more series without a finding", "{n} more series without a finding", len(fares) - len(ill)
    )
    yield section(say.gettext("Each device"), f'{_fares(ill, say)}<p class="soft">{escape(good)}</p>')
    plots = "".join(_course(readings, one, say) for one in ill[:MOST_PLOTS])
    yield section(say.gettext("What was flagged"), f'<div class="plots">{plots}</div>' if plots else "")
    yield section(say.gettext("Findings"), _findings(found, say))


def _fares(fares: Sequence[Health], say: Words) -> str:
    head = (
        say.gettext("Sensor"), say.gettext("Quantity"), say.gettext("Rows"), say.gettext("Doubtful"),
        say.gettext("Wrong"), say.gettext("Broken"),
    )  # fmt: skip
    rows = [
        (
            escape(one.node), _quantity(one.quantity, say), str(one.rows), str(one.suspect), str(one.fail),
            '<span class="no">✗</span>' if one.broken else "",
        )
        for one in fares
    ]  # fmt: skip
    return tabled(head, rows)


def _findings(found: Sequence[Finding], say: Words) -> str:
    head = (
        say.gettext("Sensor"), say.gettext("Quantity"), say.gettext("From"), say.gettext("To"),
        say.gettext("Rows"), say.gettext("Worst value"), say.gettext("Why"),
    )  # fmt: skip
    rows = [
        (
            escape(one.node), _quantity(one.quantity, say), _minute(one.start), _minute(one.end),
            str(one.rows), f"{one.worst:g}",
            f'<span class="why">{escape(say.gettext(TESTS[one.test]))}</span>',
        )
        for one in found[:MOST_FINDINGS]
    ]  # fmt: skip
    more = len(found) - MOST_FINDINGS
    note = say.gettext("and {n} more; --json lists all", n=more)
    return tabled(head, rows) + (f'<p class="soft">{escape(note)}</p>' if more > 0 else "") if rows else ""


def _course(readings: Readings, one: Health, say: Words) -> str:
    """A series over its days, its doubtful and wrong values on it."""
    rows = np.flatnonzero(readings.node == readings.nodes.index(one.node))
    column = readings.columns[one.quantity]
    raw, flag, day = column.raw[rows], column.flag[rows], readings.time[rows] / DAY
    shown = _thinned(raw, flag)
    raw, flag, day = raw[shown], flag[shown], day[shown]
    low, high = around(raw, least=5.0)
    first, last = float(day[0]), float(max(day[-1], day[0] + 1))
    unit = QUANTITIES[one.quantity].unit
    return plot(
        f"{one.node} · {_quantity(one.quantity, say)}",
        Axis(say.gettext("Day"), first, last, _date, whole=True),
        Axis(f"[{unit}]", low, high),
        [
            Marks("line", day, raw, "ref"),
            Marks("dots", day, np.where(flag == Flag.SUSPECT, raw, np.nan), "raw", say.gettext("doubtful")),
            Marks("dots", day, np.where(flag == Flag.FAIL, raw, np.nan), "fail", say.gettext("wrong")),
        ],
    )


def _thinned(raw: Array, flag: Array) -> Array:
    """Rows to draw: every flagged one, and of each stretch of the others its lowest and highest."""
    flagged = np.flatnonzero((flag == Flag.SUSPECT) | (flag == Flag.FAIL))
    width = -(-raw.size // MOST_POINTS)
    if width < 3:
        return np.arange(raw.size)
    parts = (np.arange(at, min(at + 2 * width, raw.size)) for at in range(0, raw.size, 2 * width))
    ends = [part[[raw[part].argmin(), raw[part].argmax()]] for part in parts]
    return np.unique(np.concatenate((flagged, *ends)))


def _quantity(name: str, say: Words) -> str:
    row = QUANTITIES[name]
    return row.ko if say.lang == "ko" else row.en


def _date(day: float) -> str:
    return datetime.fromtimestamp(day * 86_400, UTC).strftime("%m-%d")


def _minute(time: int) -> str:
    return datetime.fromtimestamp(time / 1e9, UTC).strftime("%Y-%m-%d %H:%M")


def _span(readings: Readings) -> str:
    if not len(readings):
        return ""
    first, last = int(readings.time.min()), int(readings.time.max())
    return f"{_minute(first)} – {_minute(last)} UTC"
