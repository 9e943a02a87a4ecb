"""The page of identified rooms: self-contained HTML with plots, in Korean or English."""

from collections.abc import Iterator, Mapping, Sequence
from html import escape
from typing import Any

import numpy as np

from edge.efficacy import CLOGGED
from edge.readings import Array
from edge.room import Balance
from gateway.calibration_page import STYLE
from gateway.plot import Axis, Marks, plot
from gateway.words import N_, Words, words

NOTICE = N_("Measured by simple monitors (간이측정기); these are not data of the national network.")
NATURE: Mapping[str, tuple[str, str]] = {
    "air_change": (N_("Air change, empty"), "1/h"),
    "penetration": (N_("Share of outdoor particles that come in"), ""),
    "deposition": (N_("Particles that settle"), "1/h"),
}
TERMS: Mapping[str, tuple[str, str]] = {
    "busy_inward": (N_("More comes in with people inside"), "1/h"),
    "source": (N_("Raised by people"), "µg/m³/h"),
    "delivered": (N_("Clean air delivered, of what the files say"), ""),
}
HOURS = 2.0
START = 80.0


def page(found: Sequence[Mapping[str, Any]], lang: str) -> str:
    """The whole page of what `gateway.learning.learn` tells."""
    say = words(lang)
    title = escape(say.gettext("What the rooms are like"))
    body = "".join(part for one in found for part in _room(one, say))
    return (
        f'<!doctype html><html lang="{lang}"><head><meta charset="utf-8">'
        f'<meta name="viewport" content="width=device-width"><title>{title}</title>'
        f"<style>{STYLE}</style></head><body><h1>{title}</h1>{body}"
        f'<p class="soft">{escape(say.gettext(NOTICE))}</p></body></html>\n'
    )


def _room(one: Mapping[str, Any], say: Words) -> Iterator[str]:
    yield f"<h2>{escape(one['site'])} / {escape(one['room'])}</h2>"
    if not one["enough"]:
        little = say.gettext("Too little is known yet; the network file stands.")
        yield f"<p>{escape(little)}</p>"
        return
    yield f'<div class="cards">{"".join(_cards(one, say))}</div>'
    yield f'<div class="plots">{_decay(one, say)}{_weeks(one, say)}</div>'


def _cards(one: Mapping[str, Any], say: Words) -> Iterator[str]:
    for table, values in ((NATURE, one["nature"]), (TERMS, one["terms"])):
        for name, (title, unit) in table.items():
            value, error = values[name]
            text = f"{value:.2f} ± {error:.2f} {unit}"
            yield f'<div class="card">{escape(say.gettext(title))}<b>{escape(text)}</b></div>'
    minutes = say.ngettext("{n} minute", "{n} minutes", one["lead_s"] // 60)
    title = say.gettext("Must start ahead by")
    yield f'<div class="card">{escape(title)}<b>{escape(minutes)}</b></div>'


def _decay(one: Mapping[str, Any], say: Words) -> str:
    """How the empty room cleans itself, and with what its purifiers deliver at 4 changes an hour."""
    balance, hours = Balance(**one["balance"]), np.linspace(0, HOURS, 60)
    alone, helped = (START * np.exp(-rate * hours) for rate in _rates(balance))
    marks = [
        Marks("line", 60 * hours, alone, "raw", say.gettext("By itself")),
        Marks("line", 60 * hours, helped, "cv", say.gettext("With purifiers of 4 changes an hour")),
        Marks("line", np.array([0, 60 * HOURS]), np.array([35.0, 35.0]), "rule", ""),
    ]
    title = say.gettext("How 80 µg/m³ would fall in clean air")
    return plot(title, Axis(say.gettext("minutes"), 0, 60 * HOURS), Axis("PM2.5 µg/m³", 0, START), marks)


def _rates(balance: Balance) -> tuple[float, float]:
    return balance.loss, balance.loss + 4 * balance.delivered


def _weeks(one: Mapping[str, Any], say: Words) -> str:
    weeks = one["efficacy"]
    if not weeks:
        return ""
    share = np.array([week["share"] for week in weeks])
    error = np.array([week["error"] for week in weeks])
    at: Array = np.arange(1, share.size + 1, dtype=float)
    worn = np.full(2, CLOGGED * share.max())
    marks = [
        Marks("beads", at, share, "cv", say.gettext("Clean air delivered, of what the files say")),
        *(
            Marks("line", np.array([x, x]), np.array([low, high]), "cv", "")
            for x, low, high in zip(at, share - 1.645 * error, share + 1.645 * error, strict=True)
        ),
        Marks("line", np.array([0.5, share.size + 0.5]), worn, "rule", say.gettext("Clogged below")),
    ]
    top = max(1.1, float((share + 1.645 * error).max()) * 1.05)
    names = dict(zip(at.tolist(), (week["week"][5:] for week in weeks), strict=True))
    weekly = Axis(say.gettext("week from"), 0.5, share.size + 0.5, lambda x: names.get(x, ""), whole=True)
    return plot(say.gettext("What the purifiers deliver, week by week"), weekly, Axis("", 0.0, top), marks)
