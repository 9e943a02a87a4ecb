"""The page of a drift watch: each sensor beside its proxy, day by day."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from html import escape

import numpy as np

from edge.drift import DAY_H, RULE, Day, Watched
from edge.quantity import QUANTITIES
from edge.readings import Array
from edge.recalibration import Proposal
from gateway.calibration_page import NOTICE, STYLE
from gateway.plot import Axis, Marks, around, plot
from gateway.words import N_, Words, words

LAST = 60
"""Days that a plot shows."""
KINDS = {"references": N_("reference stations"), "neighbours": N_("neighbours")}


def page(found: Sequence[Watched], proposed: Sequence[Proposal], lang: str) -> str:
    """The whole page: proposals first, then every sensor that is watched."""
    say = words(lang)
    title = say.gettext("Drift of sensors")
    worst_first = sorted(found, key=lambda one: one.began is None)
    body = "".join((_proposals(proposed, say), *(_sensor(one, say) for one in worst_first)))
    nothing = say.gettext("Nobody can be watched: it takes reference stations near by, or two neighbours.")
    return (
        f'<!doctype html><html lang="{lang}"><head><meta charset="utf-8">'
        f'<meta name="viewport" content="width=device-width"><title>{escape(title)}</title>'
        f"<style>{STYLE}</style></head><body><h1>{escape(title)}</h1>"
        f'<p class="soft">{escape(_rule(say))}</p>{body if found else escape(nothing)}'
        f'<p class="soft">{escape(say.gettext(NOTICE))}</p></body></html>\n'
    )


def _rule(say: Words) -> str:
    return say.gettext(
        "A day is flagged where 72 hours differ from their proxy as no chance explains (p ≤ {p}) and by a"
        " gain outside {low}–{high} or more than {offset}; {days} such days on end are a drift.",
        p=RULE.p,
        low=RULE.low,
        high=RULE.high,
        offset=RULE.offset,
        days=RULE.days,
    )


def _proposals(proposed: Sequence[Proposal], say: Words) -> str:
    if not proposed:
        nothing = say.gettext("No recalibration is proposed.")
        return f"<p>{escape(nothing)}</p>"
    heads = (
        N_("Sensor"),
        N_("since"),
        N_("Proposed"),
        N_("apart before"),
        N_("apart after"),
        N_("Accept by"),
    )
    cells = "".join(f"<th>{escape(say.gettext(head))}</th>" for head in heads)
    return f'<div class="wide"><table><tr>{cells}</tr>{"".join(_row(one) for one in proposed)}</table></div>'


def _row(one: Proposal) -> str:
    since = datetime.fromtimestamp(one.since // 10**9, UTC).strftime("%Y-%m-%d")
    mend = f"{one.gain:.2f} · x {one.offset:+.1f}"
    cells = (
        one.node,
        since,
        mend,
        f"{one.before:.1f}",
        f"{one.after:.1f}",
        f"gongi calibrate accept {one.id}",
    )
    return "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in cells) + "</tr>"


def _sensor(one: Watched, say: Words) -> str:
    course = one.course
    by = say.gettext(KINDS[course.kind])
    head = f"<h2>{escape(course.node)} · {escape(by)} ({len(course.proxies)})</h2>"
    if one.usual is None:
        wait = say.gettext("Not known yet what is usual here: it takes two weeks of both.")
        return f'{head}<p class="soft">{escape(wait)}</p>'
    return f'{head}<div class="plots">{"".join(_plots(one, say))}</div>'


def _plots(one: Watched, say: Words) -> Iterator[str]:
    course, unit = one.course, QUANTITIES[one.course.quantity].unit
    days = one.days[-LAST:]
    first = days[0].day if days else int(course.hours[-1]) // DAY_H - LAST
    rows = course.hours >= first * DAY_H
    at = course.hours[rows] / DAY_H
    proxy = np.maximum(one.usual(course.proxy[rows]), 0.0) if one.usual else course.proxy[rows]
    own, beside = _daily(at, course.sensor[rows]), _daily(at, proxy)
    axis = Axis(say.gettext("Day"), float(first), float(at[-1]) + 0.01, _date)
    low, high = around(own[1], beside[1])
    yield plot(
        say.gettext("Daily means"),
        axis,
        Axis(f"[{unit}]", max(low, 0.0), high),
        [
            Marks("line", *beside, "ref", say.gettext("proxy, brought here")),
            Marks("line", *own, "cv", say.gettext("sensor")),
        ],
    )
    yield _gains(days, axis, say)


def _gains(days: Sequence[Day], axis: Axis, say: Words) -> str:
    flagged = [day for day in days if day.flagged]
    ends = np.array([axis.low, axis.high])
    return plot(
        say.gettext("Gain that 72 hours ask for"),
        axis,
        Axis("", 0.0, 2.5),
        [
            *(Marks("line", ends, np.full(2, bound), "rule") for bound in (RULE.low, 1.0, RULE.high)),
            Marks("line", _of(days, "day"), np.clip(_of(days, "gain"), 0.0, 2.5), "cv", say.gettext("gain")),
            Marks(
                "beads",
                _of(flagged, "day"),
                np.clip(_of(flagged, "gain"), 0, 2.5),
                "fail",
                say.gettext("flagged"),
            ),
        ],
    )


def _of(days: Sequence[Day], name: str) -> Array:
    return np.array([getattr(day, name) for day in days], np.float64)


def _daily(at: Array, cells: Array) -> tuple[Array, Array]:
    days, place = np.unique(np.floor(at), return_inverse=True)
    known = np.isfinite(cells)
    count = np.bincount(place[known], minlength=days.size)
    total = np.bincount(place[known], cells[known], days.size)
    return days, np.where(count > 0, total / np.maximum(count, 1), np.nan)


def _date(day: float) -> str:
    return str(np.datetime64(int(day), "D"))[5:]
