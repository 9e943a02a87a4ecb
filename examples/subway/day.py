"""The picture of a day: PM10 as recorded and as it became, forecast and with what was chosen, levels.

    python examples/subway/day.py OUT       reads OUT/live.csv and OUT/data, writes OUT/day.html
                                            and its first plot as OUT/day.svg

What was forecast and decided is read from the gateway's journal, not worked out again.
"""

import csv
import json
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from html import escape
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np

from edge.decision import REASONS
from edge.readings import SECOND, Array
from gateway.calibration_page import STYLE
from gateway.journal import Journal
from gateway.network import load
from gateway.plot import Axis, Marks, around, plot

FILES = Path(__file__).with_name("network.toml")
ZONE = ZoneInfo("Asia/Seoul")
AHEAD_S = 1800
LIMIT = 100.0
OPENS = 5.5
WIDE = "body{max-width:760px}.plots{grid-template-columns:1fr}.ok{stroke:var(--ok);fill:var(--ok)}"
WIDE += ".key.ok::before{background:var(--ok)}"


def told(journal: Journal, kind: str) -> Iterator[Any]:
    """What the journal holds of a kind."""
    after = 0
    while blocks := journal.blocks(after, (kind,)):
        after = blocks[-1].id
        for block in blocks:
            yield from json.loads(block.body or b"[]")


def forecasts(journal: Journal) -> tuple[Array, Array]:
    """Target times [s] and values of the platform's forecasts half an hour ahead."""
    rows = [
        (one["target"] / SECOND, one["value"])
        for row in told(journal, "forecast")
        if row["node"] == "platform"
        for one in row["horizons"]
        if one["horizon_s"] == AHEAD_S
    ]
    found = np.array(rows or [(np.nan, np.nan)])
    return found[:, 0], found[:, 1]


def chosen(decisions: list[Mapping[str, Any]]) -> tuple[Array, Array]:
    """When [s], and the PM10 that was expected of the chosen levels at the end of the time looked ahead."""
    rows = []
    for at, group in _together(decisions):
        levels = [one["level"] for one in group]
        candidates = group[0]["candidates"]
        value = next((c["value"] for c in candidates if c["levels"] == levels), None)
        if len(group) == len(load(FILES).actuators) and value is not None:
            rows.append((at / SECOND + AHEAD_S, value))
    found = np.array(rows or [(np.nan, np.nan)])
    return found[:, 0], found[:, 1]


def _together(decisions: list[Mapping[str, Any]]) -> Iterator[tuple[int, list[Any]]]:
    """The newest decision of each actuator at every moment at which one changed."""
    held: dict[str, Any] = {}
    for place, row in enumerate(decisions):
        held[row["decision"]["actuator"]] = row["decision"]
        last = place + 1 == len(decisions) or decisions[place + 1]["at"] != row["at"]
        if last and row["decision"]["candidates"]:
            freshest = {"candidates": row["decision"]["candidates"]}
            names = sorted(held, key=list(load(FILES).actuators).index)
            yield row["at"], [{**held[name], **freshest} for name in names]


@dataclass(frozen=True)
class Day:
    """A day as it went: hours of the local day with the columns of live.csv, forecasts and expectations as
    (hours, µg/m³), and all that was decided."""

    hour: Array
    series: Mapping[str, Array]
    likely: tuple[Array, Array]
    expected: tuple[Array, Array]
    decisions: list[Mapping[str, Any]]

    @classmethod
    def read(cls, folder: Path) -> "Day":
        """The day that OUT holds."""
        journal = Journal(folder / "data" / "journal.sqlite")
        with (folder / "live.csv").open(encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        second = np.array([datetime.fromisoformat(row["time"]).timestamp() for row in rows])
        begun = datetime.fromtimestamp(second[0], ZONE).replace(hour=0, minute=0).timestamp()
        decisions = list(told(journal, "decision"))
        likely, expected = (
            ((when - begun) / 3600, value) for when, value in (forecasts(journal), chosen(decisions))
        )
        series = {name: np.array([float(row[name]) for row in rows]) for name in rows[0] if name != "time"}
        return cls((second - begun) / 3600, series, likely, expected, decisions)


def page(day: Day) -> str:
    """The whole page."""
    cards = "".join(
        f'<div class="card">{escape(name)}<b>{escape(text)}</b></div>' for name, text in summary(day).items()
    )
    said = "".join(
        f"<tr><td>{datetime.fromtimestamp(row['at'] / SECOND, ZONE):%H:%M}</td>"
        f"<td>{escape(row['decision']['actuator'])}</td><td>{row['decision']['level']}</td>"
        f'<td class="why">{escape(reason(row["decision"]))}</td></tr>'
        for row in day.decisions
    )
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>A day of the platform</title>'
        f"<style>{STYLE}{WIDE}</style></head><body><h1>A day of the platform</h1>"
        f'<p class="soft">Simulated: {escape(FILES.parent.name)}/metro.py</p><div class="cards">{cards}</div>'
        f'<div class="plots">{air(day)}{levels(day)}</div><h2>What was decided</h2><div class="wide"><table>'
        f"<tr><th>at</th><th>machine</th><th>level</th><th>because</th></tr>{said}</table></div></body></html>\n"
    )


def clock(day: Day) -> Axis:
    """The local time."""
    return Axis("local time", float(day.hour[0]), float(day.hour[-1]), "{:g}:00".format)


def air(day: Day) -> str:
    """The plot of PM10."""
    series, known = day.series, day.likely[1][np.isfinite(day.likely[1])]
    top = around(series["recorded"], series["pm10"], known, least=120)[1]
    marks = [
        Marks("line", day.hour[[0, -1]], np.full(2, LIMIT), "rule", "limit"),
        Marks("line", day.hour, series["recorded"], "raw", "with everything off (the table)"),
        Marks("dots", *day.likely, "cv", "forecast half an hour ahead, as it runs"),
        Marks("dots", *day.expected, "fail", "with the levels chosen"),
        Marks("line", day.hour, series["pm10"], "ref", "as it became"),
    ]
    return plot("PM10 of the platform", clock(day), Axis("PM10 µg/m³", 0, top), marks)


def levels(day: Day) -> str:
    """The plot of what ran."""
    marks = [
        Marks("line", day.hour, day.series[name] + 0.02 * place, style, name)
        for place, (name, style) in enumerate(zip(load(FILES).actuators, ("ok", "cv"), strict=True))
    ]
    return plot("What ran", clock(day), Axis("level", 0, 2.1, whole=True), marks)


def alone(html: str) -> str:
    """The first plot of a page as a file of its own."""
    begin, end = html.index("<svg"), html.index("</svg>")
    opened, drawn = html[begin:end].split(">", 1)
    name = 'xmlns="http://www.w3.org/2000/svg"'
    return f"{opened} {name}><style>{STYLE}{WIDE}</style>{drawn}</svg>\n"


def summary(day: Day) -> dict[str, str]:
    """The day in numbers, over the hours in which trains run."""
    series, used = day.series, day.hour >= OPENS
    watts = sum(
        np.array([one.levels[int(level)].power for level in series[name]])
        for name, one in load(FILES).actuators.items()
    )
    hours = {name: float((series[name][used] > LIMIT).sum()) / 60 for name in ("recorded", "pm10")}
    return {
        "above 100 µg/m³, everything off": f"{hours['recorded']:.1f} h",
        "above 100 µg/m³, as it became": f"{hours['pm10']:.1f} h",
        "mean, everything off": f"{series['recorded'][used].mean():.0f} µg/m³",
        "mean, as it became": f"{series['pm10'][used].mean():.0f} µg/m³",
        "energy": f"{float(np.sum(watts)) / 60000:.0f} kWh",
    }


def reason(decision: Mapping[str, Any]) -> str:
    """The reason in words."""
    return REASONS[decision["key"]].format(
        **{name: f"{value:g}" for name, value in decision["details"].items()}
    )


if __name__ == "__main__":
    where = Path(sys.argv[1])
    made = page(Day.read(where))
    (where / "day.html").write_text(made, encoding="utf-8")
    (where / "day.svg").write_text(alone(made), encoding="utf-8")
    print(f"{where}/day.html")
